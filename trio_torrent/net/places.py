"""Places for connections and for attempts at them: taken, waited for, and given back by the tasks of all torrents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from trio_torrent.errors import ShortageError
from trio_torrent.swarm.shares import Budget, Room, Shares, Waiting


class Places:
    """One for each client."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget: Budget = budget or Budget()
        self._shares = Shares(self.budget)
        self._queue: dict[Waiting, trio.Event] = {}  # at most `MOST_TRYING` of each torrent

    @contextmanager
    def share(self) -> Iterator[Share]:
        """What one torrent may take. Among so many, the places are shared."""
        share = Share(self._shares, self._queue)
        self._shares.enter(share)
        try:
            yield share
        finally:
            self._shares.leave(share)


class Share:
    """One torrent's part in the places of its client."""

    def __init__(self, shares: Shares, queue: dict[Waiting, trio.Event]) -> None:
        self._shares = shares
        self._queue = queue

    @property
    def is_over(self) -> bool:
        """Whether this torrent is to part with a connection."""
        return self._shares.is_over(self)

    @contextmanager
    def connected(self) -> Iterator[bool]:
        """A connection's place, and whether it is crowded: then another must go for it. ShortageError if none is left.

        A crowded place is for a moment: either the newcomer or another one of its torrent ends.
        """
        room = self._shares.room(self)
        if room is Room.NONE:
            raise ShortageError("too many connections in all")
        self._shares.connect(self)
        try:
            yield room is Room.CROWDED
        finally:
            self._shares.disconnect(self)

    @asynccontextmanager
    async def attempting(self, *, look: bool) -> AsyncIterator[None]:
        """A dial's place, as soon as there is one. ShortageError if nothing could come of it."""
        if self._shares.room(self) is not Room.FREE:
            raise ShortageError("too many connections in all")
        me = Waiting(self, look)
        self._queue[me] = turn = trio.Event()
        self._call()
        try:
            await turn.wait()
            yield
        finally:
            if self._queue.pop(me, None) is None:  # it was its turn
                self._shares.end(me)
                self._call()

    def _call(self) -> None:
        """Whose turn it is."""
        while self._queue and (one := self._shares.next(self._queue)) is not None:
            self._shares.begin(one)
            self._queue.pop(one).set()
