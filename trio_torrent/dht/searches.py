"""What a lookup is for: what is asked on the way, what is kept of the answers, what is written at the end."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .bloom import FILTER_LENGTH, bloom, holds, union
from .endpoint import Endpoint, ip_of, is_usable
from .items import Verify, is_genuine, target_of
from .lookup import Nearest
from .messages import AnnouncePeer, Ask, Contact, Failure, FindNode, Get, GetPeers, Item, Put, Reply, SampleInfohashes

MAX_PEERS = 3000  # taken from one search: as many addresses as a torrent knows (libtorrent's max_peerlist_size)
MAX_SAMPLED = 10_000  # info-hashes taken from one walk: 100 nodes give 20 each

Writes = list[tuple[Contact, Ask]]


@attrs.define(eq=False)
class Search:
    """A lookup of the nodes nearest to `target`; by itself it keeps nothing."""

    target: bytes
    asked: int = 0  # nodes
    answered: int = 0
    written: int = 0  # nodes that have taken what was written
    refused: list[Failure] = attrs.field(factory=list)  # why others have not
    done: bool = False

    @property
    def ask(self) -> Ask:
        """What every node on the way is asked."""
        return FindNode(self.target)

    def heard(self, contact: Contact, reply: Reply) -> None:
        """An answer came."""

    def writes(self, nearest: Sequence[Nearest]) -> Writes:
        """What to ask of the nearest nodes at the end."""
        return []


@attrs.define(eq=False)
class PeerSearch(Search):
    """Who has a torrent (BEP 5); and with a port, that we have it, too."""

    announce: int | None = None  # the TCP port where peers reach us
    implied_port: bool = False  # or the one that our datagrams come from, as the other sees it
    seed: bool = False  # we have all of it (BEP 33)
    noseed: bool = False  # seeds are of no use to us
    allow_local: bool = False
    _new: list[Endpoint] = attrs.field(factory=list, init=False)
    _seen: set[Endpoint] = attrs.field(factory=set, init=False)

    @property
    def ask(self) -> Ask:
        return GetPeers(self.target, noseed=self.noseed)

    def heard(self, contact: Contact, reply: Reply) -> None:
        for peer in reply.values:
            if len(self._seen) >= MAX_PEERS:
                return
            if peer not in self._seen and is_usable(peer, allow_local=self.allow_local):
                self._seen.add(peer)
                self._new.append(peer)

    def take(self) -> list[Endpoint]:
        """The peers that are new since the last time."""
        new, self._new = self._new, []
        return new

    def writes(self, nearest: Sequence[Nearest]) -> Writes:
        port = self.announce
        if port is None:
            return []
        return [
            (node.contact, AnnouncePeer(self.target, port, node.token, self.implied_port, self.seed))
            for node in nearest
            if node.token is not None
        ]


@attrs.define(eq=False)
class ScrapeSearch(Search):
    """How many seeds and other peers a torrent has, about (BEP 33)."""

    seeds: bytes = attrs.field(default=bytes(FILTER_LENGTH), init=False)
    peers: bytes = attrs.field(default=bytes(FILTER_LENGTH), init=False)
    _plain: set[bytes] = attrs.field(factory=set, init=False)  # addresses from nodes that do not know scrapes

    @property
    def ask(self) -> Ask:
        return GetPeers(self.target, scrape=True)

    def heard(self, contact: Contact, reply: Reply) -> None:
        if reply.seeds is not None and reply.peers is not None:
            self.seeds = union(self.seeds, reply.seeds)
            self.peers = union(self.peers, reply.peers)
        elif len(self._plain) < MAX_PEERS:
            self._plain.update(ip_of(peer) for peer in reply.values)

    def filters(self) -> tuple[bytes, bytes]:
        """Seeds, and others. Who may be a seed by one node's word is no peer by another's (BEP 33, "legacy")."""
        plain = [ip for ip in self._plain if not holds(self.seeds, ip)]
        return self.seeds, union(self.peers, bloom(plain))


@attrs.define(eq=False, kw_only=True)
class ItemSearch(Search):
    """The item at a target: the newest that is genuine (BEP 44)."""

    verify: Verify
    salt: bytes = b""
    item: Item | None = attrs.field(default=None, init=False)
    _holders: dict[Endpoint, int] = attrs.field(factory=dict, init=False)  # which number they say they have

    @property
    def ask(self) -> Ask:
        return Get(self.target)

    def heard(self, contact: Contact, reply: Reply) -> None:
        if reply.item is None:
            return
        item = attrs.evolve(reply.item, salt=self.salt)
        self._holders[contact.endpoint] = item.seq
        is_newer = self.item is None or item.seq > self.item.seq
        if is_newer and is_genuine(item, self.target, self.verify):
            self.item = item


@attrs.define(eq=False, kw_only=True)
class StoreSearch(ItemSearch):
    """Store an item at the nodes nearest to its target (BEP 44)."""

    stored: Item
    cas: int | None = None

    def writes(self, nearest: Sequence[Nearest]) -> Writes:
        return [
            (node.contact, Put(self.stored, node.token, self._cas_for(node.contact)))
            for node in nearest
            if node.token is not None
        ]

    def _cas_for(self, contact: Contact) -> int | None:
        """Who has nothing, or something older still, has nothing to compare with."""
        has = self._holders.get(contact.endpoint)
        return self.cas if self.cas is not None and has is not None and has >= self.cas else None


def store(item: Item, verify: Verify, cas: int | None = None) -> StoreSearch:
    """A search that stores this item."""
    return StoreSearch(target_of(item), verify=verify, salt=item.salt, stored=item, cas=cas)


@attrs.define(eq=False)
class SampleSearch(Search):
    """Which torrents the nodes on the way to a target know (BEP 51)."""

    _seen: set[bytes] = attrs.field(factory=set, init=False)

    @property
    def ask(self) -> Ask:
        return SampleInfohashes(self.target)

    def heard(self, contact: Contact, reply: Reply) -> None:
        if reply.samples is not None and len(self._seen) < MAX_SAMPLED:
            self._seen.update(reply.samples)

    @property
    def info_hashes(self) -> frozenset[bytes]:
        """All that were named."""
        return frozenset(self._seen)
