"""The DHT's task: real nodes on real loopback, each at an address of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from trio_torrent.address import Address
from trio_torrent.dht import items, signing
from trio_torrent.dht.endpoint import Family
from trio_torrent.dht.options import Options
from trio_torrent.errors import DhtError
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dht import MAX_NAMES, Dht
from trio_torrent.net.reach import Lookup
from trio_torrent.net.udp import open_datagrams

TORRENT = b"h" * 20
SEED = bytes(32)


@attrs.define
class Place:
    """A node, and where it is."""

    dht: Dht
    address: Address
    boundary: Boundary


@asynccontextmanager
async def open_node(
    host: str = "127.0.0.1",
    *,
    routers: tuple[Address, ...] = (),
    saved: bytes = b"",
    lookup: Lookup | None = None,
) -> AsyncIterator[Place]:
    boundary = Boundary()
    options = Options(allow_local=True)
    async with trio.open_nursery() as nursery:
        with open_datagrams(0, interface=host) as datagrams:
            nursery.start_soon(datagrams.run, boundary)
            dht = Dht(datagrams, boundary, options=options, routers=routers, saved=saved, lookup=lookup)
            await nursery.start(dht.run)
            with trio.fail_after(10):
                yield Place(dht, Address(host, datagrams.port), boundary)
            nursery.cancel_scope.cancel()
    assert boundary.unexpected == 0


@asynccontextmanager
async def open_village(count: int = 6) -> AsyncIterator[list[Place]]:
    """Nodes that know one another, by way of the first."""
    async with AsyncExitStack() as stack:
        places = [await stack.enter_async_context(open_node())]
        for number in range(1, count):
            routers = (places[0].address,)
            places.append(await stack.enter_async_context(open_node(f"127.0.0.{number + 1}", routers=routers)))
        for place in places[1:]:
            await known(place)
        yield places


async def known(place: Place) -> None:
    """It has met somebody: a search waits for that, and then for answers."""
    await found(place, b"somebody............")
    assert place.dht.status.nodes


async def found(place: Place, info_hash: bytes = TORRENT) -> set[Address]:
    async with place.dht.lookup(info_hash) as finding:
        return {peer async for batch in finding for peer in batch}


@pytest.mark.slow
async def test_peers_are_announced_and_found():
    async with open_village() as places:
        assert await places[1].dht.announce(TORRENT, 7001)
        assert await places[2].dht.announce(TORRENT, 7002, seed=True)
        assert await found(places[3]) == {Address("127.0.0.2", 7001), Address("127.0.0.3", 7002)}
        scrape = await places[4].dht.scrape(TORRENT)
        assert (round(scrape.seeds), round(scrape.peers)) == (1, 1)
        assert await places[4].dht.sample(bytes(20)) == {TORRENT}
        assert await found(places[5], b"o" * 20) == set()


@pytest.mark.slow
async def test_values_are_stored_and_found():
    async with open_village() as places:
        target = await places[1].dht.put({b"greeting": b"hello"})
        assert await places[2].dht.get(target) == {b"greeting": b"hello"}
        assert await places[3].dht.get(b"o" * 20) is None
        large = await places[1].dht.put(bytes(990))
        assert await places[4].dht.get(large) == bytes(990)


@pytest.mark.slow
async def test_mutable_values_are_replaced():
    async with open_village() as places:
        key = signing.public_key(SEED)
        assert await places[1].dht.get_mutable(key, b"salt") is None
        for version in (b"one", b"two"):
            await places[1].dht.put_mutable(SEED, version, salt=b"salt")
        item = await places[3].dht.get_mutable(key, b"salt")
        assert item is not None
        assert (items.value_of(item), item.seq) == (b"two", 2)
        assert await places[3].dht.get_mutable(key) is None


async def test_without_the_package_others_still_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signing, "available", False)
    async with open_village(2) as places:
        with pytest.raises(DhtError, match="dht-items"):
            await places[1].dht.put_mutable(SEED, b"value")
        with pytest.raises(DhtError, match="dht-items"):
            await places[1].dht.get_mutable(bytes(32))
        target = await places[1].dht.put(b"value")
        assert await places[1].dht.get(target) == b"value"


async def test_what_is_too_long_is_misuse():
    async with open_village(2) as places:
        with pytest.raises(ValueError, match="1000"):
            await places[1].dht.put(bytes(1000))


async def test_a_value_that_nobody_takes(autojump_clock: trio.testing.MockClock):
    with open_datagrams(0, interface="127.0.0.1") as silent:
        async with open_node("127.0.0.3", routers=(Address("127.0.0.1", silent.port),)) as place:
            with pytest.raises(DhtError, match="no node could be reached"):
                await place.dht.put(b"value")


async def test_a_lookup_waits_for_somebody_to_ask():
    async with open_node() as one, open_node("127.0.0.2") as other:
        with trio.move_on_after(0.05) as scope:
            await found(other)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(found, other)
            await trio.testing.wait_all_tasks_blocked()
            other.dht.add_node(one.address)
        assert other.dht.status.nodes == 1


async def test_leaving_a_lookup_ends_it():
    async with open_village(3) as places:
        async with places[1].dht.lookup(TORRENT), places[1].dht.lookup(b"o" * 20):
            assert places[1].dht.status.searches == 2
        assert places[1].dht.status.searches == 0
        assert await found(places[1]) == set()


async def test_a_restart():
    async with open_village(4) as places:
        saved = places[3].dht.saved()
        before = places[3].dht.status.families[Family.IPV4]
        async with open_node("127.0.0.9", saved=saved) as place:
            assert place.dht.status.families[Family.IPV4].id == before.id
            await places[1].dht.announce(TORRENT, 7001)
            assert await found(place) == {Address("127.0.0.2", 7001)}


async def test_the_status():
    async with open_village(3) as places:
        await places[1].dht.announce(TORRENT, 7001)
        status = places[0].dht.status
        node = status.families[Family.IPV4]
        assert (node.torrents, node.peers, node.items, node.external) == (1, 1, 0, None)
        assert node.counters.queries_in > 0
        assert status.down_rate > 0
        assert status.up_rate > 0
        assert places[0].dht.port == places[0].address.port


async def test_names_are_looked_up():
    """A router's and a torrent's; one name has no address, and one leads nowhere."""
    looked_up: list[str] = []

    async def look_up(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        looked_up.append(host)
        if host == "unknown.example":
            raise OSError("no such name")
        return ["nonsense"] if host == "odd.example" else ["127.0.0.1"]

    async with open_node() as one:
        port = one.address.port
        routers = tuple(Address(f"{name}.example", port) for name in ("unknown", "odd", "router"))
        async with open_node("127.0.0.2", routers=routers, lookup=look_up) as two:
            await known(two)
        async with open_node("127.0.0.3", lookup=look_up) as three:
            for number in range(MAX_NAMES + 10):
                three.dht.add_node(Address(f"{number}.example", port))
            await known(three)
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert {"unknown.example", "odd.example", "router.example", "0.example"} <= set(looked_up)
    assert len(looked_up) <= len(routers) + MAX_NAMES + 1  # one is being looked up


async def test_routers_are_looked_up_again_until_one_is_found(autojump_clock: trio.testing.MockClock):
    times: list[float] = []

    async def look_up(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        times.append(trio.current_time())
        if len(times) < 4:
            raise OSError("no network")
        return ["127.0.0.1"]

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        with open_datagrams(0, interface="127.0.0.1") as datagrams:
            dht = Dht(datagrams, Boundary(), routers=(Address("router.example", 1),), lookup=look_up)
            await nursery.start(dht.run)
            await trio.sleep(3600)
            nursery.cancel_scope.cancel()
    assert [round(time - start) for time in times] == [0, 15, 45, 105]


async def test_garbage_is_borne():
    async with open_village(2) as places:
        with open_datagrams(0, interface="127.0.0.7") as stranger:
            for data in (b"d", b"de", b"d" * 1000, b"d1:y1:qe", b"d1:t2:aa1:y1:q1:q4:pinge"):
                assert stranger.send(data, places[0].address.host, places[0].address.port)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await found(places[1]) == set()
