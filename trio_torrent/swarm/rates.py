"""How fast: bytes over the last few seconds, and bytes that may pass."""

from __future__ import annotations

import math

from trio_torrent.metainfo.geometry import BLOCK_SIZE

SLOT_SECONDS = 0.25

RECENT_SLOTS = 8
RECENT = RECENT_SLOTS * SLOT_SECONDS
"""Seconds that are recent: short enough to follow a peer that gets faster."""

SLOTS = 20
SPAN = SLOTS * SLOT_SECONDS
"""Seconds that a rate is of: at 20 KB/s a block comes every 0.8 s, and a figure that jumps with each cannot be read."""

# What a limit may be ahead of itself after a pause. A task that wakes late, or a peer that has just asked for less,
# must not cost any of the rate; beyond a quarter of a second it would be seen as a burst.
BURST_SECONDS = 0.25

# Waited on top of what is owed, as no system wakes anyone more exactly: whatever is rounded, there is something then.
GRAIN_SECONDS = 0.001


class Meter:
    """Counts bytes, and tells their rate over the last `SPAN` seconds.

    A ring of slots a quarter of a second wide: adding is a few additions, whatever the rate.
    """

    __slots__ = ("_flowing", "_lately", "_slot", "_slots", "_started", "recent", "total")

    total: int  # bytes ever
    recent: int  # bytes in the last `RECENT_SLOTS`, as of the last call

    def __init__(self, now: float) -> None:
        self.total = 0
        self.recent = 0
        self._lately = 0  # bytes in all slots
        self._started = now
        self._flowing = now  # since when something has passed at least every `SPAN`
        self._slot = int(now / SLOT_SECONDS)
        self._slots = [0] * SLOTS

    def add(self, count: int, now: float) -> None:
        """`count` bytes have passed."""
        self._turn(now)
        if not self._lately:
            self._flowing = now
        self.total += count
        self.recent += count
        self._lately += count
        self._slots[self._slot % SLOTS] += count

    def rate(self, now: float) -> float:
        """Bytes a second over the last `SPAN`, or since the flow began: a start is not to be taken for slow, nor is
        the first block after a long silence for fast, if the meter is not as young.
        """
        self._turn(now)
        since = max(self._flowing, (self._slot - SLOTS + 1) * SLOT_SECONDS)  # not quite `SPAN` ago
        least = min(RECENT, max(SLOT_SECONDS, now - self._started))
        return self._lately / max(least, now - since)

    def _turn(self, now: float) -> None:
        slot = int(now / SLOT_SECONDS)
        if slot <= self._slot:
            return  # as nearly always
        for past in range(self._slot + 1, min(slot, self._slot + SLOTS) + 1):
            self.recent -= self._slots[(past - RECENT_SLOTS) % SLOTS]
            self._lately -= self._slots[past % SLOTS]
            self._slots[past % SLOTS] = 0
        self._slot = slot


class Bucket:
    """Bytes that may pass: a token bucket that fills at `rate` bytes a second; None is no limit.

    Something may pass while there is anything in it, whatever its size: what is too much is owed, and waited for. So
    large and small things pass at exactly the rate. It starts empty, and holds `BURST_SECONDS`, or a block, at most.
    """

    __slots__ = ("_level", "_seen", "rate")

    rate: int | None  # bytes a second; `set_rate` changes it

    def __init__(self, rate: int | None, now: float) -> None:
        self.rate = None
        self._level = 0.0
        self._seen = now
        self.set_rate(rate, now)

    def set_rate(self, rate: int | None, now: float) -> None:
        """From now on. What is owed never takes longer to pay off than it would have. ValueError below 1."""
        if rate is not None and rate < 1:
            raise ValueError(f"a limit must be at least 1 byte a second, or None for no limit, not {rate}")
        self._fill(now)
        if rate is None or self.rate is None:
            self._level = 0.0
        elif rate < self.rate:
            self._level *= rate / self.rate
        self.rate = rate

    def available(self, now: float) -> float:
        """Bytes that may pass now, below zero what is owed; infinite without a limit."""
        self._fill(now)
        return math.inf if self.rate is None else self._level

    def take(self, count: int, now: float) -> None:
        """So many bytes pass, perhaps more than are available. Below zero they are given back."""
        self._fill(now)
        if self.rate is not None:
            self._level = min(self._most, self._level - count)

    def ready_in(self, now: float) -> float:
        """Seconds until something may pass."""
        available = self.available(now)
        if self.rate is None or available > 0:
            return 0.0
        return GRAIN_SECONDS - available / self.rate

    def _fill(self, now: float) -> None:
        if self.rate is not None and now > self._seen:
            self._level = min(self._most, self._level + (now - self._seen) * self.rate)
        self._seen = max(now, self._seen)

    @property
    def _most(self) -> float:
        return math.inf if self.rate is None else max(BLOCK_SIZE, self.rate * BURST_SECONDS)
