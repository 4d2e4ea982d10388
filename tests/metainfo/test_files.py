import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.metainfo import File, FileLayout, FileSlice


def end_to_end(*lengths: int) -> FileLayout:
    files, offset = [], 0
    for number, length in enumerate(lengths):
        files.append(File((f"f{number}",), length, offset))
        offset += length
    return FileLayout(files)


FIVE = end_to_end(10, 0, 5, 0, 20)


@pytest.mark.parametrize(
    ("start", "length", "slices"),
    [
        (0, 10, [(0, 0, 10)]),
        (0, 35, [(0, 0, 10), (2, 0, 5), (4, 0, 20)]),
        (9, 2, [(0, 9, 1), (2, 0, 1)]),
        (10, 5, [(2, 0, 5)]),
        (14, 2, [(2, 4, 1), (4, 0, 1)]),
        (34, 1, [(4, 19, 1)]),
        (34, 100, [(4, 19, 1)]),
        (35, 1, []),
        (1000, 1, []),
        (5, 0, []),
    ],
)
def test_slices(start, length, slices):
    assert FIVE.slices(start, length) == [FileSlice(*each) for each in slices]


def test_gaps_are_nobodys():
    """Pure v2: files on piece boundaries, nothing between them."""
    layout = FileLayout([File(("a",), 30, 0), File(("e",), 0, 100), File(("b",), 10, 100)])
    assert layout.slices(0, 100) == [FileSlice(0, 0, 30)]
    assert layout.slices(40, 50) == []
    assert layout.slices(20, 90) == [FileSlice(0, 20, 10), FileSlice(2, 0, 10)]
    assert layout.file_at(40).path == ("a",)
    assert layout.file_at(100).path == ("b",)


def test_nothing_but_empty_files():
    assert end_to_end(0, 0).slices(0, 10) == []
    assert FileLayout([]).slices(0, 10) == []


@pytest.mark.parametrize(
    ("file", "pieces"), [(0, range(2)), (1, range(1, 1)), (2, range(1, 2)), (3, range(1, 1)), (4, range(1, 5))]
)
def test_pieces_of(file, pieces):
    assert FIVE.pieces_of(file, 8) == pieces


def test_pieces_of_a_file_that_ends_with_a_piece():
    assert FIVE.pieces_of(0, 10) == range(1)
    assert FIVE.pieces_of(2, 5) == range(2, 3)


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 250), st.integers(0, 250))
def test_slices_are_the_bytes(lengths, start, length):
    layout = end_to_end(*lengths)
    space = [(number, at) for number, size in enumerate(lengths) for at in range(size)]
    found = [(part.file, part.offset + at) for part in layout.slices(start, length) for at in range(part.length)]
    assert found == space[start : start + length]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 40))
def test_pieces_of_are_those_with_a_slice_of_it(lengths, piece_length):
    layout = end_to_end(*lengths)
    for number in range(len(lengths)):
        pieces = [
            piece
            for piece in range(-(-sum(lengths) // piece_length))
            if any(part.file == number for part in layout.slices(piece * piece_length, piece_length))
        ]
        assert list(layout.pieces_of(number, piece_length)) == pieces


def test_a_layout_is_a_value():
    assert end_to_end(1, 2) == end_to_end(1, 2) != end_to_end(2, 1)
    assert hash(end_to_end(1, 2)) == hash(end_to_end(1, 2))
    assert repr(FIVE) == "<FileLayout of 5 files>"
    assert FIVE != "files"
