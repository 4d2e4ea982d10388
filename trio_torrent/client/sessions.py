"""When a torrent runs, and when it must be still: because it is paused, because the disk failed, or because somebody
needs its data to himself.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from trio_torrent.errors import ChangedError, StorageError

from .status import State

# After trouble with the disk, it is tried again so often. Nobody minds a look at the disk every ten seconds, and
# whoever has made room does not want to wait for minutes.
RETRY_SECONDS = 10.0


class Sessions:
    """A torrent's sessions, one after the other."""

    def __init__(self) -> None:
        self.error: StorageError | None = None  # why it waits
        self.era: int = 0  # another number, whenever files may have changed in between
        self._scope = trio.CancelScope()
        self._idle = True  # between two sessions
        self._broken = False
        self._holders = 0
        self._paused = False
        self._retry_at = -math.inf
        self._stopped = trio.Event()
        self._stopped.set()
        self._changed = trio.Event()
        self._turn = trio.Lock()

    @property
    def paused(self) -> bool:
        """Until `resume`."""
        return self._paused

    @property
    def state(self) -> State | None:
        """What the torrent is doing, if it is between two sessions."""
        if not self._idle:
            return None
        return State.PAUSED if self._paused else State.WAITING if self.error is not None else None

    @property
    def at_rest(self) -> bool:
        """It is paused, and nobody needs its data to himself."""
        return self._paused and not self._holders and self.error is None

    async def wait(self) -> None:
        """Return when a session may begin."""
        self._idle = True
        try:
            while self._holders or self._paused or self._retry_at > trio.current_time():
                self._changed = trio.Event()
                with trio.move_on_at(math.inf if self._holders or self._paused else self._retry_at):
                    await self._changed.wait()
        finally:
            self._idle = False  # also when the torrent is stopped here: it then waits for nothing

    @contextmanager
    def session(self) -> Iterator[None]:
        """The block is cancelled when it must end."""
        self.era += 1
        self._stopped, self._broken = trio.Event(), False
        try:
            with trio.CancelScope() as self._scope:
                if self._holders or self._paused:
                    self._scope.cancel()
                yield
        finally:
            self._stopped.set()

    def broke(self, error: StorageError) -> bool:
        """The session cannot go on; whether that is news. Several may find out at once.

        The next begins at once if a file has changed, for the first time in a while.
        """
        if self._broken:
            return False
        now = trio.current_time()
        often = now < self._retry_at + RETRY_SECONDS
        self.error, self._broken = error, True
        self._retry_at = now + RETRY_SECONDS if often or not isinstance(error, ChangedError) else now
        self._scope.cancel()
        return True

    def works(self) -> None:
        """A session has begun in earnest."""
        self.error = None

    def pause(self) -> None:
        """No session until `resume`."""
        self._paused = True
        self._scope.cancel()

    def resume(self) -> None:
        """Sessions may begin, and what has failed is tried again now."""
        self._paused = False
        self._retry_at = -math.inf
        self._changed.set()

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """No session for the length of the block; one such block at a time, and none between two that wait."""
        self._holders += 1
        self.era += 1
        self._scope.cancel()
        try:
            async with self._turn:
                await self._stopped.wait()
                yield
        finally:
            self._holders -= 1
            self._changed.set()
