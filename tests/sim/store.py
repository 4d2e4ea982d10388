"""A disk and its buffers, without bytes: a block is what it claims to be, and a mark.

Mark 0 is the right content; any other is a lie of its own. Buffers are used again and keep what was in them, and a
place that was lent stays valid, as in memory: whoever writes late, or to a place that is somebody else's by now, spoils
a piece here as it would there.
"""

from __future__ import annotations

from collections.abc import Callable

from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.swarm.events import PieceFailed, PieceVerified

from .clock import Clock

DISK_RATE = 500e6  # bytes a second that are hashed and written

RIGHT = 0
MARKS = 256

Buffer = dict[int, tuple[int, int]]
"""Offset: of which piece, and the mark."""


class Store:
    """Buffers of pieces in flight; it lends their places, and compares pieces in its own time."""

    def __init__(
        self, clock: Clock, geometry: Geometry, tell: Callable[[PieceVerified | PieceFailed], None], *, rate: float
    ) -> None:
        self._clock = clock
        self._geometry = geometry
        self._tell = tell
        self._rate = rate
        self._used: dict[int, Buffer] = {}
        self._free: list[Buffer] = []
        self._free_at = 0.0
        self._lent: set[tuple[int, int]] = set()

    def lend(self, piece: int, offset: int) -> Buffer:
        """The buffer in which a block has its place."""
        assert (piece, offset) not in self._lent, f"the place of block {offset} of piece {piece} is lent twice"
        self._lent.add((piece, offset))
        return self._buffer(piece)

    def give_back(self, piece: int, offset: int) -> None:
        """Nobody will write to the place."""
        self._lent.discard((piece, offset))

    def keep(self, piece: int, offset: int, mark: int) -> None:
        """Copy a block to its place."""
        self._buffer(piece)[offset] = piece, mark

    def discard(self, piece: int) -> None:
        """What came of the piece is of no use."""
        if (buffer := self._used.pop(piece, None)) is not None:
            self._free.append(buffer)

    def verify(self, piece: int, *, digests: bool) -> None:
        """Say in a while what the piece is then."""
        buffer = self._used.pop(piece)
        self._free_at = max(self._free_at, self._clock.now) + self._geometry.piece_size(piece) / self._rate
        self._clock.at(self._free_at, self._compare, piece, buffer, digests)

    def _compare(self, piece: int, buffer: Buffer, digests: bool) -> None:
        blocks = [buffer.get(offset) for offset in range(0, self._geometry.piece_size(piece), BLOCK_SIZE)]
        right = all(block == (piece, RIGHT) for block in blocks)
        found = tuple(repr(block).encode() for block in blocks) if digests or not right else ()
        self._free.append(buffer)
        self._tell(PieceVerified(piece, found) if right else PieceFailed(piece, found))

    def _buffer(self, piece: int) -> Buffer:
        if piece not in self._used:
            self._used[piece] = self._free.pop() if self._free else {}
        return self._used[piece]
