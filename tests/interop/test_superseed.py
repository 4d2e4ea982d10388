"""We superseed, and every client gets everything, alone with us or together with another."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_torrent import Settings, open_client

from .clients import ALL, CLIENTS
from .libtorrent_node import open_libtorrent
from .opentracker import Tracker
from .ours import arrival, seed
from .programs import Job
from .share import Make, Share, large_pieces

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("opentracker")]

SUPERSEED = Settings(port=0, dht=False, superseed=True)


@pytest.mark.parametrize("make", [large_pieces])
@pytest.mark.parametrize("name", ALL)
async def test_alone_with_us(name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """The client is there first: one of them does not dial."""
    async with CLIENTS[name](Job(share.torrent, folder, tmp_path / name)):
        await tracker.until(share.info_hash, seeders=0, leechers=1)
        async with open_client(SUPERSEED) as client:
            await seed(client, share)
            await arrival(share, folder)


@pytest.mark.needs("libtorrent")
@pytest.mark.parametrize("make", [large_pieces])
@pytest.mark.parametrize("name", ALL)
async def test_in_company(name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """With another client that gets some pieces of us, too."""
    other = Job(share.torrent, tmp_path / "other folder", tmp_path / "other", host="127.0.0.3")
    other.folder.mkdir()
    async with CLIENTS[name](Job(share.torrent, folder, tmp_path / name)):
        await tracker.until(share.info_hash, seeders=0, leechers=1)
        async with open_client(SUPERSEED) as client, open_libtorrent(other):
            await seed(client, share)
            await arrival(share, folder)
            await arrival(share, other.folder)
