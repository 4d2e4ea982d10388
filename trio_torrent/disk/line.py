"""What threads must do one after the other, without one of them waiting for another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Line:
    """Jobs that are done in the order in which they come, never two at once, by the thread that brings the first.

    Whoever comes meanwhile leaves his job to that thread, and goes on to something else. Two threads that write to one
    file would wait for each other in the system, and spin meanwhile: on ext4 for a seventh of a download's CPU time.
    """

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._taken = False
        self._lock = threading.Lock()  # held for as long as it takes to look

    def do(self, job: Callable[[], None]) -> None:
        """Do it, and those that come meanwhile; or have it done by who is at it. It must not raise."""
        with self._lock:
            self._jobs.append(job)
            if self._taken:
                return
            self._taken = True
        while (first := self._next()) is not None:
            first()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            self._taken = bool(self._jobs)
            return self._jobs.popleft() if self._jobs else None
