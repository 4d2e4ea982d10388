"""Somebody who reads what a node downloads: a player at its own pace, or one who looks here and there."""

from __future__ import annotations

import math

from trio_torrent.client.reader import TOLD_EVERY
from trio_torrent.swarm.events import Awaited
from trio_torrent.swarm.rates import Meter
from trio_torrent.swarm.readahead import read_ahead

from .node import Node

STEP = 0.005  # seconds from one look at what is there to the next
READ = 1 << 20  # bytes that a look takes at most


class Reader:
    """Reads on from where it is, `rate` bytes a second, or as soon as anything is there.

    It does what `client.reader` does; there is a single file, which has all pieces.
    """

    def __init__(self, node: Node, *, rate: float = math.inf) -> None:
        self._node = node
        self._clock = node.world.clock
        self._rate = rate
        self._geometry = node.world.geometry
        self._meter = Meter(self._clock.now)
        self._told = range(0)
        self.at = 0
        self.waited = 0.0  # seconds since it went to where it is, until there was something
        self.stalled = 0.0  # seconds in which it could not go on, after it had begun here
        self.worst = 0.0  # of these, at a stretch
        self._stretch = 0.0
        self._begun = False
        self._owed = 0.0  # bytes that it would have read by now
        self._step()

    @property
    def has_begun(self) -> bool:
        """Something was read where it is."""
        return self._begun

    def seek(self, to: int) -> None:
        """Read on from there."""
        self.at, self._begun, self.waited, self._owed = to, False, 0.0, 0.0
        self._tell_needs()

    def close(self) -> None:
        """It reads no more."""
        self._rate = 0.0
        self._node.post(Awaited((), reading=False))

    def _step(self) -> None:
        if self._rate and self.at < self._geometry.size:
            self._tell_needs()
            self._read()
            self._clock.at(self._clock.now + STEP, self._step)

    def _tell_needs(self) -> None:
        now, length = self._clock.now, self._geometry.piece_length
        if self.at not in self._told and self.at < self._geometry.size:
            self._told = range(self.at, self.at + max(TOLD_EVERY, length))
            needs = read_ahead(length, self.at, self._geometry.size, self._meter.rate(now), now)
            self._node.post(Awaited(needs))

    def _read(self) -> None:
        self._owed = min(READ, self._owed + self._rate * STEP)
        end = min(self._geometry.size, (self.at // self._geometry.piece_length + 1) * self._geometry.piece_length)
        if self.at // self._geometry.piece_length in self._node.have:
            count = min(int(self._owed), end - self.at)
            self.at += count
            self._owed -= count
            self._meter.add(count, self._clock.now)
            self._begun, self._stretch = True, 0.0
        elif not self._begun:
            self.waited += STEP
        else:
            self.stalled += STEP
            self._stretch += STEP
            self.worst = max(self.worst, self._stretch)
            self._owed = 0.0  # what a film has missed while it stood still is not caught up
