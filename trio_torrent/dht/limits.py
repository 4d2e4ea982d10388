"""What strangers may cost: messages from each, and bytes that we answer them all.

Every datagram's sender may be forged. So a flood must be cheap to ignore, and our answers must not be a flood.
"""

from __future__ import annotations

WINDOW = 10.0  # seconds over which an address's messages are averaged (libtorrent)
IGNORED = 300.0  # seconds that one who sends too many is ignored (libtorrent's dht_block_timeout)
MAX_WATCHED = 5000  # addresses counted within a window; a flood from more is held by the answers' rate alone
MAX_NUISANCES = 1000  # ignored at once; the longest ignored are let in again
ANSWER_DEPTH = 3.0  # seconds of the answers' rate that may go out at once, after a silence (libtorrent)


class Lately:
    """Which of these were noted within so many seconds; at most so many of them, the latest."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._until: dict[bytes, float] = {}  # the earliest noted first

    def __len__(self) -> int:
        return len(self._until)

    def note(self, key: bytes, now: float) -> None:
        """It is so, from now on."""
        self._until.pop(key, None)
        if len(self._until) >= self._most:
            del self._until[next(iter(self._until))]
        self._until[key] = now + self._seconds

    def has(self, key: bytes, now: float) -> bool:
        """Whether it was noted and the time is not over."""
        return self._until.get(key, now) > now


class Door:
    """Lets messages in, except from those who send more than `rate` a second, averaged over ten."""

    def __init__(self, rate: float) -> None:
        self._most = rate * WINDOW
        self._counts: dict[bytes, int] = {}
        self._window_ends = 0.0
        self.nuisances: Lately = Lately(IGNORED, MAX_NUISANCES)

    def admits(self, key: bytes, now: float) -> bool:
        """Whether to look at a message that comes from there."""
        if now >= self._window_ends:
            self._counts = {}
            self._window_ends = now + WINDOW
        if self.nuisances.has(key, now):
            return False
        count = self._counts.get(key, 0) + 1
        if count == 1 and len(self._counts) >= MAX_WATCHED:
            return True
        self._counts[key] = count
        if count > self._most:
            self.nuisances.note(key, now)
            return False
        return True


class Quota:
    """So many bytes a second."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = rate * ANSWER_DEPTH
        self._at = now

    def is_open(self, now: float) -> bool:
        """Whether anything may be sent; what is sent may overdraw it a little."""
        self._left = min(self._left + (now - self._at) * self._rate, self._rate * ANSWER_DEPTH)
        self._at = now
        return self._left > 0

    def spend(self, size: int) -> None:
        """So many bytes were sent."""
        self._left -= size
