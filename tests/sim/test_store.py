"""The model of buffers and disk: it must notice what a real one would suffer."""

from __future__ import annotations

import pytest

from tests.sim.clock import Clock
from tests.sim.store import RIGHT, Store
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.swarm.events import PieceFailed, PieceVerified

GEOMETRY = Geometry.contiguous(2 * BLOCK_SIZE, 8 * BLOCK_SIZE)


class Disk:
    """A store, and its verdicts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.verdicts: list[PieceVerified | PieceFailed] = []
        self.store = Store(self.clock, GEOMETRY, self.verdicts.append, rate=BLOCK_SIZE)

    def verify(self, piece: int) -> PieceVerified | PieceFailed:
        self.store.verify(piece, digests=False)
        self.clock.run(self.clock.now + 10)
        return self.verdicts[-1]


def test_a_piece_of_right_blocks_is_right():
    disk = Disk()
    disk.store.keep(1, 0, RIGHT)
    disk.store.lend(1, BLOCK_SIZE)[BLOCK_SIZE] = 1, RIGHT
    assert disk.verify(1) == PieceVerified(1)


def test_a_lie_and_a_hole_are_seen_and_differ():
    disk = Disk()
    disk.store.keep(1, 0, RIGHT)
    hole = disk.verify(1)
    disk.store.keep(1, 0, RIGHT)
    disk.store.keep(1, BLOCK_SIZE, 7)
    lie = disk.verify(1)
    assert isinstance(hole, PieceFailed)
    assert isinstance(lie, PieceFailed)
    assert hole.digests[0] == lie.digests[0]
    assert hole.digests[1] != lie.digests[1]


def test_who_writes_late_spoils_the_piece():
    disk = Disk()
    place = disk.store.lend(1, BLOCK_SIZE)
    disk.store.keep(1, 0, RIGHT)
    disk.store.keep(1, BLOCK_SIZE, RIGHT)
    disk.store.verify(1, digests=False)
    place[BLOCK_SIZE] = 1, 7
    disk.clock.run(10)
    assert [type(verdict) for verdict in disk.verdicts] == [PieceFailed]


def test_a_used_buffer_is_not_empty():
    """What is left from the piece before is not taken for this one's."""
    disk = Disk()
    for offset in (0, BLOCK_SIZE):
        disk.store.keep(1, offset, RIGHT)
    disk.verify(1)
    disk.store.keep(2, 0, RIGHT)
    assert isinstance(disk.verify(2), PieceFailed)


def test_hashing_takes_its_time():
    disk = Disk()
    for piece in (1, 2):
        disk.store.keep(piece, 0, RIGHT)
        disk.store.verify(piece, digests=False)
    disk.clock.run(3.9)
    assert [verdict.piece for verdict in disk.verdicts] == [1]
    disk.clock.run(4.1)
    assert [verdict.piece for verdict in disk.verdicts] == [1, 2]


def test_a_place_is_lent_once():
    disk = Disk()
    disk.store.lend(1, 0)
    with pytest.raises(AssertionError, match="lent twice"):
        disk.store.lend(1, 0)
    disk.store.give_back(1, 0)
    disk.store.lend(1, 0)
