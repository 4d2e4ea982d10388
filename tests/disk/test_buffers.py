"""Buffers by piece, used again and not hoarded."""

import pytest

from trio_torrent.disk import buffers as module
from trio_torrent.disk.buffers import PieceBuffers
from trio_torrent.wire.messages import Request


def test_blocks_make_up_their_piece():
    buffers = PieceBuffers(8)
    buffers.place(Request(3, 4, 2))[:] = b"ef"
    buffers.place(Request(5, 0, 8))[:] = b"others.."
    buffers.place(Request(3, 0, 4))[:] = b"abcd"
    assert bytes(buffers.take(3)[:6]) == b"abcdef"
    assert bytes(buffers.take(5)) == b"others.."


def test_the_place_of_a_block_is_exactly_as_long():
    with pytest.raises(ValueError, match="different structures"):
        PieceBuffers(8).place(Request(0, 2, 4))[:] = b"12345"


def test_a_buffer_is_used_again():
    buffers = PieceBuffers(8)
    buffers.place(Request(0, 0, 8))[:] = b"whatever"
    first = buffers.take(0)
    buffers.give_back(first)
    assert buffers.place(Request(1, 0, 8)).obj is first.obj
    assert buffers.place(Request(2, 0, 8)).obj is not first.obj


def test_a_buffer_that_was_taken_is_nobody_elses():
    buffers = PieceBuffers(8)
    buffers.place(Request(0, 0, 8))[:] = b"mine...."
    mine = buffers.take(0)
    buffers.place(Request(0, 0, 8))[:] = b"fetched."
    assert bytes(mine) == b"mine...."


@pytest.mark.parametrize(("piece_length", "most"), [(256, 4), (2048, 2)])
def test_free_buffers_are_not_hoarded(piece_length: int, most: int, monkeypatch: pytest.MonkeyPatch):
    """And two are kept however long they are: one fills while another is written."""
    monkeypatch.setattr(module, "MOST_FREE_BYTES", 1024)
    buffers = PieceBuffers(piece_length)
    for piece in range(most + 3):
        buffers.place(Request(piece, 0, 1))
    for piece in range(most + 3):
        buffers.give_back(buffers.take(piece))
    assert len(buffers._free) == most


def test_free_ones_and_used_ones_share_the_budget(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PIECE_BUDGET", 1024)
    buffers = PieceBuffers(256)
    for piece in range(4):
        buffers.place(Request(piece, 0, 1))
    first = buffers.take(0)
    buffers.place(Request(4, 0, 1))
    buffers.give_back(first)
    assert buffers._free == [], "four are in use already"
    buffers.give_back(buffers.take(1))
    assert len(buffers._free) == 1
