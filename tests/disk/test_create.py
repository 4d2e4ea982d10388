"""From files to digests: the same as from their contents, and an error where a file is not what it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import trio

from tests.metainfo.making import make_torrent
from tests.payload import random_bytes, write
from tests.simnet import InlineWorkers
from trio_torrent.disk import create as module
from trio_torrent.disk import opened as opened_module
from trio_torrent.disk import sweep as sweep_module
from trio_torrent.disk.create import Hashes, hash_files
from trio_torrent.disk.files import Files
from trio_torrent.disk.scan import scan
from trio_torrent.disk.workers import open_workers
from trio_torrent.errors import MetainfoError, StorageError
from trio_torrent.metainfo.infohash import Version

PIECE = 32768
PARTS = {
    "a": random_bytes(3 * PIECE + 100, 1),
    "b/empty": b"",
    "b/exact": random_bytes(PIECE, 2),
    "c": random_bytes(50, 3),
    "d": b"",
}
VERSIONS: tuple[Version, ...] = ("1", "2", "hybrid")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "folder", PARTS)


def made(hashes: Hashes) -> bytes:
    return hashes.draft.to_bytes(v1_hashes=hashes.v1_hashes, v2_layers=hashes.v2_layers)


async def hashed(path: Path, version: Version = "1", **options) -> bytes:
    return made(await hash_files(path, InlineWorkers(), version=version, piece_length=PIECE, **options))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_folder(folder: Path, version: Version):
    contents = {tuple(path.split("/")): data for path, data in PARTS.items()}
    assert await hashed(folder, version) == make_torrent("folder", contents, version, PIECE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [1, 16384, PIECE, PIECE + 1, 5 * PIECE - 1])
async def test_a_file(tmp_path: Path, version: Version, size: int):
    data = random_bytes(size)
    write(tmp_path, {"payload.bin": data})
    expected = make_torrent("payload.bin", {(): data}, version, PIECE)
    assert await hashed(tmp_path / "payload.bin", version) == expected


@pytest.mark.parametrize("version", VERSIONS)
async def test_many_threads_find_the_same(tmp_path: Path, version: Version, monkeypatch: pytest.MonkeyPatch):
    """More files than may be open, in more jobs than threads."""
    monkeypatch.setattr(sweep_module, "JOB_BYTES", 2 * PIECE)
    random = Random(7)
    sizes = [random.choice([0, 1, PIECE, 3 * PIECE + 1]) for _ in range(90)]
    contents: dict[tuple[str, ...], bytes] = {
        (f"{n % 7}", f"{n}"): random.randbytes(size) for n, size in enumerate(sizes)
    }
    write(tmp_path / "folder", {"/".join(path): data for path, data in contents.items()})
    async with open_workers(4) as workers:
        hashes = await hash_files(tmp_path / "folder", workers, version=version, piece_length=PIECE)
    assert made(hashes) == make_torrent("folder", contents, version, PIECE)


@pytest.mark.parametrize("version", VERSIONS)
async def test_progress_is_of_bytes_without_padding_and_comes_to_the_end(
    folder: Path, version: Version, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sweep_module, "JOB_BYTES", PIECE)
    told: list[tuple[int, int]] = []
    await hashed(folder, version, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert {total for _, total in told} == {sum(map(len, PARTS.values()))}
    assert told[-1][0] == told[-1][1]


async def test_links_and_attributes_reach_the_torrent(folder: Path):
    (folder / "link").symlink_to("b/exact")
    (folder / "c").chmod(0o700)
    data = await hashed(folder)
    assert b"4:attr2:xl6:lengthi0e4:pathl4:linke12:symlink pathl1:b5:exactee" in data
    assert b"4:attr1:x6:lengthi50e4:pathl1:cee" in data


async def test_the_same_files_in_another_order_on_disk_give_the_same(tmp_path: Path):
    names = [f"{number}" for number in range(30)]
    write(tmp_path / "1" / "x", dict.fromkeys(names, b"data"))
    write(tmp_path / "2" / "x", dict.fromkeys(reversed(names), b"data"))
    assert await hashed(tmp_path / "1" / "x") == await hashed(tmp_path / "2" / "x")


# -- what cannot be shared -------------------------------------------------------------------------------------------


async def test_nothing_to_share(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(MetainfoError, match="'folder' has no files"):
        await hashed(tmp_path / "folder")
    write(tmp_path / "folder", {"a": b"", "b": b""})
    with pytest.raises(MetainfoError, match="'folder' has no bytes to share"):
        await hashed(tmp_path / "folder")


async def test_a_piece_length_that_is_none(folder: Path):
    with pytest.raises(ValueError, match="a piece length of 5"):
        await hash_files(folder, InlineWorkers(), piece_length=5)


async def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    plain = os.open

    def refuse(path, *arguments):
        if Path(path) == folder / "c":
            raise PermissionError(13, "Permission denied", path)
        return plain(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match="folder/c: Permission denied"):
        await hashed(folder)


Meddle = Callable[[Path], object]


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize(
    ("meddle", "reason"),
    [
        (lambda path: os.truncate(path, 100), "shorter than it was"),
        (Path.unlink, "No such file"),
        (lambda path: path.write_bytes(bytes(PIECE + 1)), "changed while it was read"),
        (lambda path: os.utime(path, ns=(0, 0)), "changed while it was read"),
        (replace, "changed while it was read"),
    ],
    ids=["shorter", "gone", "longer", "written", "replaced"],
)
async def test_a_file_that_changes_meanwhile(
    folder: Path, meddle: Meddle, reason: str, monkeypatch: pytest.MonkeyPatch
):
    class Meddled(Files):
        def read(self, start: int, buffer: memoryview) -> None:
            if not start:
                meddle(folder / "b" / "exact")
            super().read(start, buffer)

    monkeypatch.setattr(module, "Files", Meddled)
    with pytest.raises(StorageError, match=f"^{folder}/b/exact: {reason}"):
        await hashed(folder)


# -- threads ---------------------------------------------------------------------------------------------------------


class Watched(Files):
    """Notes which pieces are read, and lets a test wait in the middle."""

    seen: list[int]
    before: Callable[[int], object]
    open_descriptors: Callable[[], int]

    def read(self, start: int, buffer: memoryview) -> None:
        self.seen.append(start // PIECE)
        self.before(start // PIECE)
        super().read(start, buffer)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    """For 200 pieces in jobs of 50."""
    write(tmp_path, {"payload.bin": bytes(200 * PIECE)})
    monkeypatch.setattr(module, "Files", Watched)
    monkeypatch.setattr(sweep_module, "JOB_BYTES", 50 * PIECE)
    monkeypatch.setattr(Watched, "seen", [], raising=False)
    monkeypatch.setattr(Watched, "before", staticmethod(lambda piece: None), raising=False)
    return Watched


async def test_cancelled_it_ends_with_the_pieces_that_are_being_hashed(tmp_path: Path, watched: type[Watched]):
    """Two threads are in the middle of their first jobs, and others wait: nothing of them is begun."""
    begun, may_go_on = threading.Barrier(3), threading.Event()

    def before(piece: int) -> None:
        begun.wait(10)
        assert may_go_on.wait(10)

    watched.before = staticmethod(before)
    with trio.CancelScope() as scope:
        async with open_workers(2) as workers, trio.open_nursery() as nursery:
            nursery.start_soon(hash_files, tmp_path / "payload.bin", workers)
            await trio.to_thread.run_sync(begun.wait, 10)
            scope.cancel()
            nursery.start_soon(_let_go, may_go_on)
    assert scope.cancelled_caught
    assert sorted(watched.seen) == [0, 50]


async def _let_go(may_go_on: threading.Event) -> None:
    """When those who were cancelled have gone."""
    with trio.CancelScope(shield=True):
        await trio.testing.wait_all_tasks_blocked()
    may_go_on.set()


async def test_an_error_ends_it_at_once(tmp_path: Path, watched: type[Watched]):
    def fail(piece: int) -> None:
        if piece == 3:
            raise StorageError("the disk is broken")

    watched.before = staticmethod(fail)
    with pytest.raises(StorageError, match="the disk is broken"):
        await hash_files(tmp_path / "payload.bin", InlineWorkers(), version="1", piece_length=PIECE)
    assert watched.seen == [0, 1, 2, 3]


async def test_cancelled_while_it_looks_through_folders(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The thread itself stops, as there may be millions of files."""
    scanning, may_go_on = threading.Event(), threading.Event()
    looked: list[int] = []

    def slow(path: Path, may_continue: Callable[[], object]) -> object:
        def look() -> None:
            scanning.set()
            assert may_go_on.wait(10)
            looked.append(1)
            may_continue()

        return scan(path, look)

    monkeypatch.setattr(module, "scan", slow)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hash_files, folder, InlineWorkers())
            await trio.to_thread.run_sync(scanning.wait, 10)
            scope.cancel()
            may_go_on.set()
    assert scope.cancelled_caught
    assert len(looked) == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list open descriptors")
async def test_few_files_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "folder", {f"{number}": b"x" for number in range(300)})
    before = len(os.listdir("/proc/self/fd"))
    most = 0

    class Counting(Files):
        def read(self, start: int, buffer: memoryview) -> None:
            nonlocal most
            super().read(start, buffer)
            most = max(most, len(os.listdir("/proc/self/fd")))

    monkeypatch.setattr(module, "Files", Counting)
    await hashed(tmp_path / "folder", "2")
    assert most <= before + opened_module.MOST_OPEN + 2
    assert len(os.listdir("/proc/self/fd")) <= before + 2
