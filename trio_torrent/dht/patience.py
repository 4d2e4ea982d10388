"""How long to wait for an answer, from how long answers take (after RFC 6298)."""

from __future__ import annotations

FIRST_LATE = 1.0  # seconds, before anything is known
MIN_LATE, MAX_LATE = 0.15, 3.0
MIN_GIVE_UP, MAX_GIVE_UP = 2.0, 8.0  # a node in trouble is not lost for one slow answer
PATIENCE = 4.0  # times as long as what is late is waited for in all


class Patience:
    """The smoothed round-trip time of all nodes together, and its variation; seconds."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._variation = 0.0

    def answered(self, seconds: float) -> None:
        """An answer took so long."""
        if self._mean is None:
            self._mean, self._variation = seconds, seconds / 2
            return
        self._variation += (abs(seconds - self._mean) - self._variation) / 4
        self._mean += (seconds - self._mean) / 8

    @property
    def late(self) -> float:
        """After this another node is asked, too."""
        if self._mean is None:
            return FIRST_LATE
        return min(max(self._mean + 3 * self._variation, MIN_LATE), MAX_LATE)

    @property
    def give_up(self) -> float:
        """After this there will be no answer."""
        return min(max(PATIENCE * self.late, MIN_GIVE_UP), MAX_GIVE_UP)
