"""Virtual time: what is to happen, in the order in which it happens."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Clock:
    """Events at the same moment happen in the order in which they were planned, so that every run is the same."""

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0  # events planned so far
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._stopped = False

    def at(self, when: float, call: Callable[..., None], *args: Any) -> None:
        """Call this then."""
        self.count += 1
        heappush(self._events, (when, self.count, call, args))

    def stop(self) -> None:
        """Let `run` return after this event."""
        self._stopped = True

    def run(self, until: float) -> None:
        """Let everything happen up to a moment, or to `stop`."""
        events = self._events
        self._stopped = False
        while events and events[0][0] <= until:
            self.now, _, call, args = heappop(events)
            call(*args)
            if self._stopped:
                return
        self.now = until
