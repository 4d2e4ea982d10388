import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.metainfo import BLOCK_SIZE, Geometry

lengths = st.lists(st.integers(0, 200_000), min_size=1, max_size=8)
piece_lengths = st.sampled_from([16384, 32768, 65536])


@pytest.mark.parametrize(
    ("piece_length", "span", "sizes"),
    [
        (100, 1, [1]),
        (100, 100, [100]),
        (100, 101, [100, 1]),
        (40000, 90000, [40000, 40000, 10000]),
    ],
)
def test_v1_pieces(piece_length, span, sizes):
    geometry = Geometry.contiguous(piece_length, span)
    assert geometry.pieces == len(sizes)
    assert [geometry.piece_size(piece) for piece in range(geometry.pieces)] == sizes
    assert (geometry.size, geometry.span) == (span, span)


def test_v1_padding_is_in_the_span_but_not_in_the_size():
    geometry = Geometry.contiguous(100, 250, padding=[(30, 70)])
    assert (geometry.size, geometry.span, geometry.pieces) == (180, 250, 3)


def test_v2_pieces_end_with_their_files():
    geometry = Geometry.aligned(100, [250, 0, 100, 1])
    assert [geometry.piece_size(piece) for piece in range(geometry.pieces)] == [100, 100, 50, 100, 1]
    assert geometry.size == 351
    assert geometry.span == 401  # the gap after the first file is in it, one at the end is not
    assert geometry.piece_start(4) == 400


def test_blocks():
    geometry = Geometry.contiguous(40000, 90000)  # a piece length that blocks do not divide
    assert [geometry.block_count(piece) for piece in range(3)] == [3, 3, 1]
    assert [geometry.block_size(0, block) for block in range(3)] == [16384, 16384, 40000 - 2 * 16384]
    assert geometry.block_size(2, 0) == 10000


@given(piece_lengths | st.integers(1, 70_000), st.integers(1, 300_000))
def test_v1_blocks_tile_the_span(piece_length, span):
    geometry = Geometry.contiguous(piece_length, span)
    sizes = [geometry.piece_size(piece) for piece in range(min(geometry.pieces, 300))]
    if geometry.pieces <= 300:
        assert sum(sizes) == span
    for piece, size in enumerate(sizes):
        blocks = [geometry.block_size(piece, block) for block in range(geometry.block_count(piece))]
        assert sum(blocks) == size
        assert all(0 < block <= BLOCK_SIZE for block in blocks)


@given(piece_lengths, lengths)
def test_v2_pieces_tile_the_files(piece_length, lengths):
    geometry = Geometry.aligned(piece_length, lengths)
    sizes = [geometry.piece_size(piece) for piece in range(geometry.pieces)]
    assert sum(sizes) == geometry.size == sum(lengths)
    if sizes:
        assert geometry.piece_start(geometry.pieces - 1) + sizes[-1] == geometry.span


def test_it_is_a_value():
    assert Geometry.contiguous(100, 250) == Geometry.contiguous(100, 250)
    assert Geometry.contiguous(100, 250) != Geometry.contiguous(100, 251)
    assert hash(Geometry.aligned(100, [250])) == hash(Geometry.aligned(100, [250]))


def test_padding_at_the_end_of_a_piece_is_no_content():
    # Pieces of 100: 30 of a file, 70 of padding; two pieces of a file that ends with the second; 20, and 30 to the end.
    geometry = Geometry.contiguous(100, 350, padding=[(30, 70), (320, 30)])
    assert [geometry.content_size(piece) for piece in range(4)] == [30, 100, 100, 20]
    assert [geometry.piece_size(piece) for piece in range(4)] == [100, 100, 100, 50]
    assert geometry.size == 250


def test_padding_elsewhere_is_content_like_any_other():
    # Before the end of a piece; a whole piece and more; nothing but padding.
    assert Geometry.contiguous(100, 200, padding=[(30, 20)]).content_size(0) == 100
    assert [Geometry.contiguous(100, 300, padding=[(50, 250)]).content_size(piece) for piece in range(3)] == [100] * 3
    assert Geometry.contiguous(100, 100, padding=[(0, 100)]).content_size(0) == 100
