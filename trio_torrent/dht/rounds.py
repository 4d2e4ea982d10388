"""When a torrent's peers are looked for in the DHT, and how that went: one round after the other, while it lives.

Each round also announces us, so it must come again before others have forgotten us, and soon while peers are few.
"""

from __future__ import annotations

import enum
import math
from random import Random

from .status import DiscoveryStatus

SOURCE = "dht"  # who has named the peers

# Seconds between rounds, when all is well. Nodes forget who has not come again for half an hour (libtorrent's
# dht_announce_interval, and what BEP 5 leaves open).
REGULAR = 900.0

# While peers are few: a round is some sixty small datagrams, which somebody who waits for a download will gladly send.
FEW_FIRST, FEW_MOST = 60.0, 300.0

# After a round that has met hardly any node: the DHT itself has just begun, and knows more in a moment.
THIN_FIRST = 5.0
THIN = 4  # nodes that have taken our announce, of the eight that are asked to
MOST_DOUBLINGS = 6  # of either, after which it is FEW_MOST

JITTER = 0.1  # of an interval, more or less: torrents that began together shall not all come at once for ever


class Phase(enum.Enum):
    """Where in a round we are."""

    IDLE = "not looking"
    WAITING = "waiting for its turn"
    LOOKING = "looking for peers"
    RESTING = "working"


class Rounds:
    """Told what happens; says when the next round is due. Times are seconds, on one clock."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._phase = Phase.IDLE
        self._peers = self._nodes = self._announced = 0
        self._ended: float | None = None
        self._in_haste = 0  # rounds in a row that were to be followed by another one soon
        self._jitter = 1.0
        self._is_wished = False

    def begin(self) -> None:
        """A round begins, as soon as the DHT lets it."""
        self._phase = Phase.WAITING
        self._peers = self._nodes = self._announced = 0
        self._is_wished = False

    def looking(self) -> None:
        """The first question goes out."""
        self._phase = Phase.LOOKING

    def found(self, peers: int) -> None:
        """Somebody has named so many peers."""
        self._peers += peers

    def met(self, answered: int, announced: int) -> None:
        """One lookup is over: so many nodes have answered, and so many have taken our announce."""
        self._nodes += answered
        self._announced += announced

    def end(self, now: float, *, few: bool) -> None:
        """The round is over; `few` says that more peers would be of use."""
        self._phase = Phase.RESTING
        self._ended = now
        self._in_haste = self._in_haste + 1 if few or self._is_thin else 0
        self._jitter = self._random.uniform(1 - JITTER, 1 + JITTER)

    def stop(self) -> None:
        """There will be no more."""
        self._phase = Phase.IDLE

    def wish(self) -> None:
        """Somebody would like a round, as soon as it makes sense."""
        self._is_wished = True

    def due(self, *, few: bool) -> float:
        """When the next round should begin."""
        if self._ended is None:
            return -math.inf
        return self._ended + self._interval(few=few) * self._jitter

    def _interval(self, *, few: bool) -> float:
        doubled = 2.0 ** min(max(0, self._in_haste - 1), MOST_DOUBLINGS)
        first = THIN_FIRST if self._is_thin else FEW_FIRST
        interval = min(first * doubled, FEW_MOST) if few or self._is_thin else REGULAR
        return min(interval, FEW_FIRST) if self._is_wished else interval

    @property
    def _is_thin(self) -> bool:
        return self._announced < THIN

    def status(self, now: float, *, few: bool, ready: bool) -> DiscoveryStatus:
        """How it stands; `ready` says that the DHT knows anybody."""
        resting = self._phase is Phase.RESTING
        return DiscoveryStatus(
            state=self._state(ready=ready),
            peers=self._peers,
            nodes=self._nodes,
            announced_to=self._announced,
            last=now - self._ended if self._ended is not None else None,
            next=max(0.0, self.due(few=few) - now) if resting else None,
        )

    def _state(self, *, ready: bool) -> str:
        if self._phase is Phase.WAITING and not ready:
            return "waiting for the first node"
        if self._phase is Phase.RESTING and not self._nodes:
            return "no node has answered"
        return self._phase.value
