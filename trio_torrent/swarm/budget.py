"""How much of a torrent may be in memory: pieces in flight and pieces being verified share one budget of bytes."""

from __future__ import annotations

# Bytes in flight and being verified, at most: what a torrent may hold in memory (but always two pieces). From 50 peers
# the whole process then has 108 MiB with pieces of 256 KiB, and 94 MiB with pieces of 16 MiB.
PIECE_BUDGET = 48 << 20

# Bytes being verified, after which no further piece is begun: more does not make the disk faster, it makes the
# buffers many and cold (measured: without this, 20 % more CPU and five times the memory).
UNWRITTEN_BUDGET = 8 << 20


class Budget:
    """Told of each piece, by its size in bytes, what becomes of it; says if another may be begun."""

    def __init__(self, piece_length: int) -> None:
        self._piece = piece_length
        self._most = max(PIECE_BUDGET, 2 * piece_length)
        self._in_flight = 0  # bytes
        self._unwritten = 0  # bytes
        self._verifying = 0  # pieces

    def began(self, size: int) -> None:
        """A piece is in flight."""
        self._in_flight += size

    def gave_up(self, size: int) -> None:
        """It is no longer."""
        self._in_flight -= size

    def whole(self, size: int) -> None:
        """It has come, and is being verified."""
        self._in_flight -= size
        self._unwritten += size
        self._verifying += 1

    def settled(self, size: int) -> None:
        """It is written, or was wrong."""
        self._unwritten -= size
        self._verifying -= 1

    def admits(self, beyond: int = 0) -> bool:
        """A piece may be begun; or one that somebody waits for, with room for so many more than there is."""
        if self.waits_for_disk and self._verifying >= 2:
            return False
        return self.has_room(beyond)

    def has_room(self, beyond: int = 0) -> bool:
        """There is memory for a piece."""
        return self._in_flight + self._unwritten + self._piece <= self._most + beyond * self._piece

    @property
    def waits_for_disk(self) -> bool:
        """What keeps pieces from being begun is what has come already."""
        return self._unwritten >= UNWRITTEN_BUDGET
