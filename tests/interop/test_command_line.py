"""The commands, as processes among real clients."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trio_torrent.bitfield import Bitfield

from .libtorrent_node import open_libtorrent
from .opentracker import Counts, Tracker
from .ours import arrival, command
from .programs import Job
from .share import KiB, Share
from .transmission import open_transmission

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("opentracker")]

INTERRUPTED = 130
DIFFERENT = 6


@pytest.mark.needs("libtorrent")
async def test_get(share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """From a peer that is named, without a tracker."""
    job = Job(share.torrent, share.folder, tmp_path / "libtorrent")
    async with open_libtorrent(job):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        arguments: list[str | Path] = [
            "-o",
            folder,
            "--port",
            "0",
            "--no-trackers",
            "--peer",
            f"{job.host}:{job.port}",
            "--json",
        ]
        async with command(tmp_path / "get.log", "get", share.torrent, *arguments) as get:
            assert await get.end() == 0
    assert share.is_in(folder)
    assert get.events[0].items() >= {"event": "added", "name": "folder", "info_hash_v1": share.info_hash.hex()}.items()
    assert [event["path"] for event in get.events if event["event"] == "file-complete"]
    assert get.events[-1].items() >= {"event": "complete", "wasted": 0}.items()


@pytest.mark.needs("libtorrent")
async def test_seed(share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    arguments: list[str | Path] = ["-d", share.folder, "--port", "0", "--json"]
    async with command(tmp_path / "seed.log", "seed", share.torrent, *arguments) as seed:
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with open_libtorrent(Job(share.torrent, folder, tmp_path / "libtorrent")):
            await arrival(share, folder)
        seed.interrupt()
        assert await seed.end() == INTERRUPTED
    assert (await tracker.scrape(share.info_hash)).seeders == 0


@pytest.mark.needs("libtorrent")
async def test_seed_dials_a_peer_that_is_named(share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    job = Job(share.torrent, folder, tmp_path / "libtorrent")
    arguments: list[str | Path] = [
        "-d",
        share.folder,
        "--port",
        "0",
        "--no-trackers",
        "--peer",
        f"{job.host}:{job.port}",
    ]
    async with open_libtorrent(job):
        await tracker.until(share.info_hash, seeders=0, leechers=1)
        async with command(tmp_path / "seed.log", "seed", share.torrent, *arguments) as seed:
            await arrival(share, folder)
            seed.interrupt()
            assert await seed.end() == INTERRUPTED


@pytest.mark.needs("libtorrent")
async def test_ctrl_c_tells_the_tracker(share: Share, tracker: Tracker, folder: Path, tmp_path: Path):
    """In the middle of a download."""
    job = Job(share.torrent, share.folder, tmp_path / "libtorrent")
    arguments: list[str | Path] = ["-o", folder, "--port", "0", "--json"]
    async with (
        open_libtorrent(job, upload_limit=200 * KiB),
        command(tmp_path / "get.log", "get", share.torrent, *arguments) as get,
    ):
        await tracker.until(share.info_hash, seeders=1, leechers=1)
        await get.until_event("progress", state="downloading", peers=1)
        get.interrupt()
        assert await get.end(seconds=4) == INTERRUPTED
        assert await tracker.scrape(share.info_hash) == Counts(seeders=1, leechers=0, downloads=0)


def tour(share: Share, address: str, *lines: str) -> list[str]:
    """The patterns of a tour's lines up to the block; `lines` are those in which the ways differ."""
    geometry = share.metainfo.geometry
    return [
        rf"\* Total pieces {geometry.pieces}, piece length {geometry.piece_length}",
        *lines,
        r"\* Probing peers\.\.\.",
        re.escape(address) + '\t-> OK\\("-TR3000-[a-z0-9]{12}"\\)',
        r"\* Connected to peer: " + re.escape(address),
        rf"\* Received bitfield: {bytes(Bitfield.full(geometry.pieces)).hex()}",
        r"\* Sending `interested` message",
        r"\* Receiving `unchoke` message",
        r"\* Unchoked, requesting data block",
        r"\* Receiving `piece` message",
    ]


@pytest.mark.needs("transmission")
async def test_probe(share: Share, tracker: Tracker, tmp_path: Path):
    """Of one Transmission twice at once: with a sample that matches, by the tracker, and with one that does not.

    The tracker names the prober, too. Who probes twice must have two addresses, as Transmission talks to one peer from
    each.
    """
    job = Job(share.torrent, share.folder, tmp_path / "transmission")
    address = f"{job.host}:{job.port}"
    block = (share.folder / "folder/a/first").read_bytes()[:128]
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(block)
    wrong.write_bytes(block[:-1] + bytes([block[-1] ^ 1]))
    named = ["--peer", address, "--interface", "127.0.0.3"]
    async with open_transmission(job):
        await tracker.until(share.info_hash, seeders=1, leechers=0)
        async with (
            command(tmp_path / "matching.log", "probe", share.torrent, "--sample", right) as matching,
            command(tmp_path / "differing.log", "probe", share.torrent, "--sample", wrong, *named) as differing,
        ):
            assert await matching.end() == 0
            assert await differing.end() == DIFFERENT
    received = rf"\* Received block of piece 0 at offset 0: {block[:16].hex()}…"
    announced = [rf"\* Your announce url is: {re.escape(tracker.announce)}", r"\* Total 2 peers"]
    ourselves = re.compile(r"127\.0\.0\.1:\d+\t-> Err\(.*\)")
    agree(
        [line for line in matching.lines if not ourselves.fullmatch(line)],
        [*tour(share, address, *announced), received, r"\* RECEIVED BLOCK MATCHES SAMPLE DATA"],
    )
    agree(
        differing.lines,
        [*tour(share, address, r"\* Total 1 peers"), received, r"\* RECEIVED BLOCK DIFFERS FROM SAMPLE DATA"],
    )


def agree(lines: list[str], patterns: list[str]) -> None:
    """As many lines as patterns, and each as its pattern says."""
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line)
