"""The DHT on a socket: carries datagrams and wake-ups to the nodes of `trio_torrent.dht`, and findings to callers.

There is one node for each family that the sockets have. Searches run on all of them, and their findings come together.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random, SystemRandom
from typing import TypeVar

import trio

from trio_torrent.address import Address
from trio_torrent.bencode import Value
from trio_torrent.dht import items, signing
from trio_torrent.dht.bloom import estimate, union
from trio_torrent.dht.endpoint import Endpoint, Family, from_address, to_address
from trio_torrent.dht.krpc import CAS_MISMATCH, OUTDATED
from trio_torrent.dht.lookup import MAX_ASKED
from trio_torrent.dht.messages import Item
from trio_torrent.dht.node import Node
from trio_torrent.dht.options import ROUTERS, Options
from trio_torrent.dht.saved import load, save
from trio_torrent.dht.searches import ItemSearch, PeerSearch, SampleSearch, ScrapeSearch, Search, store
from trio_torrent.dht.status import DhtStatus, Scrape
from trio_torrent.errors import DhtError
from trio_torrent.swarm.rates import Meter

from .boundary import Boundary
from .lookup import SystemLookup
from .reach import Lookup
from .udp import Datagrams

MAX_SEARCHES = 16  # at once; more would wait for one another's datagrams
MAX_NAMES = 50  # hosts that torrents name, and that wait to be looked up
RESOLVE_SECONDS = 10.0
FIRST_RETRY, MAX_RETRY = 15.0, 900.0  # seconds until unknown routers are looked up again, doubled each time

_FAMILIES = {socket.AF_INET: Family.IPV4, socket.AF_INET6: Family.IPV6}
_SYSTEM = {family: system for system, family in _FAMILIES.items()}

SearchT = TypeVar("SearchT", bound=Search)


class Finding:
    """Peers of a torrent, as they are found: `async for addresses in finding`. It ends when the search does."""

    def __init__(self, searches: Sequence[PeerSearch], batches: trio.MemoryReceiveChannel[tuple[Address, ...]]) -> None:
        self._searches = searches
        self._batches = batches

    @property
    def answered(self) -> int:
        """How many nodes have answered so far."""
        return sum(search.answered for search in self._searches)

    @property
    def announced_to(self) -> int:
        """How many nodes have taken our announce."""
        return sum(search.written for search in self._searches)

    def __aiter__(self) -> AsyncIterator[tuple[Address, ...]]:
        return self._batches.__aiter__()


class Dht:
    """Finds and announces peers without trackers. `run` has to run; the rest is for any task of the same loop."""

    def __init__(
        self,
        datagrams: Datagrams,
        boundary: Boundary,
        *,
        options: Options | None = None,
        routers: Iterable[Address] = ROUTERS,
        saved: bytes = b"",
        lookup: Lookup | None = None,
        random: Random | None = None,
    ) -> None:
        """`saved` is what `saved()` gave when the program ran last; `routers` may be names, for `lookup` to find."""
        now = trio.current_time()
        random = random or SystemRandom()
        self._datagrams = datagrams
        self._boundary = boundary
        self._options = options or Options()
        self._routers = tuple(routers)
        self._look_up = lookup or SystemLookup()
        self._names, self._named = trio.open_memory_channel[Address](MAX_NAMES)
        self._known = load(saved)
        self._nodes = {
            family: Node(family, random=random, now=now, options=self._options, node_id=self._known_id(family))
            for family in Family
            if _SYSTEM[family] in datagrams.families
        }
        for family, node in self._nodes.items():
            node.sibling = self._nodes.get(family.other)
        self._somebody = trio.Event()
        self._room = trio.Semaphore(MAX_SEARCHES)
        self._heard: dict[Search, Callable[[], None]] = {}
        self._alarm = trio.Event()
        self._armed = now
        self._down, self._up = Meter(now), Meter(now)

    def _known_id(self, family: Family) -> bytes | None:
        known = self._known.get(family)
        return known.id if known is not None else None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part, for ever."""
        with self._datagrams.listen(b"d", self._receive):
            now = trio.current_time()
            for family, node in self._nodes.items():
                if (known := self._known.get(family)) is not None:
                    node.restore(known.contacts, now)
                    self._attend(node, now)
            await self._serve(task_status)

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_time)
            nursery.start_soon(self._find_routers)
            nursery.start_soon(self._find_named)
            task_status.started()

    # -- what it is asked ---------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """There is somebody to ask."""
        return self._somebody.is_set()

    @property
    def port(self) -> int:
        """Where other nodes reach us, UDP: what a peer is told in a `port` message."""
        return self._datagrams.port

    @property
    def external(self) -> tuple[str, ...]:
        """The IP addresses at which other nodes see us, as far as they agree (BEP 42)."""
        now = trio.current_time()
        seen = [node.status(now).external for node in self._nodes.values()]
        return tuple(host for host in seen if host is not None)

    @property
    def status(self) -> DhtStatus:
        """A snapshot."""
        now = trio.current_time()
        return DhtStatus(
            families={family: node.status(now) for family, node in self._nodes.items()},
            searches=MAX_SEARCHES - self._room.value,
            down_rate=self._down.rate(now),
            up_rate=self._up.rate(now),
        )

    def add_node(self, address: Address) -> None:
        """There may be a node: a peer has sent `port`, or a torrent's `nodes` names it (BEP 5)."""
        try:
            endpoint = from_address(address)
        except ValueError:
            self._resolve_later(address)
        else:
            self._add_endpoint(endpoint)

    def saved(self) -> bytes:
        """Whom we know, for the next time; at most 64 KiB."""
        return save(self._nodes.values())

    @asynccontextmanager
    async def lookup(
        self,
        info_hash: bytes,
        *,
        announce: int | None = None,
        implied_port: bool = False,
        seed: bool = False,
        noseed: bool = False,
    ) -> AsyncIterator[Finding]:
        """Look for peers of a torrent, by its 20-byte info-hash, while the block lasts.

        With `announce`, the TCP port where peers reach us, the nodes nearest to the torrent are told that we have it;
        `implied_port` has them take the port that our datagrams come from, as they see it. `seed` says that we have
        all of it, `noseed` that we do not look for seeds. Waits until there is anybody to ask.
        """
        searches = [
            PeerSearch(
                info_hash,
                announce=announce,
                implied_port=implied_port,
                seed=seed,
                noseed=noseed,
                allow_local=self._options.allow_local,
            )
            for _ in self._nodes
        ]
        # Every answer is one batch at most, so it cannot overflow.
        batches, found = trio.open_memory_channel[tuple[Address, ...]](len(searches) * (MAX_ASKED + 1))

        def hear() -> None:
            peers = [peer for search in searches for peer in search.take()]
            if peers:
                batches.send_nowait(tuple(map(to_address, peers)))
            if all(search.done for search in searches):
                batches.close()

        with batches, found:
            async with self._searching(searches, hear):
                yield Finding(searches, found)

    async def announce(self, info_hash: bytes, port: int, *, seed: bool = False) -> int:
        """Tell the nodes nearest to the torrent that we have it, on this TCP port; how many have taken it."""
        async with self.lookup(info_hash, announce=port, seed=seed) as finding:
            async for _ in finding:
                pass
        return finding.announced_to

    async def scrape(self, info_hash: bytes) -> Scrape:
        """About how many seeds and other peers a torrent has (BEP 33)."""
        filters = [search.filters() for search in await self._complete(lambda: ScrapeSearch(info_hash))]
        seeds, peers = filters[0]
        for other in filters[1:]:
            seeds, peers = union(seeds, other[0]), union(peers, other[1])
        return Scrape(estimate(seeds), estimate(peers))

    async def sample(self, target: bytes) -> frozenset[bytes]:
        """Info-hashes that nodes on the way to a target know peers of (BEP 51); nodes ask not to be asked often."""
        searches = await self._complete(lambda: SampleSearch(target))
        return frozenset[bytes]().union(*(search.info_hashes for search in searches))

    async def get(self, target: bytes) -> Value | None:
        """The immutable value whose SHA-1, 20 bytes, this is; None if nobody has it (BEP 44)."""
        item = await self._find_item(target, b"", is_enough=True)
        return items.value_of(item) if item is not None and item.key is None else None

    async def get_mutable(self, public_key: bytes, salt: bytes = b"") -> Item | None:
        """The newest item of this owner (a key of 32 bytes), verified; `items.value_of` has its value (BEP 44).

        Raises DhtError without the extra `dht-items`.
        """
        signing.require()
        return await self._find_item(items.target_for(public_key, salt), salt, is_enough=False)

    async def put(self, value: Value) -> bytes:
        """Store a value for about two hours; the target it is found under.

        ValueError if it is longer than 1000 bytes in bencode; DhtError if nobody has taken it.
        """
        item = items.immutable(value)
        await self._store(item, None)
        return items.target_of(item)

    async def put_mutable(self, seed: bytes, value: Value, *, salt: bytes = b"") -> Item:
        """Store or replace the value of a private key (a seed of 32 bytes); the item, signed, one number higher.

        If another writer was faster, nodes that have his keep it, and DhtError says so (BEP 44, "CAS"). Raises
        DhtError, too, if nobody has taken it or the extra `dht-items` is missing; ValueError for what is too long.
        """
        old = await self.get_mutable(signing.public_key(seed), salt)
        item = items.mutable(seed, value, old.seq + 1 if old is not None else 1, salt)
        await self._store(item, old.seq if old is not None else None)
        return item

    # -- searches -----------------------------------------------------------------------------------------------------

    async def _find_item(self, target: bytes, salt: bytes, *, is_enough: bool) -> Item | None:
        def make() -> ItemSearch:
            return ItemSearch(target, verify=signing.verify, salt=salt)

        def has_one(searches: Sequence[ItemSearch]) -> bool:
            return is_enough and any(search.item is not None for search in searches)

        found = [search.item for search in await self._complete(make, has_one) if search.item is not None]
        return max(found, key=lambda item: item.seq, default=None)

    async def _store(self, item: Item, cas: int | None) -> None:
        searches = await self._complete(lambda: store(item, signing.verify, cas))
        refused = [failure for search in searches for failure in search.refused]
        if any(failure.code in (CAS_MISMATCH, OUTDATED) for failure in refused):
            raise DhtError("another writer was faster: read the item again")
        if not any(search.written for search in searches):
            raise DhtError(f"the item was stored nowhere: {refused[0].text if refused else 'no node could be reached'}")

    async def _complete(
        self, make: Callable[[], SearchT], is_enough: Callable[[Sequence[SearchT]], bool] = lambda searches: False
    ) -> list[SearchT]:
        """Run a search on every node, to its end or until it is enough."""
        searches = [make() for _ in self._nodes]
        over = trio.Event()

        def hear() -> None:
            if is_enough(searches) or all(search.done for search in searches):
                over.set()

        async with self._searching(searches, hear):
            await over.wait()
        return searches

    @asynccontextmanager
    async def _searching(self, searches: Sequence[Search], hear: Callable[[], None]) -> AsyncIterator[None]:
        """Run one search on each node while the block lasts. `hear` is called when there is something new."""
        await self._somebody.wait()
        async with self._room:
            try:
                now = trio.current_time()
                for node, search in zip(self._nodes.values(), searches, strict=True):
                    self._heard[search] = hear
                    node.begin(search, now)
                    self._attend(node, now)
                yield
            finally:
                for node, search in zip(self._nodes.values(), searches, strict=True):
                    self._heard.pop(search, None)
                    node.abandon(search)

    # -- the world ----------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, host: str, port: int) -> None:
        system = socket.AF_INET6 if ":" in host else socket.AF_INET
        node = self._nodes[_FAMILIES[system]]
        now = trio.current_time()
        self._down.add(len(data), now)
        node.receive(data, socket.inet_pton(system, host) + port.to_bytes(2, "big"), now)
        self._attend(node, now)

    def _attend(self, node: Node, now: float) -> None:
        """Send what it says, tell what it has found, and mind when it wants to be woken."""
        for data, to in node.datagrams():
            if self._datagrams.send(
                data, socket.inet_ntop(_SYSTEM[node.family], to[:-2]), int.from_bytes(to[-2:], "big")
            ):
                self._up.add(len(data), now)
        for search in node.news():
            hear = self._heard.get(search)
            if hear is not None:
                hear()
        if node.deadline < self._armed:
            self._alarm.set()
        if not self._somebody.is_set() and (len(node.table) or node.routers):
            self._somebody.set()

    async def _keep_time(self) -> None:
        while True:
            self._alarm = trio.Event()
            self._armed = min(node.deadline for node in self._nodes.values())
            with trio.move_on_at(self._armed):
                await self._alarm.wait()
            now = trio.current_time()
            for node in self._nodes.values():
                with self._boundary.guard("the DHT"):
                    node.wake(now)
                    self._attend(node, now)

    def _add_endpoint(self, endpoint: Endpoint) -> None:
        now = trio.current_time()
        for node in self._nodes.values():
            node.add_endpoint(endpoint, now)
            self._attend(node, now)

    # -- names --------------------------------------------------------------------------------------------------------

    async def _find_routers(self) -> None:
        """Look the routers up, again and again while nothing comes of it."""
        retry = FIRST_RETRY
        while self._routers:
            found = await self._resolve_all()
            now = trio.current_time()
            for node in self._nodes.values():
                node.add_routers(found, now)
                self._attend(node, now)
            if found:
                return
            await trio.sleep(retry)
            retry = min(2 * retry, MAX_RETRY)

    async def _resolve_all(self) -> list[Endpoint]:
        """At once: one dead name server shall not delay the others' answers."""
        found: list[Endpoint] = []

        async def resolve(router: Address) -> None:
            found.extend(await self._resolve(router))

        async with trio.open_nursery() as nursery:
            for router in self._routers:
                nursery.start_soon(resolve, router)
        return found

    def _resolve_later(self, address: Address) -> None:
        try:
            self._names.send_nowait(address)
        except trio.WouldBlock:
            return  # a torrent with fifty names of nodes does not depend on one more

    async def _find_named(self) -> None:
        async for address in self._named:
            for endpoint in await self._resolve(address):
                self._add_endpoint(endpoint)

    async def _resolve(self, address: Address) -> list[Endpoint]:
        """The endpoints of a host, of both families; none if it has none."""
        with suppress(ValueError):
            return [from_address(address)]
        try:
            with trio.fail_after(RESOLVE_SECONDS):
                hosts = await self._look_up(address.host)
            return [from_address(Address(host, address.port)) for host in hosts]
        except (OSError, ValueError, trio.TooSlowError):  # UnicodeError is a ValueError
            return []
