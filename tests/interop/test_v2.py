"""BitTorrent v2 with libtorrent, the one other client that speaks it (BEP 52)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.metainfo.making import make_torrent
from tests.payload import random_bytes
from trio_torrent import Address, Metainfo
from trio_torrent.metainfo.infohash import Version

from .libtorrent_node import open_libtorrent, open_libtorrent_by_link
from .ours import arrival, open_ours, seed
from .programs import Job, until
from .share import KiB, MiB, Share, make_share

if TYPE_CHECKING:
    import libtorrent

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("libtorrent")]

# A layer in two chunks, layers of a few nodes, files of one piece and of one byte, and two alike.
SIZES = {"a large": 9 * MiB + 5, "b": 200 * KiB + 1, "c one": 1, "d empty": 0, "e piece": 64 * KiB, "f": 130 * KiB}
FILES = {path: random_bytes(size, seed) for seed, (path, size) in enumerate(SIZES.items())}
FILES["g twin"] = FILES["f"]
CONTENTS: dict[tuple[str, ...], bytes] = {(path,): data for path, data in FILES.items()}


@pytest.fixture(params=["2", "hybrid"])
def version(request: pytest.FixtureRequest) -> Version:
    version: Version = request.param
    return version


@pytest.fixture(params=[16 * KiB, 64 * KiB], ids=["leaves", "pieces"])
def share(tmp_path: Path, version: Version, request: pytest.FixtureRequest) -> Share:
    """Content whose piece layers are its leaves, or above them."""
    metainfo = Metainfo.from_bytes(make_torrent("folder", CONTENTS, version, request.param))
    files = {f"folder/{path}": data for path, data in FILES.items()}
    return make_share(tmp_path, lambda _: (metainfo, files), "")


def bare(metainfo: Metainfo) -> Metainfo:
    """The torrent as one gets it by a link: without piece layers."""
    alone = Metainfo.from_info(metainfo.info_bytes)
    assert alone.missing_layers
    return alone


async def seeding(theirs: libtorrent.torrent_handle) -> None:
    """It turns away who comes while it checks its files."""

    async def is_seed() -> bool:
        return bool(theirs.status().is_seeding)

    await until(is_seed, "libtorrent has checked its files")


@pytest.mark.parametrize("layers", [True, False], ids=["with layers", "without"])
async def test_we_download(share: Share, version: Version, folder: Path, tmp_path: Path, layers: bool):
    job = Job(share.torrent, share.folder, tmp_path / "libtorrent")
    async with open_libtorrent(job) as theirs, open_ours(trackers=False) as client:
        await seeding(theirs)
        source = share.metainfo if layers else bare(share.metainfo)
        torrent = await client.add(source, save_path=folder, peers=[Address(job.host, job.port)])
        await arrival(share, folder)
        await torrent.wait_complete()
        assert torrent.metainfo is not None
        assert torrent.metainfo.missing_layers == ()
        assert torrent.status.wasted == 0
        # The last block of a file may have padding behind, and no other padding is worth a request.
        assert torrent.status.downloaded - torrent.status.total < len(FILES) * 16 * KiB * (version == "hybrid") + 1


@pytest.mark.parametrize("by_link", [False, True], ids=["by file", "by link"])
async def test_they_download(share: Share, folder: Path, tmp_path: Path, by_link: bool):
    """By a link with the v2 info-hash they have no piece layers, and a hybrid is pure v2 to them."""
    job = Job(share.torrent, folder, tmp_path / "libtorrent")
    async with open_ours(trackers=False) as client:
        await seed(client, share)
        opened = open_libtorrent_by_link(job, share.metainfo) if by_link else open_libtorrent(job)
        async with opened as theirs:
            theirs.connect_peer(("127.0.0.1", client.port))
            await arrival(share, folder)


async def test_who_has_no_layers_has_them_from_whoever_came_the_same_way(share: Share, folder: Path, tmp_path: Path):
    """libtorrent seeds, we come by the info dictionary alone, and another of us who does so learns from us alone."""
    job = Job(share.torrent, share.folder, tmp_path / "libtorrent")
    (folder / "first").mkdir()
    async with open_libtorrent(job) as theirs, open_ours(trackers=False) as one, open_ours(trackers=False) as other:
        await seeding(theirs)
        first = await one.add(bare(share.metainfo), save_path=folder / "first", peers=[Address(job.host, job.port)])
        await first.wait_complete()
        second = await other.add(
            bare(share.metainfo), save_path=folder / "second", peers=[Address("127.0.0.1", one.port)]
        )
        await second.wait_complete()
        assert share.is_in(folder / "second")
        assert first.status.uploaded >= second.status.total
