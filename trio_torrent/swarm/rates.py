"""How fast: bytes over the last few seconds, and bytes that may pass."""

from __future__ import annotations

import math

from trio_torrent.metainfo.geometry import BLOCK_SIZE

SLOTS = 8
SLOT_SECONDS = 0.25
SPAN = SLOTS * SLOT_SECONDS
"""Seconds that a meter looks back: short enough to follow a peer, long enough to be steady."""

# What a limit may be ahead of itself after a pause. A task that wakes late, or a peer that has just asked for less,
# must not cost any of the rate; beyond a quarter of a second it would be seen as a burst.
BURST_SECONDS = 0.25


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


class Bucket:
    """Bytes that may pass: a token bucket that fills at `rate` bytes a second; None is no limit.

    Something may pass while there is anything in it, whatever its size: what is too much is owed, and waited for. So
    large and small things pass at exactly the rate. It starts empty, and holds `BURST_SECONDS`, or a block, at most.
    """

    __slots__ = ("_level", "_rate", "_seen")

    def __init__(self, rate: int | None, now: float) -> None:
        self._rate: int | None = None
        self._level = 0.0
        self._seen = now
        self.set_rate(rate, now)

    @property
    def rate(self) -> int | None:
        """Bytes a second."""
        return self._rate

    def set_rate(self, rate: int | None, now: float) -> None:
        """From now on. What is owed never takes longer to pay off than it would have. ValueError below 1."""
        if rate is not None and rate < 1:
            raise ValueError(f"a limit must be at least 1 byte a second, or None for no limit, not {rate}")
        self._fill(now)
        if rate is None or self._rate is None:
            self._level = 0.0
        elif rate < self._rate:
            self._level *= rate / self._rate
        self._rate = rate

    def available(self, now: float) -> float:
        """Bytes that may pass now, below zero what is owed; infinite without a limit."""
        self._fill(now)
        return math.inf if self._rate is None else self._level

    def take(self, count: int, now: float) -> None:
        """So many bytes pass, perhaps more than are available. Below zero they are given back."""
        self._fill(now)
        if self._rate is not None:
            self._level -= count

    def ready_in(self, now: float) -> float:
        """Seconds until something may pass."""
        available = self.available(now)
        if self._rate is None or available > 0:
            return 0.0
        return (1 - available) / self._rate  # to a whole byte, which no rounding takes away

    def _fill(self, now: float) -> None:
        if self._rate is not None and now > self._seen:
            most = max(BLOCK_SIZE, self._rate * BURST_SECONDS)
            self._level = min(most, self._level + (now - self._seen) * self._rate)
        self._seen = max(now, self._seen)
