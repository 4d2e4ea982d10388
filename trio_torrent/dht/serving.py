"""What we answer to other nodes' queries (BEP 5, 32, 33, 44, 51).

An answer is never much longer than its query when the sender may be forged: else a small datagram in somebody's name
would bring a large one upon him. Who has shown that he receives what we send to him gets all that fits a datagram.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TypeAlias

from .bloom import FILTER_LENGTH
from .endpoint import Endpoint, Family, ip_of, with_port
from .items import Items, Verify, target_of
from .krpc import KrpcError
from .messages import (
    AnnouncePeer,
    FindNode,
    Get,
    GetPeers,
    Item,
    Ping,
    Put,
    Query,
    Reply,
    SampleInfohashes,
)
from .node_id import ID_LENGTH
from .peers import Peers
from .table import K
from .tokens import Tokens

MAX_ANSWER = 1024  # bytes (BEP 32, "maximum packet size")
MAX_ITEM_ANSWER = 1400  # bytes, where a value of BEP 44 is in it: 1000 of them and a signature; fits an Ethernet frame
AMPLIFICATION = 3  # times the query's length is what an unknown sender gets

# What an answer has besides its transaction, in bytes: d 2:ip 1:r d 2:id 5:token e 1:t 1:y e, and the lengths.
_FRAME = {Family.IPV4: 73, Family.IPV6: 86}
_NODES_KEY = 13  # bytes of `6:nodes6` and the value's length
_VALUES_KEY = 10  # bytes of `6:values` and of the list's own
_FILTERS = 2 * (FILTER_LENGTH + 10)
_ITEM_FRAME = 150  # bytes of a key, a signature and a sequence number, with their frames
_SAMPLES_KEY = 50  # bytes of `interval`, `num`, `samples` and their values' frames

Nodes = Callable[[Family, bytes, int, float], bytes]
"""Family, target, how many at most, now -> our nearest good nodes as they travel."""

Draft: TypeAlias = "partial[Reply]"
"""A reply that is to have more in it: made once, at the end, since thousands are made in a second."""


class Serving:
    """Keeps what others store with us, and answers them."""

    def __init__(
        self, family: Family, own_id: bytes, nodes: Nodes, verify: Verify, *, random: Random, now: float
    ) -> None:
        self.own_id = own_id
        self.peers: Peers = Peers(random)
        self.items: Items = Items(verify)
        self._family = family
        self._nodes = nodes
        self._tokens = Tokens(random, now)

    def answer(self, query: Query, sender: Endpoint, room: int, now: float) -> Reply:
        """The answer, in at most so many bytes. Raises KrpcError for what is declined."""
        room -= _FRAME[self._family] + len(query.transaction)
        reply = partial(Reply, transaction=query.transaction, id=self.own_id, ours=sender)
        match query.ask:
            case Ping():
                return reply()
            case FindNode(target, want):
                return self._with_nodes(reply, target, want, room, now)
            case GetPeers() as ask:
                return self._peers_of(reply, ask, sender, room, now)
            case AnnouncePeer() as ask:
                self._note_peer(ask, sender, now)
                return reply()
            case Get() as ask:
                return self._item_at(reply, ask, sender, room, now)
            case Put() as ask:
                self._store(ask, sender, now)
                return reply()
            case SampleInfohashes(target, want):
                return self._samples(reply, target, want, room, now)

    def is_too_much(self, query: Query, room: int) -> bool:
        """Whether the best of the answer would not fit: ask the sender to prove his address first."""
        room -= _FRAME[self._family] + len(query.transaction)
        match query.ask:
            case Get(target, seq):
                item = self._newer_item(target, seq)
                return item is not None and _size(item) > room
            case GetPeers(info_hash, scrape=True):
                return room < _FILTERS and self.peers.has(info_hash)
            case _:
                return False

    def expire(self, now: float) -> None:
        """Forget what is out of date."""
        self.peers.expire(now)
        self.items.expire(now)

    def _with_nodes(self, reply: Draft, target: bytes, want: frozenset[Family], room: int, now: float) -> Reply:
        """Add as many of the nearest nodes as there is room for; the datagram's own family first (BEP 32)."""
        packed: dict[Family, bytes] = {}
        for family in sorted(want, key=self._family.__ne__) or (self._family,):
            size = ID_LENGTH + family
            count = min(K, (room - _NODES_KEY) // size)
            if count > 0:
                packed[family] = self._nodes(family, target, count, now)
                room -= _NODES_KEY + len(packed[family])
        return reply(nodes=packed.get(Family.IPV4, b""), nodes6=packed.get(Family.IPV6, b""))

    def _peers_of(self, reply: Draft, ask: GetPeers, sender: Endpoint, room: int, now: float) -> Reply:
        """Peers get half of the room at least; nodes get what they leave."""
        reply = partial(reply, token=self._tokens.make(ip_of(sender), ask.info_hash, now))
        if ask.scrape and room >= _FILTERS and (filters := self.peers.filters(ask.info_hash)):
            reply, room = partial(reply, seeds=filters[0], peers=filters[1]), room - _FILTERS
        for_nodes = min(room // 2, _NODES_KEY + K * (ID_LENGTH + self._family))
        each = len(b"6:") + (self._family > 9) + self._family
        most = max(0, (room - for_nodes - _VALUES_KEY) // each)
        values = tuple(self.peers.some(ask.info_hash, most, noseed=ask.noseed))
        if values:
            reply, room = partial(reply, values=values), room - _VALUES_KEY - len(values) * each
        return self._with_nodes(reply, ask.info_hash, ask.want, room, now)

    def _note_peer(self, ask: AnnouncePeer, sender: Endpoint, now: float) -> None:
        self._check(ask.token, sender, ask.info_hash, now)
        endpoint = sender if ask.implied_port else with_port(sender, ask.port)
        self.peers.announced(ask.info_hash, endpoint, ask.seed, now)

    def _item_at(self, reply: Draft, ask: Get, sender: Endpoint, room: int, now: float) -> Reply:
        reply = partial(reply, token=self._tokens.make(ip_of(sender), ask.target, now))
        item = self._newer_item(ask.target, ask.seq)
        if item is not None and _size(item) <= room:
            reply, room = partial(reply, item=item), room - _size(item)
        return self._with_nodes(reply, ask.target, ask.want, room, now)

    def _newer_item(self, target: bytes, seq: int | None) -> Item | None:
        item = self.items.get(target)
        is_known = item is not None and item.key is not None and seq is not None and item.seq <= seq
        return None if is_known else item

    def _store(self, ask: Put, sender: Endpoint, now: float) -> None:
        self._check(ask.token, sender, target_of(ask.item), now)
        self.items.put(ask.item, ask.cas, now)

    def _samples(self, reply: Draft, target: bytes, want: frozenset[Family], room: int, now: float) -> Reply:
        sample = self.peers.sample(now)
        half = (room - _SAMPLES_KEY) // 2
        hashes = sample.info_hashes[: max(0, half // ID_LENGTH)]
        reply = partial(reply, samples=hashes, num=sample.num, interval=sample.interval)
        return self._with_nodes(reply, target, want, room - _SAMPLES_KEY - ID_LENGTH * len(hashes), now)

    def _check(self, token: bytes, sender: Endpoint, target: bytes, now: float) -> None:
        if not self._tokens.check(token, ip_of(sender), target, now):
            raise KrpcError("the token is not for you, or too old")


def _size(item: Item) -> int:
    """Bytes of its fields in an answer."""
    return len(item.raw) + _ITEM_FRAME
