"""How a torrent's files looked when we were last at them, so that whoever else writes to them is noticed.

Nothing here asks the disk: whoever has written to a file, or has read it, says how it looked then.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

from .look import Look


class Watch:
    """Of one torrent's files, by their numbers. Any thread may tell and ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[int, Look] = {}  # when the session began
        self._left: dict[int, Look] = {}  # after the last write
        self._sealed: dict[int, Look] = {}  # when they were complete
        self._fresh: set[int] = set()  # may have been written since the last `take_fresh`
        self._unsynced: set[int] = set()  # and since the last `take_unsynced`

    def begin(self, found: dict[int, Look], there: Collection[int]) -> None:
        """A session begins, and this is found. What is not `there` was not written, or is gone."""
        with self._lock:
            self._found = found
            self._left.clear()
            self._sealed.clear()
            self._fresh.intersection_update(there)
            self._unsynced.intersection_update(there)

    # -- looks -------------------------------------------------------------------------------------------------------

    def leave(self, file: int, seen: Look) -> None:
        """Somebody has written to a file, and looked at it. The latest look counts, whichever thread it was."""
        with self._lock:
            last = self._left.get(file)
            if last is None or seen.changed >= last.changed:
                self._left[file] = seen
            self._fresh.add(file)
            self._unsynced.add(file)

    def seal(self, file: int, seen: Look) -> None:
        """Nothing more will be written to a file that looks so, and whoever does so is a stranger."""
        with self._lock:
            self._left.pop(file, None)
            self._sealed[file] = seen

    def left(self, file: int) -> Look | None:
        """How a file was left that is still to be written; None if nothing was written to it."""
        return self._left.get(file)

    def sealed(self, file: int) -> Look | None:
        """How a complete file should look; None if it is not."""
        return self._sealed.get(file)

    def known(self) -> dict[int, Look]:
        """How all should look of which it is known."""
        with self._lock:
            return {**self._found, **self._left, **self._sealed}

    # -- what is to be told of them, and made safe -------------------------------------------------------------------

    def suspect(self, numbers: Iterable[int]) -> None:
        """These may have been written a moment ago."""
        with self._lock:
            self._fresh.update(numbers)
            self._unsynced.update(numbers)

    def forget(self, file: int) -> None:
        """It is gone, and nothing is to be told of it."""
        with self._lock:
            self._left.pop(file, None)
            self._fresh.discard(file)
            self._unsynced.discard(file)

    def take_fresh(self) -> set[int]:
        """Those that may have been written since the last call."""
        with self._lock:
            fresh, self._fresh = self._fresh, set()
        return fresh

    def take_unsynced(self) -> set[int]:
        """Those that may have been written since the last call."""
        with self._lock:
            unsynced, self._unsynced = self._unsynced, set()
        return unsynced
