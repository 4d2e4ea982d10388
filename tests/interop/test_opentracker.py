"""A real tracker: it counts us, and names us to each other."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from trio_torrent import Metainfo, Settings, open_client
from trio_torrent.bencode import decode, encode

from .opentracker import Counts, Tracker
from .ours import download, open_ours, seed
from .programs import PATIENCE
from .share import Share

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("opentracker")]


async def test_a_seeder_is_found(share: Share, tracker: Tracker, folder: Path):
    """And each coming, completing and going is counted, the going by the time that a client has ended."""
    async with open_ours() as seeder:
        await seed(seeder, share)
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_ours() as leecher:
            torrent = await download(leecher, share, folder)
            await tracker.until(share.info_hash, seeders=2, leechers=0)
            assert await tracker.scrape(share.info_hash) == Counts(seeders=2, leechers=0, downloads=1)
            assert [(told.state, told.error) for told in torrent.status.trackers] == [("working", None)]
        assert await tracker.scrape(share.info_hash) == Counts(seeders=1, leechers=0, downloads=1)
    assert await tracker.scrape(share.info_hash) == Counts(seeders=0, leechers=0, downloads=1)


async def test_a_leecher_is_found(share: Share, tracker: Tracker, folder: Path):
    """By a seeder that comes later, which dials it."""
    async with open_ours() as leecher:
        torrent = await leecher.add(share.metainfo, save_path=folder)
        await tracker.until(share.info_hash, seeders=0, leechers=1)
        async with open_ours() as seeder:
            await seed(seeder, share)
            with trio.fail_after(PATIENCE):
                await torrent.wait_complete()
    assert share.is_in(folder)


async def test_a_leecher_that_leaves_is_forgotten(share: Share, tracker: Tracker, folder: Path):
    async with open_ours() as leecher:
        await leecher.add(share.metainfo, save_path=folder)
        await tracker.until(share.info_hash, seeders=0, leechers=1)
    assert await tracker.scrape(share.info_hash) == Counts(seeders=0, leechers=0, downloads=0)


def naming(share: Share, *tiers: str) -> Share:
    """The same torrent with other trackers."""
    torrent = decode(share.metainfo.to_bytes(), max_depth=10)
    assert isinstance(torrent, dict)
    torrent[b"announce-list"] = [[url.encode()] for url in tiers]
    return attrs.evolve(share, metainfo=Metainfo.from_bytes(encode(torrent)))


async def test_by_udp_each_coming_completing_and_going_is_counted(share: Share, tracker: Tracker, folder: Path):
    share = naming(share, tracker.udp)
    async with open_ours() as seeder:
        await seed(seeder, share)
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_ours() as leecher:
            torrent = await download(leecher, share, folder)
            await tracker.until(share.info_hash, seeders=2, leechers=0)
            assert [(told.url, told.state, told.error) for told in torrent.status.trackers] == [
                (tracker.udp, "working", None)
            ]
        assert await tracker.scrape(share.info_hash) == Counts(seeders=1, leechers=0, downloads=1)
    assert await tracker.scrape(share.info_hash) == Counts(seeders=0, leechers=0, downloads=1)


async def test_a_dead_first_tier_delays_nothing(share: Share, tracker: Tracker, folder: Path, nursery: trio.Nursery):
    """One that takes connections and says nothing, and one by UDP that is not there."""

    async def say_nothing(_: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    listeners = await nursery.start(trio.serve_tcp, say_nothing, 0)
    port = listeners[0].socket.getsockname()[1]
    dead = [f"http://127.0.0.1:{port}/announce", "udp://127.0.0.1:1/announce"]
    async with open_ours() as seeder, open_ours() as leecher:
        await seed(seeder, share)
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        started = trio.current_time()
        torrent = await download(leecher, naming(share, *dead, tracker.udp), folder)
        assert trio.current_time() - started < 10
        silent, refusing, good = torrent.status.trackers
        assert (silent.state, refusing.state) == ("announcing", "failing")
        assert good.peers >= 1


async def test_scrapes_by_udp_and_http_tell_the_same(share: Share, tracker: Tracker, folder: Path):
    """After a download over loopback has been counted; a local tracker is scraped by HTTP only if that is allowed."""
    async with open_ours() as seeder, open_client(Settings(port=0, dht=False, lsd=False, allow_local=True)) as leecher:
        await seed(seeder, share)
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        torrent = await download(leecher, naming(share, tracker.announce, tracker.udp), folder)
        await tracker.until(share.info_hash, seeders=2, leechers=0)
        await torrent.scrape()
        figures = [(told.seeders, told.leechers, told.downloaded) for told in torrent.status.trackers]
        downloads = (await tracker.scrape(share.info_hash)).downloads
        assert downloads in (1, 2)  # we say so twice, and it may count the same peer once
        assert figures == [(2, 0, downloads)] * 2
