"""What strangers send to a node, good and damaged, from anywhere; and whether the node keeps its promises."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.dht.network import Network
from trio_torrent.bencode import Value, encode
from trio_torrent.bencode import decode as bdecode
from trio_torrent.dht import items
from trio_torrent.dht.endpoint import Endpoint, Family
from trio_torrent.dht.krpc import decode, encode_failure, encode_query, encode_reply
from trio_torrent.dht.limits import MAX_WATCHED
from trio_torrent.dht.messages import (
    AnnouncePeer,
    Ask,
    Contact,
    Failure,
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
from trio_torrent.dht.node import MAX_PROVEN, Node
from trio_torrent.dht.options import Options
from trio_torrent.dht.searches import PeerSearch
from trio_torrent.dht.serving import AMPLIFICATION

ID, TORRENT = b"abcdefghij0123456789", b"h" * 20
TRANSACTION = b"aa"
EVERY = 500  # datagrams between two looks at everything, and two searches of the node's own

ASKS: list[Ask] = [
    Ping(),
    FindNode(TORRENT, frozenset(Family)),
    GetPeers(TORRENT),
    GetPeers(TORRENT, noseed=True, scrape=True),
    AnnouncePeer(TORRENT, 7000, b"tokn", seed=True),
    AnnouncePeer(TORRENT, 0, b"tokn", implied_port=True),
    Get(TORRENT, 5),
    Get(items.target_of(items.immutable(bytes(500)))),
    Put(items.immutable([1, {b"a": b"b"}]), b"tokn"),
    Put(Item(b"1:v", b"k" * 32, 7, b"s" * 64, b"salt"), b"tokn", cas=6),
    SampleInfohashes(TORRENT),
]
REPLY = Reply(
    transaction=TRANSACTION,
    id=ID,
    ours=b"\x08\x08\x08\x08\1\1",
    nodes=b"".join(bytes([n]) * 20 + bytes([8, 9, n, 1, 1, 1]) for n in range(8)),
    nodes6=(b"n" * 20 + b"\x26" * 18) * 3,
    values=(b"\x08\x08\x04\x04\1\1", b"\x26" * 18),
    token=b"tokn",
    seeds=bytes(256),
    peers=bytes(256),
    item=Item(b"1:v", b"k" * 32, 7, b"s" * 64),
    samples=(TORRENT, ID),
    interval=60,
    num=2,
)
DATAGRAMS = [
    *(encode_query(Query(TRANSACTION, ID, ask, read_only=number % 2 == 0)) for number, ask in enumerate(ASKS)),
    encode_reply(REPLY),
    encode_reply(Reply(transaction=TRANSACTION, id=ID)),
    encode_failure(Failure(TRANSACTION, 203, "no")),
]


ODDITIES: list[Value] = [0, 1, -1, 1 << 64, b"", b"x", bytes(19), bytes(21), bytes(300), [], {}, [[b"n4"]], {b"v": 1}]


def bend(random: Random, value: Value) -> Value:
    """The same, but for one thing somewhere in it that is odd, gone, or twice as much."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(sorted(value))
        if random.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        return value | {key: bend(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.5:
        return [*value, *value, bend(random, value[0])]
    return random.choice(ODDITIES)


class Declined(Exception):
    """The node made nothing of a datagram."""


class Stranger:
    """Sends to one node whatever it is given, each time from somewhere else, sometimes as an answer to its queries.

    AssertionError if somebody is sent more than thrice what came in his name while he has proven nothing.
    """

    def __init__(self) -> None:
        self._network = Network(1)
        self._random = Random(1)
        self._node = Node(
            Family.IPV4,
            random=self._random,
            now=0,
            options=Options(answer_rate=1e6),
            verify=lambda key, signature, data: True,
        )
        self._node.serving.items.put(items.immutable(bytes(500)), None, 0)
        self._now = 0.0
        self._count = 0
        self._asked: list[tuple[bytes, Endpoint]] = []  # what the node waits for, the latest
        self._came: Counter[Endpoint] = Counter()
        self._went: Counter[Endpoint] = Counter()

    def send(self, data: bytes) -> None:
        """Raises Declined if nothing came of it."""
        sender = self._network.new_endpoint()
        if self._random.random() < 0.5:  # damaged bytes are hardly ever bencode: damage what they mean, too
            whole = bdecode(self._random.choice(DATAGRAMS), max_depth=16)
            data = encode(bend(self._random, whole) if self._random.random() < 0.8 else whole)
        if self._asked and self._random.random() < 0.3:
            transaction, sender = self._asked.pop()
            data = data.replace(b"1:t2:" + TRANSACTION, b"1:t2:" + transaction)
            if sender in self._came:
                self._came[sender] += len(data)
        else:
            self._came[sender] = len(data)  # of whom the node had not heard before
        before = self._node.counters.dropped
        self._now += 0.01
        self._node.receive(data, sender, self._now)
        while self._node.deadline <= self._now:
            self._node.wake(self._now)
        self._take()
        self._count += 1
        if self._count % EVERY == 0:
            self._look()
        if self._node.counters.dropped > before:
            raise Declined

    def _take(self) -> None:
        for data, to in self._node.datagrams():
            message = decode(data)
            if isinstance(message, Query):
                self._asked.append((message.transaction, to))
            if self._came[to]:
                self._went[to] += len(data)
                proven = self._node._proven.has(to[:-2], self._now)
                assert proven or self._went[to] <= AMPLIFICATION * self._came[to]

    def _look(self) -> None:
        """Nothing has grown beyond its limit."""
        node = self._node
        assert len(node.table) <= node.table.buckets * 8
        assert node.table.buckets < 200
        assert len(node._proven) <= MAX_PROVEN
        assert len(node._door._counts) <= MAX_WATCHED
        assert len(node._timers) < 5000
        node.begin(PeerSearch(self._random.randbytes(20), announce=7000), self._now)
        node.add_endpoint(self._network.new_endpoint(), self._now)
        node.restore([Contact(self._random.randbytes(20), self._network.new_endpoint())], self._now)
        node.news()
        self._asked = self._asked[-100:]
        self._came.clear()
        self._went.clear()
