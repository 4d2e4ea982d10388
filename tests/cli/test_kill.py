"""`get` killed at any moment, and started again: nothing wrong is believed, and hardly anything is lost."""

from __future__ import annotations

import json
import subprocess
import time
from hashlib import sha1
from pathlib import Path
from random import Random

import pytest
import trio

from tests.payload import multi, random_bytes, write
from trio_torrent import Metainfo, Settings, open_client
from trio_torrent.disk.record import Record

from .running import command

KILLS = 20
AT_ONCE = 4  # downloads
PIECE = 65536
RATE = 1 << 20  # bytes a second for each, so that it takes some lives
PARTS = {"a": random_bytes(5_000_000), "empty": b"", "b": random_bytes(100), "c": random_bytes(27_000_000, seed=2)}

METAINFO = multi(PARTS, piece_length=PIECE)

# A piece is in the record 2 s after it was verified, and the record on the disk soon after.
MOST_LOST = 5.0 * RATE

pytestmark = pytest.mark.slow


def recorded(state: Path, metainfo: Metainfo) -> set[int]:
    """The pieces that the newest record names."""
    path = state / f"{metainfo.info_hashes.wire.hex()}.resume"
    if not path.exists():
        return set()
    return set(Record.from_bytes(path.read_bytes(), metainfo.geometry.pieces).have)


def right(folder: Path, metainfo: Metainfo) -> set[int]:
    """The pieces that are in the files, found out without any of the code that is tested."""
    whole = b""
    for name, data in PARTS.items():
        path = folder / "folder" / name
        there = path.read_bytes() if path.exists() else b""
        whole += there.ljust(len(data), b"\0")
    hashes = [sha1(whole[at : at + PIECE]).digest() for at in range(0, len(whole), PIECE)]
    return {piece for piece, digest in enumerate(hashes) if digest == metainfo.piece_hash(piece)}


def live(arguments: list[object], seconds: float) -> list[dict[str, object]]:
    """Run it until it ends or has lived so long; what it has told."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith(b"\n")]


async def killed(arguments: list[object], lives: list[float], state: Path, folder: Path) -> None:
    """Start it and kill it, again and again."""
    known, before = 0, set[int]()
    for seconds in lives:
        events = await trio.to_thread.run_sync(live, arguments, seconds)
        had, there = recorded(state, METAINFO), right(folder, METAINFO)
        assert had <= there, "no false have"
        assert len(there - had - before) * PIECE <= MOST_LOST, "what an earlier life lost lies there, too"
        before = there
        assert all(int(str(event["have"])) >= known for event in events if event["event"] == "checked")
        known = len(had)


async def test_killed_in_mid_download(tmp_path: Path):
    torrent = tmp_path / "t.torrent"
    torrent.write_bytes(METAINFO.to_bytes())
    write(tmp_path / "seed" / "folder", PARTS)
    settings = Settings(port=0, interface="127.0.0.1")
    async with open_client(settings) as client:
        seed = await client.add(METAINFO, save_path=tmp_path / "seed")
        await seed.wait_complete()
        runs = []
        for number in range(AT_ONCE):
            state, folder = tmp_path / f"state {number}", tmp_path / f"download {number}"
            arguments: list[object] = [
                "get",
                torrent,
                "-o",
                folder,
                "--port",
                "0",
                "--interface",
                "127.0.0.1",
                "--json",
            ]
            arguments += ["--state", state, "--peer", f"127.0.0.1:{client.port}"]
            runs.append((arguments, state, folder))
        async with trio.open_nursery() as nursery:
            for number, (arguments, state, folder) in enumerate(runs):
                random = Random(number)
                lives = [random.uniform(0.5, 6) for _ in range(KILLS // AT_ONCE)]
                nursery.start_soon(killed, [*arguments, "--limit-down", RATE], lives, state, folder)
        for arguments, state, folder in runs:
            begun = recorded(state, METAINFO)
            events = await trio.to_thread.run_sync(live, arguments, 60)
            assert events[-1]["event"] == "complete"
            assert int(str(events[-1]["downloaded"])) <= sum(map(len, PARTS.values())) - (len(begun) - 1) * PIECE
            assert {name: (folder / "folder" / name).read_bytes() for name in PARTS} == PARTS
            assert recorded(state, METAINFO) == set(range(METAINFO.geometry.pieces))


async def test_a_restart_checks_nothing_that_it_knows(tmp_path: Path):
    """A gigabyte of which most is there: it is downloading again within a second."""
    size = 1 << 30
    data = random_bytes(1 << 20)
    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(data)
    metainfo = await Metainfo.create(path, piece_length=1 << 20, version="1")
    torrent, state = tmp_path / "t.torrent", tmp_path / "state"
    torrent.write_bytes(metainfo.to_bytes())
    arguments: list[object] = ["seed", torrent, "-d", tmp_path, "--port", "0", "--no-trackers", "--json"]
    arguments += ["--state", state]
    await trio.to_thread.run_sync(live, [*arguments, "--seed-time", "0"], 60)
    for seconds in (0.4, 0.7, 1.0, 1.3):
        await trio.to_thread.run_sync(live, arguments, seconds)  # killed in mid check
    begun = time.perf_counter()
    events = await trio.to_thread.run_sync(live, [*arguments, "--no-check", "--seed-time", "0"], 60)
    seconds = time.perf_counter() - begun
    assert [event["have"] for event in events if event["event"] == "checked"] == [1024]
    assert not [event for event in events if event["event"] == "progress" and event["state"] == "checking"]
    assert seconds < 5, "even on a busy machine: reading it would take longer"
