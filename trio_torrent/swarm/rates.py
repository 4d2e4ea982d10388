"""How fast: bytes over the last few seconds."""

from __future__ import annotations

SLOTS = 8
SLOT_SECONDS = 0.25
SPAN = SLOTS * SLOT_SECONDS
"""Seconds that a meter looks back: short enough to follow a peer, long enough to be steady."""


class Meter:
    """Counts bytes, and tells their rate over the last `SPAN` seconds.

    A ring of slots a quarter of a second wide: adding is a subtraction and an addition, whatever the rate.
    """

    __slots__ = ("_slot", "_slots", "_started", "recent", "total")

    total: int  # bytes ever
    recent: int  # bytes in the slots that are still looked at, as of the last call

    def __init__(self, now: float) -> None:
        self.total = 0
        self.recent = 0
        self._started = now
        self._slot = int(now / SLOT_SECONDS)
        self._slots = [0] * SLOTS

    def add(self, count: int, now: float) -> None:
        """`count` bytes have passed."""
        self._turn(now)
        self.total += count
        self.recent += count
        self._slots[self._slot % SLOTS] += count

    def rate(self, now: float) -> float:
        """Bytes a second; a meter younger than `SPAN` divides by its age, so that a start is not taken for slow."""
        self._turn(now)
        return self.recent / min(SPAN, max(SLOT_SECONDS, now - self._started))

    def _turn(self, now: float) -> None:
        slot = int(now / SLOT_SECONDS)
        for past in range(self._slot + 1, min(slot, self._slot + SLOTS) + 1):
            self.recent -= self._slots[past % SLOTS]
            self._slots[past % SLOTS] = 0
        self._slot = max(slot, self._slot)
