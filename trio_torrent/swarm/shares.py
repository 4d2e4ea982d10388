"""What the torrents of one client share: its connections, and its attempts at new ones."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Hashable, Iterable

import attrs

from .candidates import MOST_LOOKS

MOST_CONNECTIONS = 200  # in all; libtorrent's `connections_limit`
MOST_HALF_OPEN = 30  # dials that have not been answered; libtorrent's `connection_speed` and `torrent_connect_boost`
MOST_PENDING = 256  # strangers who have not said what they want; rqbit's limit

# Above the limit, for those who may take another's place, or whose torrent has less than its share (libtorrent's
# `connections_slack`).
SLACK = 10

# Of the descriptors that the system allows us: peers at most this share, and what files and all the rest need is kept.
PEERS_SHARE = 0.6
FOR_FILES = 40  # `disk.files.MOST_OPEN`
FOR_STATE = 16  # to listen, to ask trackers, to save what we know

# Of the peers' descriptors, where they are scarce: half for connections, an eighth for attempts, the rest for those who
# have yet to say what they want.
CONNECTIONS_PART, ATTEMPTS_PART = 2, 8


@attrs.frozen
class Budget:
    """How many connections there may be, attempts under way, and strangers in their handshake; each at least one."""

    connections: int = MOST_CONNECTIONS
    attempts: int = MOST_HALF_OPEN
    looks: int = MOST_LOOKS  # of the attempts, those that take long
    pending: int = MOST_PENDING

    @classmethod
    def within(cls, descriptors: int | None, connections: int = MOST_CONNECTIONS) -> Budget:
        """For so many descriptors that this process may have open (None: any number)."""
        if descriptors is None:
            return cls(connections)
        room = max(0, min(int(descriptors * PEERS_SHARE), descriptors - FOR_FILES - FOR_STATE))
        attempts = max(1, min(MOST_HALF_OPEN, room // ATTEMPTS_PART))
        connections = max(1, min(connections, room // CONNECTIONS_PART - SLACK))
        pending = max(1, min(MOST_PENDING, room - attempts - connections - SLACK))
        return cls(connections, attempts, max(1, attempts // 2), pending)


class Room(enum.Enum):
    """Whether there is a place for one more connection of a torrent."""

    FREE = "yes"
    CROWDED = "only if another one of that torrent ends"
    NONE = "no"


@attrs.frozen(eq=False)
class Waiting:
    """Someone who would like to make an attempt."""

    torrent: Hashable
    look: bool


class Shares:
    """Who has how many. Torrents are told apart by any hashable value."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._torrents: set[Hashable] = set()
        self._connections: Counter[Hashable] = Counter()
        self._attempts: Counter[Hashable] = Counter()
        self._looks = 0

    # -- torrents ----------------------------------------------------------------------------------------------------

    def enter(self, torrent: Hashable) -> None:
        """One more to share with."""
        self._torrents.add(torrent)

    def leave(self, torrent: Hashable) -> None:
        """One fewer. What it still has is given back one by one."""
        self._torrents.discard(torrent)

    @property
    def fair(self) -> int:
        """The connections that each torrent can have, whatever the others do."""
        return max(1, self._budget.connections // max(1, len(self._torrents)))

    # -- connections -------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """In all, now."""
        return self._connections.total()

    def room(self, torrent: Hashable) -> Room:
        """Whether this torrent may have one more connection."""
        if self.connections < self._budget.connections:
            return Room.FREE
        if self.connections >= self._budget.connections + SLACK:
            return Room.NONE
        return Room.FREE if self._connections[torrent] < self.fair else Room.CROWDED

    def connect(self, torrent: Hashable) -> None:
        """It has one more."""
        self._connections[torrent] += 1

    def disconnect(self, torrent: Hashable) -> None:
        """It has one fewer."""
        self._connections[torrent] -= 1
        if not self._connections[torrent]:
            del self._connections[torrent]

    def is_over(self, torrent: Hashable) -> bool:
        """Whether this torrent is the one to part with a connection: there are too many, and it has the most."""
        if self.connections <= self._budget.connections or self._connections[torrent] <= self.fair:
            return False
        return self._connections[torrent] == max(self._connections.values())

    # -- attempts ----------------------------------------------------------------------------------------------------

    def next(self, waiting: Iterable[Waiting]) -> Waiting | None:
        """Who of those in the queue may begin: the first one of the torrent that has the fewest attempts under way."""
        if self._attempts.total() >= self._budget.attempts:
            return None
        able = [one for one in waiting if not one.look or self._looks < self._budget.looks]
        return min(able, key=lambda one: self._attempts[one.torrent], default=None)

    def begin(self, one: Waiting) -> None:
        """An attempt is under way."""
        self._attempts[one.torrent] += 1
        self._looks += one.look

    def end(self, one: Waiting) -> None:
        """It is over."""
        self._attempts[one.torrent] -= 1
        self._looks -= one.look
        if not self._attempts[one.torrent]:
            del self._attempts[one.torrent]
