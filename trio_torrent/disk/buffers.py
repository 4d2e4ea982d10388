"""Where blocks become pieces: one buffer for each piece in flight.

Buffers are used again: the first touch of fresh memory costs page faults, a third of what hashing it costs.
"""

from __future__ import annotations

from trio_torrent.swarm.budget import PIECE_BUDGET
from trio_torrent.wire.messages import Request

# Free buffers that are kept: a piece or two in each of the threads, and those that fill meanwhile.
MOST_FREE_BYTES = 16 << 20


class PieceBuffers:
    """Buffers of `piece_length` bytes, by piece. For one thread; a piece that was taken may be used in another."""

    def __init__(self, piece_length: int) -> None:
        self._piece_length = piece_length
        self._most_free = max(2, MOST_FREE_BYTES // piece_length)
        # The scheduler lets no more be in flight and unwritten; with the free ones it is no more, either.
        self._most = max(2, PIECE_BUDGET // piece_length)
        self._taken = 0
        self._used: dict[int, memoryview] = {}
        self._free: list[memoryview] = []

    def place(self, block: Request) -> memoryview:
        """Where a block belongs, in its piece's buffer."""
        buffer = self._used.get(block.piece)
        if buffer is None:
            buffer = self._free.pop() if self._free else memoryview(bytearray(self._piece_length))
            self._used[block.piece] = buffer
        return buffer[block.offset : block.offset + block.length]

    def take(self, piece: int) -> memoryview:
        """The buffer of a piece whose blocks are all there. It is the caller's until `give_back`."""
        buffer = self._used.pop(piece)
        self._taken += 1
        return buffer

    def discard(self, piece: int) -> None:
        """The piece's buffer, if it has one, is free."""
        if piece in self._used:
            self.give_back(self.take(piece))

    def clear(self) -> None:
        """All buffers are free, but for those that were taken."""
        for piece in list(self._used):
            self.discard(piece)

    def give_back(self, buffer: memoryview) -> None:
        """The buffer's content is no longer needed."""
        self._taken -= 1
        if len(self._free) < min(self._most_free, self._most - len(self._used) - self._taken):
            self._free.append(buffer)
