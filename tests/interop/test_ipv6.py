"""All over IPv6: a tracker of ours at ::1, which Debian's opentracker does not speak, and clients that live there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from trio_torrent import Address, Client, Settings, TrackerServer, open_client, serve_tracker

from .clients import CLIENTS
from .ours import arrival, download, seed
from .programs import Job, until
from .share import Share, make_share, small_pieces
from .test_dht import found_by_them, found_by_us, open_theirs
from .test_dht import open_ours as open_our_node

pytestmark = [pytest.mark.interop, pytest.mark.slow]

HOST = "::1"
NAMES = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("aria2", "libtorrent", "qbittorrent")]
NODES = 10
TORRENT, OTHER = b"h" * 20, b"o" * 20
OUR_PORT, THEIR_PORT = 7001, 7002


@pytest.fixture
async def server(nursery: trio.Nursery) -> TrackerServer:
    """A tracker that nobody reaches but over IPv6."""
    server: TrackerServer = await nursery.start(partial(serve_tracker, host=HOST))
    return server


@pytest.fixture
def share(server: TrackerServer, tmp_path: Path) -> Share:
    return make_share(tmp_path, small_pieces, server.url)


@asynccontextmanager
async def open_ours() -> AsyncIterator[Client]:
    """A client that is there and nowhere else."""
    async with open_client(Settings(port=0, interface=HOST, dht=False, lsd=False)) as client:
        yield client
    assert client.unexpected == 0


async def announced(server: TrackerServer, share: Share) -> None:
    """The tracker knows of somebody."""

    async def known() -> bool:
        counts = server.registry.count(share.info_hash, trio.current_time())
        return bool(counts.seeders or counts.leechers)

    await until(known, "somebody has announced the torrent")


@pytest.mark.parametrize("name", NAMES)
async def test_we_download(name: str, server: TrackerServer, share: Share, folder: Path, tmp_path: Path):
    """From whom the tracker names."""
    async with CLIENTS[name](Job(share.torrent, share.folder, tmp_path / name, host=HOST)):
        await announced(server, share)
        async with open_ours() as client:
            torrent = await download(client, share, folder)
            assert torrent.status.wasted == 0


@pytest.mark.parametrize("name", NAMES)
async def test_they_download(name: str, server: TrackerServer, share: Share, folder: Path, tmp_path: Path):
    """The tracker names us."""
    async with open_ours() as client:
        await seed(client, share)
        await announced(server, share)
        async with CLIENTS[name](Job(share.torrent, folder, tmp_path / name, host=HOST)):
            await arrival(share, folder)


@pytest.mark.needs("transmission")
@pytest.mark.parametrize("has_it", [True, False])
async def test_transmission(has_it: bool, folder: Path, tmp_path: Path, nursery: trio.Nursery):
    """It asks trackers from an IPv4 address, at which we are not, and believes in no peer at ::1: we dial it there."""
    server: TrackerServer = await nursery.start(serve_tracker)
    share = make_share(tmp_path, small_pieces, server.url)
    theirs, ours = (share.folder, folder) if has_it else (folder, share.folder)
    job = Job(share.torrent, theirs, tmp_path / "transmission", host=HOST)
    async with CLIENTS["transmission"](job), open_ours() as client:
        await announced(server, share)
        await client.add(share.metainfo, save_path=ours, peers=[Address(HOST, job.port)])
        await arrival(share, folder)


@pytest.mark.needs("libtorrent")
async def test_the_dht():
    """A node of libtorrent's among ours, by the protocol of BEP 32: each finds what the other has announced."""
    import libtorrent

    async with AsyncExitStack() as stack:
        town = [await stack.enter_async_context(open_our_node(HOST))]
        for _ in range(NODES - 1):
            town.append(await stack.enter_async_context(open_our_node(HOST, town[0][1])))
        with open_theirs(HOST, town[0][1]) as (session, _):
            assert await town[3][0].announce(TORRENT, OUR_PORT)
            await found_by_them(session, TORRENT, Address(HOST, OUR_PORT))
            session.dht_announce(libtorrent.sha1_hash(OTHER), THEIR_PORT, 0)
            await found_by_us(town[7][0], OTHER, Address(HOST, THEIR_PORT))
