"""A real tracker: it counts us, and names us to each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

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
