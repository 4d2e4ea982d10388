"""Our tracker, asked by other people's clients: by UDP, and over IPv6, which Debian's opentracker does not speak."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from trio_torrent import TrackerServer, serve_tracker

from .libtorrent_node import open_libtorrent
from .ours import download, open_ours
from .programs import Job, until
from .share import Make, make_share, small_pieces

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("libtorrent")]


@pytest.mark.parametrize("make", [small_pieces])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("protocol", ["http", "udp"])
async def test_libtorrent_seeds_and_we_find_it(
    protocol: str, host: str, make: Make, tmp_path: Path, folder: Path, nursery: trio.Nursery
):
    server: TrackerServer = await nursery.start(partial(serve_tracker, host=host))
    url = server.url if protocol == "http" else server.udp_url
    assert url is not None
    share = make_share(tmp_path, make, url)

    async def announced() -> bool:
        counts = server.registry.count(share.info_hash, trio.current_time())
        return counts.seeders == 1

    async with open_libtorrent(Job(share.torrent, share.folder, tmp_path / "libtorrent", host=host)):
        await until(announced, "libtorrent has announced itself as a seeder")
        async with open_ours() as client:
            torrent = await download(client, share, folder)
            assert [told.error for told in torrent.status.trackers] == [None]
