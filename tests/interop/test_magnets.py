"""By a link: content from each client to us, and from us to each client."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from trio_torrent import Address, PeerGone

from .clients import ALL, CLIENTS, DIALLING
from .opentracker import Tracker
from .ours import arrival, open_ours, seed
from .programs import PATIENCE, Job
from .share import Make, Share, folder_of_files, small_pieces

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("opentracker")]

# Seconds until a client has given the info dictionary, where a second is too short. aria2 looks once a second for who
# has connected. Transmission 3 looks twice a second at what it has to do: one look for its handshake, one for its
# extended handshake, one for our request, and then it collects what it has to say until its clock of whole seconds has
# gone on by two. Nothing that we may say before it has told us its number of the extension makes it faster, and
# libtorrent waits for it as long as we do: 3 to 4.5 s. More it is where the machine is busy.
AT_ONCE = {"aria2": 2.5, "transmission": 8.0}


@pytest.mark.parametrize("make", [folder_of_files, small_pieces])
@pytest.mark.parametrize("name", ALL)
async def test_we_come_by_a_link(name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """The link names a tracker, and the tracker the client. We know at once what there is."""
    async with CLIENTS[name](Job(share.torrent, share.folder, tmp_path / name)):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_ours() as client:
            started = trio.current_time()
            torrent = await client.add(share.metainfo.magnet, save_path=folder)
            with trio.fail_after(PATIENCE):
                await torrent.wait_metadata()
                assert trio.current_time() - started < AT_ONCE.get(name, 1.0)
                await torrent.wait_complete()
            assert torrent.metainfo is not None
            assert torrent.metainfo.info_bytes == share.metainfo.info_bytes
            assert torrent.status.wasted == 0
    assert share.is_in(folder)


@pytest.mark.parametrize("make", [folder_of_files, small_pieces])
@pytest.mark.parametrize("name", DIALLING)
async def test_they_come_by_a_link(name: str, make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """They get the info dictionary from us, and then the content."""
    link = str(share.metainfo.magnet)
    async with open_ours() as client:
        await seed(client, share)
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with CLIENTS[name](Job(share.torrent, folder, tmp_path / name, link=link)):
            await arrival(share, folder)


@pytest.mark.needs("transmission")
async def test_transmission_comes_by_a_link(share: Share, folder: Path, tmp_path: Path):
    """It has to be dialled; and again when it knows what there is, since it begins anew then."""
    job = Job(share.torrent, folder, tmp_path / "transmission", link=str(share.metainfo.magnet))
    async with CLIENTS["transmission"](job), open_ours(trackers=False) as client:
        torrent = await client.add(share.metainfo, save_path=share.folder)
        async with torrent.events() as events:
            torrent.add_peers([Address(job.host, job.port)])
            with trio.fail_after(PATIENCE):
                while not isinstance(await events.receive(), PeerGone):
                    pass
        torrent.add_peers([Address(job.host, job.port)])
        await arrival(share, folder)
