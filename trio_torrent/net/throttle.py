"""Upload limits: the peers of a torrent stand in line, and so do the torrents of a client.

Where there is no limit, nobody waits and none of this is in the way. Under one, a peer that has blocks to send stands
in its torrent's line, and is woken when it is its turn and both buckets have something for it. What it sends then is
little enough for the line to move smoothly. Nobody holds a turn while it sends: a peer that reads slowly has had what
it was given, is not in line, and keeps nobody waiting.

Torrents take turns at the client's bucket, however many peers they have, and peers at their torrent's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from trio_torrent.swarm.rates import Bucket

Turn = Callable[[int], int]
"""Told how many bytes a peer may send, wakes it, and says how many it is going to: more by part of a block, or less."""

# One turn's worth: at 1 MB/s it is three blocks, at 50 MB/s a whole batch, and always one block. Twenty turns a second
# look smooth to the receiver's TCP, and cost nothing.
TURN_SECONDS = 0.05

# Nobody sleeps longer than this, so that a new limit is soon noticed.
LONGEST_NAP = 0.25


class Throttle:
    """The line of one torrent's peers. `everyone` is the client's bucket, and `turns` the line of those before it."""

    def __init__(self, own: Bucket, everyone: Bucket, turns: trio.Lock) -> None:
        self._own = own
        self._everyone = everyone
        self._turns = turns
        self._line: dict[Turn, None] = {}
        self._wanted = trio.Event()

    @property
    def is_open(self) -> bool:
        """There is no limit."""
        return self._own.rate is None and self._everyone.rate is None

    def stand_in_line(self, turn: Turn) -> None:
        """To be called once, when it is its turn. Who stands there already keeps the place."""
        self._line[turn] = None
        self._wanted.set()

    def leave(self, turn: Turn) -> None:
        """Not to be called any more."""
        self._line.pop(turn, None)

    def take(self, count: int) -> None:
        """So many bytes are sent, besides what turns came to; below zero, as many of those are not."""
        now = trio.current_time()
        self._own.take(count, now)
        self._everyone.take(count, now)

    async def run(self) -> None:
        """Give turns, for ever."""
        while True:
            while not self._line:
                self._wanted = trio.Event()
                await self._wanted.wait()
            await _ready(self._own)
            async with self._turns:
                await _ready(self._everyone)
                self._call_next()

    def _call_next(self) -> None:
        turn = next(iter(self._line), None)
        if turn is not None:  # they may all have left meanwhile
            self.leave(turn)
            self.take(turn(self._turn_size()))

    def _turn_size(self) -> int:
        rates = [bucket.rate for bucket in (self._own, self._everyone) if bucket.rate is not None]
        return math.ceil(min(rates, default=1) * TURN_SECONDS)


async def _ready(bucket: Bucket) -> None:
    while True:
        seconds = bucket.ready_in(trio.current_time())
        if seconds <= 0:
            return
        await trio.sleep(min(seconds, LONGEST_NAP))
