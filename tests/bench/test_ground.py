"""What clients are measured on does what it should: else the figures would be of something else."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
import trio

from tests.payload import multi, random_bytes, write
from trio_torrent import Settings, open_client
from trio_torrent.address import Address

from .download import raw
from .measure import running, spent, watch
from .place import Place
from .tracker import serve_fixed_peers

PIECE = 1 << 16
FILES = {"a": random_bytes(3 * PIECE + 20_000), "b/c": random_bytes(500), "d": random_bytes(2 * PIECE + 1)}


def make_place(folder: Path, announce: str = "http://127.0.0.1:1/announce") -> Place:
    metainfo = multi(FILES, piece_length=PIECE, announce=announce)
    write(folder / "data", {f"folder/{path}": data for path, data in FILES.items()})
    (folder / "payload.torrent").write_bytes(metainfo.to_bytes())
    return Place(folder, folder / "data" / "folder", folder / "payload.torrent", sum(map(len, FILES.values())))


def test_the_blocks_of_a_place_are_those_of_its_torrent(tmp_path: Path):
    where, data = make_place(tmp_path), b"".join(FILES.values())
    assert list(where.blocks()) == [data[at : at + 16384] for at in range(0, len(data), 16384)]


def test_a_download_that_differs_is_not_whole(tmp_path: Path):
    where, out = make_place(tmp_path), tmp_path / "out"
    write(out, {f"folder/{path}": data for path, data in FILES.items()})
    assert where.is_in(out)
    (out / "folder" / "d").write_bytes(bytes(2 * PIECE + 1))
    assert not where.is_in(out)
    (out / "folder" / "d").unlink()
    assert not where.is_in(out)


@pytest.mark.slow
@pytest.mark.parametrize("dialled", [False, True])
async def test_the_raw_seeder_gives_everything(tmp_path: Path, dialled: bool):
    """To whom its tracker has told of it, and to whom it calls."""
    with serve_fixed_peers() as tracker:
        where = make_place(tmp_path, tracker.url)
        with raw(where, PIECE) as (seeder, address):
            tracker.reset(
                [] if dialled else [address], lambda port: seeder.say(f"127.0.0.1 {port}") if dialled else None
            )
            async with open_client(Settings(port=0, dht=False, lsd=False)) as client:
                torrent = await client.add(where.torrent, save_path=tmp_path / "out")
                with trio.fail_after(10):
                    await torrent.wait_complete()
    assert where.is_in(tmp_path / "out")
    assert tracker.first is not None


def test_the_raw_seeder_hangs_up_on_strangers(tmp_path: Path):
    with (
        raw(make_place(tmp_path), PIECE) as (_, address),
        socket.create_connection((address.host, address.port)) as peer,
    ):
        peer.settimeout(5)
        peer.sendall(bytes(68))
        assert peer.recv(1) == b""


def test_peers_are_for_those_who_lack_something():
    with serve_fixed_peers() as tracker:
        tracker.reset([Address("127.0.0.1", 258)])
        assert b"\x7f\x00\x00\x01\x01\x02" not in tracker.answer("/announce?port=1&left=0")
        assert b"\x7f\x00\x00\x01\x01\x02" not in tracker.answer("/announce?port=1&left=9&event=stopped")
        assert tracker.first is None
        assert b"\x7f\x00\x00\x01\x01\x02" in tracker.answer("/announce?port=1&left=9&event=started")
        assert tracker.first is not None


def test_what_a_program_costs(tmp_path: Path):
    mebibytes = 64
    cost = spent(["/bin/sh", "-c", f"head -c {mebibytes << 20} /dev/zero | tail -c 1 > {tmp_path}/out; sleep 0.05"])
    assert 0.05 < cost.seconds < 5
    assert 0 < cost.rss < 1000


def test_a_program_that_fails_is_not_measured():
    with pytest.raises(RuntimeError, match="ended with 3"):
        spent(["/bin/sh", "-c", "exit 3"])


def test_who_stays_is_done_when_it_says_so_and_is_ended(tmp_path: Path):
    mark = tmp_path / "done"
    with running(["/bin/sh", "-c", f": > {mark}; exec sleep 60"]) as program:
        watch(program, is_done=mark.exists)
        assert program.process.poll() is None
    assert program.process.returncode == -signal.SIGTERM
