"""Our DHT node among libtorrent's, and one of libtorrent's among ours; each at a loopback address of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from trio_torrent import Address
from trio_torrent.bencode import Value
from trio_torrent.dht import items
from trio_torrent.dht.options import Options
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dht import Dht
from trio_torrent.net.udp import open_datagrams

from .programs import LOOK_SECONDS, PATIENCE, free_port

if TYPE_CHECKING:
    import libtorrent

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("libtorrent")]

NODES = 30
OURS = "127.0.1.1"
THEIR_PORT, OUR_PORT = 7001, 7002
TORRENT, OTHER = b"h" * 20, b"o" * 20
SEED = bytes(range(32))


@contextmanager
def open_theirs(host: str, bootstrap: Address | None) -> Iterator[tuple[libtorrent.session, Address]]:
    import libtorrent

    port = free_port()
    session = libtorrent.session(
        {
            "listen_interfaces": str(Address(host, port)),
            "outgoing_interfaces": host,
            "dht_bootstrap_nodes": str(bootstrap or ""),
            "dht_restrict_routing_ips": False,
            "dht_restrict_search_ips": False,
            "dht_ignore_dark_internet": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "alert_mask": libtorrent.alert_category.dht | libtorrent.alert_category.dht_operation,
        }
    )
    try:
        yield session, Address(host, port)
    finally:
        session.pause()
        del session


@contextmanager
def open_their_town() -> Iterator[list[tuple[libtorrent.session, Address]]]:
    """All ask the first for their way, and it knows all in the end. The others would stay alone for long: at first it
    knows nobody to tell them of, they do not ask again soon, and whom they are told to begin with they do not keep."""
    with ExitStack() as stack:
        town = [stack.enter_context(open_theirs("127.0.2.1", None))]
        for number in range(1, NODES):
            town.append(stack.enter_context(open_theirs(f"127.0.2.{number + 1}", town[0][1])))
        yield town


@asynccontextmanager
async def open_ours(host: str, *routers: Address) -> AsyncIterator[tuple[Dht, Address]]:
    boundary = Boundary()
    async with trio.open_nursery() as nursery:
        with open_datagrams(0, interface=host) as datagrams:
            nursery.start_soon(datagrams.run, boundary)
            dht = Dht(datagrams, boundary, options=Options(allow_local=True), routers=routers)
            await nursery.start(dht.run)
            yield dht, Address(host, datagrams.port)
            nursery.cancel_scope.cancel()
    assert boundary.unexpected == 0


@asynccontextmanager
async def open_our_town() -> AsyncIterator[list[tuple[Dht, Address]]]:
    async with AsyncExitStack() as stack:
        town = [await stack.enter_async_context(open_ours("127.0.1.1"))]
        for number in range(1, NODES):
            town.append(await stack.enter_async_context(open_ours(f"127.0.1.{number + 1}", town[0][1])))
        yield town


async def found_by_us(dht: Dht, info_hash: bytes, wanted: Address) -> None:
    """It takes a while until they know one another."""
    with trio.fail_after(PATIENCE):
        while True:
            async with dht.lookup(info_hash) as finding:
                if wanted in {peer async for batch in finding for peer in batch}:
                    return
            await trio.sleep(LOOK_SECONDS)


async def found_by_them(session: libtorrent.session, info_hash: bytes, wanted: Address) -> None:
    import libtorrent

    with trio.fail_after(PATIENCE):
        while True:
            session.dht_get_peers(libtorrent.sha1_hash(info_hash))
            for _ in range(20):
                await trio.sleep(LOOK_SECONDS)
                replies = [a for a in session.pop_alerts() if isinstance(a, libtorrent.dht_get_peers_reply_alert)]
                if (wanted.host, wanted.port) in {peer for reply in replies for peer in reply.peers()}:
                    return


async def item_got_by_them(session: libtorrent.session, target: bytes) -> object:
    import libtorrent

    with trio.fail_after(PATIENCE):
        while True:
            session.dht_get_immutable_item(libtorrent.sha1_hash(target))
            for _ in range(20):
                await trio.sleep(LOOK_SECONDS)
                for alert in session.pop_alerts():
                    if isinstance(alert, libtorrent.dht_immutable_item_alert) and alert.item:
                        return alert.item


async def item_got_by_us(dht: Dht, target: bytes, wanted: Value) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            if await dht.get(target) == wanted:
                return
            await trio.sleep(LOOK_SECONDS)


async def test_ours_among_theirs():
    """From one address it finds its way, finds what they announced, announces, stores, and is found."""
    import libtorrent

    with open_their_town() as town:
        async with open_ours(OURS, town[0][1]) as (dht, _):
            session, address = town[5]
            session.dht_announce(libtorrent.sha1_hash(TORRENT), THEIR_PORT, 0)
            await found_by_us(dht, TORRENT, Address(address.host, THEIR_PORT))
            assert await dht.announce(OTHER, OUR_PORT)
            await found_by_them(town[7][0], OTHER, Address(OURS, OUR_PORT))
            assert round((await dht.scrape(OTHER)).peers) == 1
            target = await dht.put({b"from": b"us"})
            assert await item_got_by_them(town[9][0], target) == {b"from": b"us"}
            item = await dht.put_mutable(SEED, b"one")
            assert item.key is not None
            newer = await dht.put_mutable(SEED, b"two")
            found = await dht.get_mutable(item.key)
            assert found is not None
            assert (items.value_of(found), found.seq) == (b"two", newer.seq)
            assert newer.seq == item.seq + 1


async def test_theirs_among_ours():
    """Ours serve it as its own kind would."""
    import libtorrent

    async with open_our_town() as town:
        with open_theirs("127.0.2.1", town[0][1]) as (session, address):
            assert await town[3][0].announce(TORRENT, OUR_PORT)
            await found_by_them(session, TORRENT, Address(town[3][1].host, OUR_PORT))
            session.dht_announce(libtorrent.sha1_hash(OTHER), THEIR_PORT, 0)
            await found_by_us(town[20][0], OTHER, Address(address.host, THEIR_PORT))
            target = await town[4][0].put(bytes(900))
            assert await item_got_by_them(session, target) == bytes(900)
            theirs = session.dht_put_immutable_item(b"from them")
            await item_got_by_us(town[8][0], theirs.to_bytes(), b"from them")
