"""A DHT of nodes in virtual time: datagrams that take their time or get lost, nodes that leave, nodes that lie.

The nodes are the real ones, and so is every byte between them. Only the wires and the clock are made up.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Protocol

from trio_torrent.dht.endpoint import Endpoint, Family, ip_of, is_usable
from trio_torrent.dht.krpc import KrpcError, decode, encode_reply
from trio_torrent.dht.messages import FindNode, GetPeers, Query, Reply
from trio_torrent.dht.node import Node
from trio_torrent.dht.node_id import id_for, random_id
from trio_torrent.dht.options import Options
from trio_torrent.dht.searches import PeerSearch, Search

HALF_AN_ID = 80  # bits that an invented id shares with what was looked for


class Inhabitant(Protocol):
    """Somebody at an address."""

    def receive(self, data: bytes, sender: Endpoint, now: float) -> None: ...

    def datagrams(self) -> list[tuple[bytes, Endpoint]]: ...

    def wake(self, now: float) -> None: ...

    @property
    def deadline(self) -> float: ...


class Liar:
    """Knows everything: nodes next to whatever is looked for, peers for every torrent. None of them exists."""

    deadline = float("inf")

    def __init__(self, endpoint: Endpoint, random: Random) -> None:
        self.id = id_for(ip_of(endpoint), random)
        self._random = random
        self._out: list[tuple[bytes, Endpoint]] = []

    def receive(self, data: bytes, sender: Endpoint, now: float) -> None:
        try:
            query = decode(data)
        except KrpcError:
            return
        if not isinstance(query, Query):
            return
        near = getattr(query.ask, "target", getattr(query.ask, "info_hash", self.id))
        prefix = int.from_bytes(near, "big")
        nodes = [random_id(self._random, prefix=prefix, bits=HALF_AN_ID) + self.invented() for _ in range(8)]
        values = [self.invented() for _ in range(8)] if isinstance(query.ask, GetPeers) else []
        says = b"".join(nodes) if isinstance(query.ask, FindNode | GetPeers) else b""
        reply = Reply(
            transaction=query.transaction,
            id=self.id,
            ours=self.invented(),
            nodes=says,
            values=tuple(values),
            token=b"x",
        )
        self._out.append((encode_reply(reply), sender))

    def invented(self) -> Endpoint:
        return self._random.randbytes(6)

    def datagrams(self) -> list[tuple[bytes, Endpoint]]:
        out, self._out = self._out, []
        return out

    def wake(self, now: float) -> None: ...


class Network:
    """Its time is `now`, in seconds; `run` lets it pass."""

    def __init__(self, seed: int, *, loss: float = 0.0, delay: tuple[float, float] = (0.02, 0.2)) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.sent = self.bytes = 0
        self.inhabitants: dict[Endpoint, Inhabitant] = {}
        self.where: dict[Inhabitant, Endpoint] = {}
        self.tap: Callable[[Endpoint, Endpoint, bytes], None] = lambda sender, to, data: None
        self._loss = loss
        self._delay = delay
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._woken: dict[Inhabitant, float] = {}

    # -- people -------------------------------------------------------------------------------------------------------

    def new_endpoint(self, family: Family = Family.IPV4) -> Endpoint:
        while True:
            prefix = b"" if family is Family.IPV4 else b"\x20\x03"
            endpoint = prefix + self.random.randbytes(family - len(prefix))
            if is_usable(endpoint, allow_local=False) and endpoint not in self.inhabitants:
                return endpoint

    def add_node(
        self,
        routers: list[Endpoint] | None = None,
        *,
        endpoint: Endpoint | None = None,
        options: Options | None = None,
        node_id: bytes | None = None,
        now: float | None = None,
    ) -> Node:
        """A node of ours that joins at once, with an id that its address entitles to."""
        endpoint = endpoint or self.new_endpoint()
        node = Node(
            Family(len(endpoint)),
            random=self.random,
            now=self.now,
            options=options,
            node_id=node_id or id_for(ip_of(endpoint), self.random),
            verify=lambda key, signature, data: signature.startswith(key),
        )
        self.settle(node, endpoint)
        node.add_routers(routers or [], self.now)
        self.attend(node)
        return node

    def add_liar(self) -> Liar:
        endpoint = self.new_endpoint()
        liar = Liar(endpoint, self.random)
        self.settle(liar, endpoint)
        return liar

    def settle(self, inhabitant: Inhabitant, endpoint: Endpoint) -> None:
        self.inhabitants[endpoint] = inhabitant
        self.where[inhabitant] = endpoint

    def remove(self, inhabitant: Inhabitant) -> None:
        """Gone without a word."""
        del self.inhabitants[self.where.pop(inhabitant)]
        self._woken.pop(inhabitant, None)

    @property
    def nodes(self) -> list[Node]:
        return [one for one in self.inhabitants.values() if isinstance(one, Node)]

    # -- time ---------------------------------------------------------------------------------------------------------

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; whether `until` came true."""
        end = self.now + seconds
        while not until():
            if not self._agenda or self._agenda[0][0] > end:
                self.now = end
                return until()
            self.now, _, what = heappop(self._agenda)
            what()
        return True

    def at(self, when: float, what: Callable[[], None]) -> None:
        heappush(self._agenda, (when, next(self._order), what))

    def attend(self, inhabitant: Inhabitant) -> None:
        """Take what it sends, and note when it wants to be woken."""
        sender = self.where[inhabitant]
        for data, to in inhabitant.datagrams():
            self._send(data, sender, to)
        deadline = inhabitant.deadline
        if deadline < self._woken.get(inhabitant, float("inf")):
            self._woken[inhabitant] = deadline
            self.at(max(deadline, self.now), lambda: self._wake(inhabitant, deadline))

    def _wake(self, inhabitant: Inhabitant, planned: float) -> None:
        if self._woken.get(inhabitant) == planned:
            del self._woken[inhabitant]
            inhabitant.wake(self.now)
            self.attend(inhabitant)

    def _send(self, data: bytes, sender: Endpoint, to: Endpoint) -> None:
        self.sent += 1
        self.bytes += len(data)
        self.tap(sender, to, data)
        if self.random.random() >= self._loss:
            self.at(self.now + self.random.uniform(*self._delay), lambda: self._deliver(data, sender, to))

    def _deliver(self, data: bytes, sender: Endpoint, to: Endpoint) -> None:
        inhabitant = self.inhabitants.get(to)
        if inhabitant is not None:
            inhabitant.receive(data, sender, self.now)
            self.attend(inhabitant)

    # -- searches -----------------------------------------------------------------------------------------------------

    def begin(self, node: Node, search: Search) -> Search:
        node.begin(search, self.now)
        self.attend(node)
        return search

    def finish(self, node: Node, search: Search, seconds: float = 60) -> float:
        """Run a search to its end; how long it took."""
        start = self.now
        self.begin(node, search)
        assert self.run(seconds, lambda: search.done)
        return self.now - start

    def find(self, node: Node, info_hash: bytes, wanted: Endpoint, seconds: float = 60) -> float | None:
        """Seconds until the peer is found; None if it is not."""
        start = self.now
        search = PeerSearch(info_hash)
        self.begin(node, search)
        found: set[Endpoint] = set()

        def has_found() -> bool:
            found.update(search.take())
            return wanted in found or search.done

        self.run(seconds, has_found)
        node.abandon(search)
        return self.now - start if wanted in found else None
