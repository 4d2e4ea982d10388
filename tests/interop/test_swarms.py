"""More than one other client."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from trio_torrent import PieceDone

from .libtorrent_node import open_libtorrent
from .opentracker import Tracker
from .ours import arrival, download, open_ours
from .programs import PATIENCE, Job, free_port
from .share import Make, MiB, Share, small_pieces
from .transmission import open_transmission

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("opentracker")]


@pytest.mark.needs("libtorrent")
@pytest.mark.needs("transmission")
async def test_a_mixed_swarm(share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """A slow Transmission seeds; libtorrent and we get parts of the content from it and the rest from each other."""
    seeder = Job(share.torrent, share.folder, tmp_path / "transmission")
    leecher = Job(share.torrent, folder / "libtorrent", tmp_path / "libtorrent", host="127.0.0.3")
    async with open_transmission(seeder, upload_limit=4 * MiB):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_libtorrent(leecher) as theirs, open_ours() as client:
            ours = await download(client, share, folder / "ours")
            await arrival(share, leecher.folder)
            assert ours.status.uploaded > 0
            assert theirs.status().total_payload_upload > 0


@pytest.mark.needs("libtorrent")
@pytest.mark.parametrize("make", [small_pieces])
async def test_one_good_peer_among_many_is_found_at_once(
    make: Make, share: Share, tracker: Tracker, folder: Path, tmp_path: Path, nursery: trio.Nursery
):
    """Of 50 addresses 24 refuse, 25 accept and say nothing, and one is libtorrent."""
    silent = await nursery.start(serve_silence)
    async with open_libtorrent(Job(share.torrent, share.folder, tmp_path / "libtorrent")):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        refusing = free_port()
        for number in range(1, 50):
            await tracker.introduce(share.info_hash, f"127.0.1.{number}", silent if number % 2 else refusing)
        await tracker.until(share.info_hash, seeders=50, leechers=0)
        async with open_ours() as client:
            started = trio.current_time()
            torrent = await client.add(share.metainfo, save_path=folder)
            with trio.fail_after(PATIENCE):
                async with torrent.events() as events:
                    while not isinstance(await events.receive(), PieceDone):
                        pass
            assert trio.current_time() - started < 3


async def serve_silence(*, task_status: trio.TaskStatus[int]) -> None:
    """Accept at every address of this machine, and say nothing to anyone."""

    async def say_nothing(_: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    listeners = await trio.open_tcp_listeners(0, host="0.0.0.0")
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, say_nothing, listeners)
        task_status.started(listeners[0].socket.getsockname()[1])
