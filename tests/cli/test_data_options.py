"""What `get` and `seed` do with data, from the command line on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.payload import multi, random_bytes, single, write
from trio_torrent.cli.exits import Exit

from .running import EASY, events, exit_of, run, seeding

FILES = {"a.iso": random_bytes(100_000), "notes/b.txt": b"bee", "notes/c.txt": random_bytes(50_000, seed=2)}
METAINFO = multi(FILES)


@pytest.fixture
def torrent(tmp_path: Path) -> Path:
    path = tmp_path / "t.torrent"
    path.write_bytes(METAINFO.to_bytes())
    write(tmp_path / "seed" / "folder", FILES)
    return path


async def get(torrent: Path, tmp_path: Path, *options: object) -> subprocess.CompletedProcess[bytes]:
    with trio.fail_after(30):
        async with seeding(METAINFO, tmp_path / "seed") as peer:
            return await run("get", torrent, "-o", tmp_path / "out", *EASY, "--peer", peer, "--json", *options)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("select", "files"),
    [
        (("1",), {"folder/a.iso"}),
        (("2-3",), {"folder/notes/b.txt", "folder/notes/c.txt"}),
        (("*.txt", "1"), {f"folder/{name}" for name in FILES}),
    ],
)
async def test_select(torrent: Path, tmp_path: Path, select: tuple[str, ...], files: set[str]):
    result = await get(torrent, tmp_path, *[word for each in select for word in ("--select", each)])
    assert result.returncode == Exit.DONE
    assert {path for path in tree(tmp_path / "out") if not path.endswith(".parts")} == files
    told = events(result.stdout)
    assert {event["path"] for event in told if event["event"] == "file-complete"} == files
    assert told[-1]["event"] == "complete"


def test_select_what_is_not_there(torrent: Path, capsys: pytest.CaptureFixture[str]):
    assert exit_of("get", torrent, "--select", "7", *EASY) is Exit.USAGE
    assert capsys.readouterr().err == "trio-torrent: folder has files 1 to 3, not 7; --list shows its files\n"


@pytest.mark.slow
async def test_another_file_in_the_way(torrent: Path, tmp_path: Path):
    write(tmp_path / "out/folder", {"a.iso": b"mine"})
    result = await get(torrent, tmp_path)
    assert result.returncode == Exit.DISK
    assert b"another file is there; move it away, or overwrite it with --force" in result.stderr
    result = await get(torrent, tmp_path, "--force", "--sequential", "--allocate", "full")
    assert result.returncode == Exit.DONE
    assert (tmp_path / "out/folder/a.iso").read_bytes() == FILES["a.iso"]


@pytest.mark.slow
async def test_seed_without_a_check_believes_the_last_run(torrent: Path, tmp_path: Path):
    state: tuple[object, ...] = ("--state", tmp_path / "state")
    arguments = ("seed", torrent, "-d", tmp_path / "out", "--seed-time", "0", *EASY, "--json", *state)
    assert (await get(torrent, tmp_path, *state)).returncode == Exit.DONE
    damaged = tmp_path / "out/folder/a.iso"
    seen = damaged.stat()
    damaged.write_bytes(bytes(100_000))
    os.utime(damaged, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    with trio.fail_after(20):
        believed = await run(*arguments, "--no-check")
        assert (believed.returncode, [event["have"] for event in events(believed.stdout) if "have" in event]) == (
            0,
            [5],
        )
        checked = await run(*arguments)
    assert checked.returncode == Exit.UNVERIFIED


# -- a disk that is really full --------------------------------------------------------------------------------------

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Of 4 MiB, in memory. Only root can have one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount: run it as root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
async def test_a_disk_that_fills_up_and_is_freed(small_disk: Path, tmp_path: Path):
    """Somebody else fills it in the middle of the download, and makes room again."""
    payload = random_bytes(3 * MIB)
    metainfo = single(payload, piece_length=65536)
    torrent, ballast = tmp_path / "t.torrent", small_disk / "ballast"
    torrent.write_bytes(metainfo.to_bytes())
    write(tmp_path / "full", {"payload.bin": payload})
    arguments = ["get", torrent, "-o", small_disk / "out", *EASY, "--limit-down", "1M", "--json"]
    results: list[subprocess.CompletedProcess[bytes]] = []

    async def download(peer: object) -> None:
        results.append(await run(*arguments, "--peer", peer))

    with trio.fail_after(60):
        async with seeding(metainfo, tmp_path / "full") as peer, trio.open_nursery() as nursery:
            nursery.start_soon(download, peer)
            path = small_disk / "out/payload.bin"
            while not path.exists() or path.stat().st_blocks * 512 < MIB:  # noqa: ASYNC110
                await trio.sleep(0.02)
            fill(ballast)
            await trio.sleep(4)
            assert not results
            ballast.unlink()
    assert results[0].returncode == Exit.DONE
    assert b"No space left on device; trying again" in results[0].stderr
    assert path.read_bytes() == payload


def fill(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


@pytest.mark.slow
async def test_a_disk_that_is_too_small_is_said_to_be_so_at_once(small_disk: Path, tmp_path: Path):
    payload = random_bytes(5 * MIB)
    torrent = tmp_path / "t.torrent"
    torrent.write_bytes(single(payload).to_bytes())
    with trio.fail_after(20):
        result = await run("get", torrent, "-o", small_disk, *EASY)
    assert result.returncode == Exit.DISK
    assert result.stderr.decode().splitlines()[-1] == (
        f"trio-torrent: {small_disk}: 5.0 MiB more are needed, and 4.0 MiB are left"
    )
    assert os.listdir(small_disk) == []
