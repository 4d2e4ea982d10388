"""The routing table: whom we know, densest around ourselves (BEP 5, "routing table").

It is a binary tree over the id space whose leaves are buckets of 8. BEP 5 splits a full bucket only if our own id is
in its range; here the first levels are split for all, so that one hop resolves 5 bits and lookups take fewer. Walking
the tree with the target's bits, the near branch first, visits the buckets by distance: that is the whole of `closest`.

Only nodes that have answered us are in a bucket. The others, heard of from strangers, wait beside it in a short queue
until there is a place and somebody has pinged them, as do those that answered when it was full.

What a liar could gain by many ids is kept small: one node for each address in the whole table, one for each /24 or
/64 in a bucket, and an id that does not suit its address makes room for one that does (BEP 42).
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from random import Random

import attrs

from .endpoint import Endpoint, ip_of, is_usable, subnet_of
from .messages import Contact
from .node_id import ID_BITS, random_id, suits

K = 8  # nodes in a bucket, and in an answer (BEP 5)
SPREAD_BITS = (
    5  # levels that are split for all: 32 buckets, the 256 nodes of libtorrent's extended table, in even spread
)
MAX_SPARES = 8  # of one bucket; of one that is going to be several, for each of those
FRESH = 900.0  # seconds that a node is good, and a bucket is fresh, without a sign of life (BEP 5)
ASK_AGAIN = 800.0  # seconds after which a node is asked for a sign of life, to be good without a break
RETRY = 60.0  # seconds, times its failures, until a silent one is asked again
MAX_FAILS = 5  # queries in a row without an answer until a node goes though nobody waits for its place


@attrs.define(eq=False)
class Entry:
    """A node that we know, and how it has behaved."""

    contact: Contact
    number: int  # its id
    packed: bytes  # its contact as it travels
    subnet: bytes
    secure: bool  # its id suits its address (BEP 42)
    confirmed: bool = False  # it has answered us
    heard: float = 0.0  # when it last answered, or, once it has, asked
    due: float = 0.0  # when to ask it again
    fails: int = 0  # queries in a row that it has not answered

    @classmethod
    def of(cls, contact: Contact) -> Entry:
        """A node that we have only heard of."""
        endpoint = contact.endpoint
        return cls(
            contact,
            int.from_bytes(contact.id, "big"),
            contact.packed,
            subnet_of(endpoint),
            suits(contact.id, ip_of(endpoint)),
        )

    def lives(self, now: float) -> None:
        """It has given a sign of life."""
        self.heard, self.due, self.fails = now, now + ASK_AGAIN, 0

    def is_good(self, now: float) -> bool:
        """Fit to be named to others (BEP 5)."""
        return self.confirmed and not self.fails and now - self.heard < FRESH


@attrs.define(eq=False)
class _Bucket:
    """A leaf, or, once it has halves, a branch that keeps nothing else."""

    depth: int  # bits that all ids here share
    start: int  # the lowest id
    entries: dict[int, Entry] = attrs.field(factory=dict)
    spares: dict[int, Entry] = attrs.field(factory=dict)  # the latest heard of last
    changed: float = 0.0
    halves: tuple[_Bucket, _Bucket] | None = None

    @property
    def has_room(self) -> bool:
        """A place is free, or held by one who does not answer."""
        return len(self.entries) < K or any(entry.fails for entry in self.entries.values())

    @property
    def most_spares(self) -> int:
        """A table that is still one bucket would otherwise forget nearly all of a crowd that comes at once."""
        return MAX_SPARES << max(SPREAD_BITS - self.depth, 0)


class Table:
    """Nodes of one family around our own id."""

    def __init__(self, own_id: bytes, now: float, *, allow_local: bool = False) -> None:
        self.own_id = own_id
        self._own = int.from_bytes(own_id, "big")
        self._allow_local = allow_local
        self._root = _Bucket(0, 0, changed=now)
        self._leaves = [self._root]  # the highest ids first
        self._entries: dict[bytes, Entry] = {}  # those in buckets, by place

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Iterable[Entry]:
        """All nodes in buckets."""
        return self._entries.values()

    @property
    def spares(self) -> int:
        """How many wait beside the buckets."""
        return sum(len(bucket.spares) for bucket in self._leaves)

    @property
    def buckets(self) -> int:
        """How many there are."""
        return len(self._leaves)

    def good(self, now: float) -> int:
        """How many nodes are good."""
        return sum(entry.is_good(now) for entry in self._entries.values())

    def place(self, endpoint: Endpoint) -> bytes:
        """What only one node may have: an address, or where local ones are allowed, an address and a port."""
        return endpoint if self._allow_local else ip_of(endpoint)

    def moved(self, own_id: bytes, now: float) -> Table:
        """The same nodes around another id."""
        table = Table(own_id, now, allow_local=self._allow_local)
        for entry in self._entries.values():
            if table._find(entry.number) is not None:
                table._insert(entry, now)
        return table

    # -- asking the table ---------------------------------------------------------------------------------------------

    def closest(self, target: bytes, count: int = K) -> list[Entry]:
        """The nodes nearest to an id, nearest first, whether good or not."""
        return self._nearest(target, count, None)

    def closest_good(self, target: bytes, now: float, count: int = K) -> list[Entry]:
        """The nearest that are fit to be named to others."""
        return self._nearest(target, count, now)

    def _nearest(self, target: bytes, count: int, good_at: float | None) -> list[Entry]:
        goal = int.from_bytes(target, "big")
        found: list[Entry] = []
        ahead = [self._root]
        while ahead and len(found) < count:
            bucket = ahead.pop()
            if bucket.halves is not None:
                near = goal >> (ID_BITS - 1 - bucket.depth) & 1
                ahead += (bucket.halves[1 - near], bucket.halves[near])
                continue
            entries: Iterable[Entry] = bucket.entries.values()
            if good_at is not None:
                entries = [entry for entry in entries if entry.is_good(good_at)]
            found += sorted(entries, key=lambda entry: entry.number ^ goal)
        return found[:count]

    def placed(self, endpoint: Endpoint) -> Entry | None:
        """Who has this endpoint's place in a bucket."""
        return self._entries.get(self.place(endpoint))

    def take_awaited(self) -> Contact | None:
        """One that we have only heard of and have a place for: ping it. If it answers, it will be back."""
        for bucket in self._leaves:
            if bucket.spares and self._wants(bucket):
                for entry in reversed(bucket.spares.values()):
                    if not entry.confirmed:
                        return bucket.spares.pop(entry.number).contact
        return None

    def next_due(self) -> Entry | None:
        """Who is to be asked next for a sign of life; `due` tells when."""
        return min(self._entries.values(), key=attrgetter("due"), default=None)

    def stale_target(self, now: float, random: Random) -> bytes | None:
        """An id in the range of a bucket in which nothing has happened for long, to look for (BEP 5)."""
        for bucket in self._leaves:
            if now - bucket.changed >= FRESH:
                bucket.changed = now
                return random_id(random, prefix=bucket.start, bits=bucket.depth)
        return None

    def targets(self, random: Random) -> list[bytes]:
        """An id in the range of every bucket that has a place for somebody new."""
        return [
            random_id(random, prefix=bucket.start, bits=bucket.depth) for bucket in self._leaves if self._wants(bucket)
        ]

    # -- telling the table --------------------------------------------------------------------------------------------

    def heard_of(self, contact: Contact) -> bool:
        """Somebody says that there is such a node. Whether it is new and of use."""
        if self.place(contact.endpoint) in self._entries:
            return False
        number = int.from_bytes(contact.id, "big")
        bucket = self._find(number)
        if bucket is None or number in bucket.entries or number in bucket.spares or not self._wants(bucket):
            return False
        if not is_usable(contact.endpoint, allow_local=self._allow_local):
            return False
        return self._spare(bucket, Entry.of(contact))

    def queried(self, contact: Contact, now: float) -> bool:
        """It has sent us a query. Whether it is new and of use."""
        entry = self._entries.get(self.place(contact.endpoint))
        if entry is not None and entry.contact == contact:
            if entry.confirmed and not entry.fails:
                entry.lives(now)
            return False
        return self.heard_of(contact)

    def replied(self, contact: Contact, now: float) -> None:
        """It has answered a query of ours, so it is what it says."""
        if not is_usable(contact.endpoint, allow_local=self._allow_local):
            return
        entry = self._entries.get(self.place(contact.endpoint))
        if entry is not None and entry.contact != contact:  # restarted, or another behind the same address
            if entry.contact.endpoint != contact.endpoint and not entry.fails:
                return
            self._remove(entry)
            entry = None
        bucket = self._find(int.from_bytes(contact.id, "big"))
        if bucket is None:
            return
        bucket.changed = now
        if entry is None:
            entry = bucket.spares.pop(int.from_bytes(contact.id, "big"), None)
            if entry is None or entry.contact != contact:
                entry = Entry.of(contact)
        entry.confirmed = True
        entry.lives(now)
        self._insert(entry, now)  # which does nothing for who is there already

    def restored(self, contact: Contact, now: float) -> None:
        """It was in the table when that was saved. It is asked before it is named to anybody."""
        if self._find(int.from_bytes(contact.id, "big")) is None:
            return
        if is_usable(contact.endpoint, allow_local=self._allow_local):
            self._insert(Entry.of(contact), now)

    def failed(self, contact: Contact, now: float, *, may_go: bool = True) -> None:
        """It has not answered a query of ours. Unless it may go, it keeps its place in the end."""
        number = int.from_bytes(contact.id, "big")
        bucket = self._find(number)
        if bucket is None:
            return
        spare = bucket.spares.get(number)
        if spare is not None and spare.contact == contact:
            del bucket.spares[number]
        entry = self._entries.get(self.place(contact.endpoint))
        if entry is None or entry.contact != contact:
            return
        entry.fails += 1
        entry.due = now + min(RETRY * entry.fails, FRESH)
        successor = next((spare for spare in reversed(bucket.spares.values()) if spare.confirmed), None)
        if successor is not None:
            del bucket.spares[successor.number]
            self._insert(successor, now)
        elif entry.fails >= MAX_FAILS and may_go:
            self._remove(entry)

    # -- the tree -----------------------------------------------------------------------------------------------------

    def _find(self, number: int) -> _Bucket | None:
        """The bucket whose range the id is in; none for our own id."""
        if number == self._own:
            return None
        bucket = self._root
        while bucket.halves is not None:
            bucket = bucket.halves[number >> (ID_BITS - 1 - bucket.depth) & 1]
        return bucket

    def _insert(self, entry: Entry, now: float) -> None:
        """Put it in its bucket if there is a place, or one can be made; else beside it."""
        bucket = self._find(entry.number)
        assert bucket is not None  # it is not our own id
        if self.place(entry.contact.endpoint) in self._entries:
            return
        clash = bucket.entries.get(entry.number)
        if clash is not None and not clash.fails:
            return
        if clash is not None:
            self._remove(clash)
        if not self._allow_local and any(other.subnet == entry.subnet for other in bucket.entries.values()):
            return
        while len(bucket.entries) >= K and self._splits(bucket):
            self._split(bucket)
            bucket = self._find(entry.number)
            assert bucket is not None
        if len(bucket.entries) >= K and not self._make_room(bucket, entry):
            self._spare(bucket, entry)
            return
        bucket.entries[entry.number] = entry
        bucket.changed = now
        self._entries[self.place(entry.contact.endpoint)] = entry

    def _make_room(self, bucket: _Bucket, entry: Entry) -> bool:
        """Let the worst go, if the newcomer is better."""
        worst = max(bucket.entries.values(), key=lambda other: (other.fails, not other.secure))
        if not worst.fails and (worst.secure or not entry.secure):
            return False
        self._remove(worst)
        return True

    def _spare(self, bucket: _Bucket, entry: Entry) -> bool:
        """Let it wait beside the bucket. Those that have answered go before those that have not."""
        bucket.spares.pop(entry.number, None)
        if len(bucket.spares) >= bucket.most_spares:
            unconfirmed = (number for number, spare in bucket.spares.items() if not spare.confirmed)
            oldest = next(iter(bucket.spares)) if entry.confirmed else None
            leaving = next(unconfirmed, oldest)
            if leaving is None:
                return False
            del bucket.spares[leaving]
        bucket.spares[entry.number] = entry
        return True

    def _remove(self, entry: Entry) -> None:
        bucket = self._find(entry.number)
        assert bucket is not None  # it is not our own id
        del bucket.entries[entry.number]
        del self._entries[self.place(entry.contact.endpoint)]

    def _wants(self, bucket: _Bucket) -> bool:
        """Whether somebody new would get a place in it."""
        return bucket.has_room or self._splits(bucket)

    def _splits(self, bucket: _Bucket) -> bool:
        shift = ID_BITS - bucket.depth
        return bucket.depth < SPREAD_BITS or bucket.start >> shift == self._own >> shift

    def _split(self, bucket: _Bucket) -> None:
        depth = bucket.depth + 1
        middle = bucket.start | 1 << (ID_BITS - depth)
        halves = (
            _Bucket(depth, bucket.start, changed=bucket.changed),
            _Bucket(depth, middle, changed=bucket.changed),
        )
        for number, entry in bucket.entries.items():
            halves[number >= middle].entries[number] = entry
        for number, entry in bucket.spares.items():
            self._spare(halves[number >= middle], entry)
        bucket.halves, bucket.entries, bucket.spares = halves, {}, {}
        at = self._leaves.index(bucket)
        self._leaves[at : at + 1] = halves[::-1]
