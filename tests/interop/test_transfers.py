"""Content from each client to us, and from us to each client."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_torrent import Address

from .clients import ALL, CLIENTS, DIALLING
from .opentracker import Tracker
from .ours import arrival, download, open_ours, seed
from .programs import Job
from .share import Make, Share, folder_of_files, large_pieces, small_pieces

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("opentracker")]


@pytest.mark.parametrize("make", [folder_of_files])
@pytest.mark.parametrize("name", ALL)
async def test_we_download(name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """The tracker names the client."""
    async with CLIENTS[name](Job(share.torrent, share.folder, tmp_path / name)):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_ours() as client:
            torrent = await download(client, share, folder)
            assert torrent.status.wasted == 0


@pytest.mark.parametrize("make", [small_pieces])
@pytest.mark.parametrize("name", ALL)
async def test_we_download_from_a_peer_that_the_user_names(
    name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path
):
    job = Job(share.torrent, share.folder, tmp_path / name)
    async with CLIENTS[name](job):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_ours(trackers=False) as client:
            await download(client, share, folder, Address(job.host, job.port))


@pytest.mark.parametrize("make", [large_pieces])
@pytest.mark.parametrize("name", ALL)
async def test_we_dial_who_downloads(
    name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path
):
    """The client is there first, so only we hear of the other."""
    async with CLIENTS[name](Job(share.torrent, folder, tmp_path / name)):
        await tracker.until(share.info_hash, seeders=0, leechers=1)
        async with open_ours() as client:
            await seed(client, share)
            await arrival(share, folder)


@pytest.mark.parametrize("make", [folder_of_files, small_pieces])
@pytest.mark.parametrize("name", DIALLING)
async def test_who_downloads_dials_us(
    name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path
):
    """We are there first."""
    async with open_ours() as client:
        await seed(client, share)
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with CLIENTS[name](Job(share.torrent, folder, tmp_path / name)):
            await arrival(share, folder)
