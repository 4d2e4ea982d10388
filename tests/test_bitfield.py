import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.bitfield import Bitfield

sizes = st.integers(0, 40)


@st.composite
def fields(draw: st.DrawFn) -> tuple[int, set[int]]:
    size = draw(sizes)
    return size, draw(st.sets(st.integers(0, size - 1))) if size else set()


@given(fields())
def test_it_is_a_set(field: tuple[int, set[int]]):
    size, pieces = field
    bits = Bitfield(size, pieces)
    assert list(bits) == sorted(pieces)
    assert len(bits) == bits.count == len(pieces)
    assert bits.complete == (len(pieces) == size)
    assert Bitfield.from_bytes(bytes(bits), size) == bits
    assert bits - Bitfield(size) == bits
    assert (bits - Bitfield.full(size)).count == 0
    assert set(Bitfield.full(size) - bits) == set(range(size)) - pieces
    for piece in range(size):
        assert (piece in bits) == (piece in pieces)
        assert Bitfield(size, pieces).add(piece) == (piece not in pieces)
        assert Bitfield(size, pieces).discard(piece) == (piece in pieces)


@given(sizes)
def test_full(size: int):
    assert list(Bitfield.full(size)) == list(range(size))


def test_the_first_piece_is_the_high_bit():
    assert bytes(Bitfield(9, [0, 8])) == b"\x80\x80"


@pytest.mark.parametrize(("data", "size"), [(b"", 1), (b"\0\0", 8), (b"\x01", 7), (b"\xff\x01", 15)])
def test_wrong_bytes_are_refused(data: bytes, size: int):
    with pytest.raises(ValueError, match=r"bit|bytes"):
        Bitfield.from_bytes(data, size)


def test_it_says_what_it_holds():
    assert repr(Bitfield(9, [1])) == "<Bitfield 1/9>"
    assert Bitfield(1) != 3


@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)), st.integers(0, 20), st.integers(1, 25))
def test_what_two_sets_have_in_common_from_a_place_on(one: set[int], other: set[int], start: int, limit: int):
    both = sorted(one & other)
    expected = [piece for piece in both if piece >= start] + [piece for piece in both if piece < start]
    assert Bitfield(21, one).common(Bitfield(21, other), start=start, limit=limit) == expected[:limit]


@given(st.integers(0, 40), st.data())
def test_flags(size: int, data: st.DataObject):
    pieces = data.draw(st.sets(st.integers(0, size - 1))) if size else set()
    assert Bitfield(size, pieces).flags() == [piece in pieces for piece in range(size)]
