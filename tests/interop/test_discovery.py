"""Torrents without a tracker: peers meet in a DHT of libtorrent's nodes, ours and others'."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from trio_torrent import Address, Client, Settings, open_client

from .libtorrent_node import PLAIN_TEXT_ONLY
from .ours import arrival, command
from .programs import PATIENCE, until
from .share import Share, make_share, small_pieces
from .test_dht import open_our_town, open_their_town, open_theirs

if TYPE_CHECKING:
    import libtorrent

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("libtorrent")]

STRIDES = (1, 2, 3, 5, 8, 13, 21)  # by which each node of the town knows others; the rest they find out by themselves
NOBODYS = "ab" * 20  # an info-hash


@pytest.fixture
def share(tmp_path: Path) -> Share:
    """Nobody is named in it."""
    return make_share(tmp_path, small_pieces, "")


@contextmanager
def open_town() -> Iterator[list[Address]]:
    """A network of theirs, in which everybody knows a few."""
    with open_their_town() as town:
        for number, (session, _) in enumerate(town):
            for stride in STRIDES:
                other = town[(number + stride) % len(town)][1]
                session.add_dht_node((other.host, other.port))
        yield [address for _, address in town]


@asynccontextmanager
async def open_ours(host: str, *routers: Address) -> AsyncIterator[Client]:
    """A client that knows so many nodes."""
    settings = Settings(port=0, interface=host, allow_local=True, lsd=False, dht_routers=routers)
    async with open_client(settings) as client:
        yield client
    assert client.unexpected == 0


@attrs.frozen
class Theirs:
    """A libtorrent session with a torrent."""

    handle: libtorrent.torrent_handle
    peer: Address


@contextmanager
def open_their_torrent(host: str, share: Share, folder: Path, *known: Address, link: str = "") -> Iterator[Theirs]:
    """It has the DHT to find peers, and nothing else; of a torrent by its link, that alone."""
    import libtorrent

    with open_theirs(host, known[0] if known else None) as (session, address):
        session.apply_settings(
            {
                "enable_incoming_utp": False,
                "enable_outgoing_utp": False,
                "in_enc_policy": PLAIN_TEXT_ONLY,
                "out_enc_policy": PLAIN_TEXT_ONLY,
            }
        )
        for node in known:
            session.add_dht_node((node.host, node.port))
        parameters = libtorrent.parse_magnet_uri(link) if link else libtorrent.load_torrent_file(str(share.torrent))
        parameters.save_path = str(folder)
        parameters.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
        yield Theirs(session.add_torrent(parameters), address)


async def announced(client: Client) -> None:
    """Its torrents can be found from now on."""

    async def known() -> bool:
        return all(torrent.status.dht and torrent.status.dht.announced_to for torrent in client.torrents)

    await until(known, "the DHT knows of the torrent")


async def seeding(theirs: Theirs) -> None:
    """It has checked its files: before that it turns everybody away."""

    async def checked() -> bool:
        return bool(theirs.handle.status().is_seeding)

    await until(checked, "libtorrent has checked its files")


async def test_ours_find_each_other(share: Share, folder: Path):
    with open_town() as town:
        async with open_ours("127.0.1.1", town[0]) as seeder, open_ours("127.0.1.2", town[9]) as leecher:
            await seeder.add(share.metainfo, save_path=share.folder)
            await announced(seeder)
            torrent = await leecher.add(share.metainfo, save_path=folder)
            with trio.fail_after(PATIENCE):
                await torrent.wait_complete()
            assert share.is_in(folder)
            assert torrent.status.dht is not None
            assert torrent.status.dht.peers
            assert seeder.dht is not None
            assert seeder.dht.status.nodes >= len(STRIDES)


async def test_theirs_find_ours(share: Share, folder: Path):
    with open_town() as town:
        async with open_ours("127.0.1.1", town[0]) as seeder:
            await seeder.add(share.metainfo, save_path=share.folder)
            await announced(seeder)
            with open_their_torrent("127.0.3.1", share, folder, *town[:9]) as theirs:
                theirs.handle.force_dht_announce()
                await arrival(share, folder)


async def test_ours_find_theirs(share: Share, folder: Path):
    with open_town() as town, open_their_torrent("127.0.3.1", share, share.folder, *town[:9]) as theirs:
        async with open_ours("127.0.1.1", town[5]) as leecher:
            await seeding(theirs)
            assert leecher.dht is not None
            with trio.fail_after(PATIENCE):
                while not await peers_of(leecher, share):
                    theirs.handle.force_dht_announce()
                    await trio.sleep(0.5)
                torrent = await leecher.add(share.metainfo, save_path=folder)
                await torrent.wait_complete()
        assert share.is_in(folder)


async def peers_of(client: Client, share: Share) -> list[Address]:
    assert client.dht is not None
    async with client.dht.lookup(share.info_hash) as finding:
        return [peer async for batch in finding for peer in batch]


async def test_a_link_is_enough_among_our_nodes(share: Share, folder: Path, tmp_path: Path):
    """Thirty nodes of ours are all the DHT there is. What we announced libtorrent finds, and what it announced we find:
    it has the content by a link without trackers, and the next of ours has it from there when the first is gone."""
    link = str(share.metainfo.magnet)
    assert "tr=" not in link
    async with open_our_town() as town:
        known = town[0][1]
        with open_their_torrent("127.0.3.1", share, folder, known, link=link) as theirs:
            async with open_ours("127.0.4.1", town[9][1]) as seeder:
                await seeder.add(share.metainfo, save_path=share.folder)
                await announced(seeder)
                theirs.handle.force_dht_announce()
                await arrival(share, folder)
                await seeding(theirs)
            theirs.handle.force_dht_announce()
            async with open_ours("127.0.4.2", town[20][1]) as leecher:
                torrent = await leecher.add(share.metainfo.magnet, save_path=tmp_path / "second")
                with trio.fail_after(PATIENCE):
                    await torrent.wait_complete()
    assert share.is_in(tmp_path / "second")


async def test_peers_tell_each_other_of_their_nodes(share: Share, folder: Path):
    """Neither knows a node before; the torrent's peer is the first."""
    with open_their_torrent("127.0.3.1", share, share.folder) as theirs:
        async with open_ours("127.0.1.1") as leecher:
            await seeding(theirs)
            torrent = await leecher.add(share.metainfo, save_path=folder, peers=[theirs.peer])
            with trio.fail_after(PATIENCE):
                await torrent.wait_complete()
            dht = leecher.dht
            assert dht is not None

            async def known() -> bool:
                return dht.status.nodes == 1

            await until(known, "their node is in our table")


async def test_the_command_line(share: Share, folder: Path, tmp_path: Path):
    with open_town() as town:
        ways = [part for node in town[3:6] for part in ("--dht-router", str(node))]
        ours = [*ways, "--interface", "127.0.1.2", "--port", "0", "--json"]
        async with open_ours("127.0.1.1", town[0]) as seeder:
            await seeder.add(share.metainfo, save_path=share.folder)
            await announced(seeder)
            name = share.info_hash.hex()
            async with command(tmp_path / "lookup.log", "dht", "lookup", name, *ours) as lookup:
                assert await lookup.end() == 0
            assert lookup.events[0] == {"event": "peer", "address": f"127.0.1.1:{seeder.port}"}
            assert lookup.events[-1].items() >= {"event": "done", "peers": 1}.items()
            async with command(tmp_path / "get.log", "get", name, "-o", folder, *ours) as get:
                assert await get.end() == 0
        assert share.is_in(folder)
        async with command(tmp_path / "nobody.log", "dht", "lookup", NOBODYS, *ours) as nobody:
            assert await nobody.end() == 4
        assert any("nobody was found" in line for line in nobody.lines)
        async with command(tmp_path / "status.log", "dht", "status", *ours) as status:
            assert await status.end() == 0
        (told,) = status.events
        assert told["event"] == "status"
        assert told["families"]
        async with command(tmp_path / "put.log", "dht", "put", "a value", *ours) as put:
            assert await put.end() == 0
        target = str(put.events[0]["target"])
        async with command(tmp_path / "value.log", "dht", "get", target, *ours) as value:
            assert await value.end() == 0
        assert value.events == [{"event": "value", "target": target, "value": "a value"}]
