"""What is there already, whatever is there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import pytest
import trio

from tests.metainfo.making import make_torrent
from tests.payload import multi, random_bytes, single, write
from tests.simnet import InlineWorkers
from trio_torrent.bitfield import Bitfield
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.disk import sweep as module
from trio_torrent.disk.check import check
from trio_torrent.disk.files import Files
from trio_torrent.disk.workers import open_workers
from trio_torrent.metainfo.build import Entry, draft
from trio_torrent.metainfo.merkle import piece_node

PIECE = 32768
PARTS = {
    "a": random_bytes(PIECE + 100, 1),
    "empty": b"",
    "b": random_bytes(50, 2),
    "c": random_bytes(2 * PIECE, 3),
}
FOLDER = multi(PARTS)  # a is in pieces 0 and 1, b in 1, c in 1, 2 and 3
PAYLOAD = random_bytes(40 * PIECE + 7)
FILE = single(PAYLOAD)


async def find(
    metainfo: Metainfo, tmp_path: Path, progress: Callable[[int], None] = lambda checked: None
) -> tuple[set[int], set[int]]:
    """The good pieces and the missing ones."""
    files = Files(tmp_path, metainfo.layout)
    findings = await check(metainfo, files, InlineWorkers(), progress)
    files.close()
    assert findings.good.size == findings.missing.size == metainfo.geometry.pieces
    return set(findings.good), set(findings.missing)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "folder", PARTS)


async def test_nothing_there(tmp_path: Path):
    assert await find(FOLDER, tmp_path) == (set(), {0, 1, 2, 3})
    assert os.listdir(tmp_path) == [], "looking creates nothing"


async def test_everything_there(folder: Path):
    assert await find(FOLDER, folder.parent) == ({0, 1, 2, 3}, set())


async def test_a_missing_file_costs_the_pieces_that_it_has_a_part_of(folder: Path):
    (folder / "b").unlink()
    assert await find(FOLDER, folder.parent) == ({0, 2, 3}, {1})


async def test_a_missing_empty_file_costs_nothing(folder: Path):
    (folder / "empty").unlink()
    assert await find(FOLDER, folder.parent) == ({0, 1, 2, 3}, set())


async def test_a_short_file(folder: Path):
    os.truncate(folder / "c", PIECE)
    assert await find(FOLDER, folder.parent) == ({0, 1}, {2, 3})


async def test_a_longer_file_is_no_harm(folder: Path):
    with (folder / "c").open("ab") as file:
        file.write(b"more")
    assert await find(FOLDER, folder.parent) == ({0, 1, 2, 3}, set())


async def test_a_wrong_byte_costs_its_piece(folder: Path):
    wrong = bytearray(PARTS["c"])
    wrong[PIECE] ^= 1
    (folder / "c").write_bytes(wrong)
    assert await find(FOLDER, folder.parent) == ({0, 1, 3}, set()), "it is there, and wrong"


async def test_a_file_that_cannot_be_read_counts_as_missing(folder: Path):
    (folder / "c").unlink()
    (folder / "c").mkdir()
    (folder / "c" / "something").touch()
    assert await find(FOLDER, folder.parent) == ({0}, {1, 2, 3})


async def test_a_file_in_the_place_of_the_folder(tmp_path: Path):
    (tmp_path / "folder").write_bytes(b"")
    assert await find(FOLDER, tmp_path) == (set(), {0, 1, 2, 3})


@pytest.mark.parametrize("version", ["2", "hybrid"])
async def test_padding_is_not_looked_for_and_gaps_are_nobodys(tmp_path: Path, version):
    data = {"x": bytes(range(100)), "y": random_bytes(40_000)}
    plan = draft("folder", [Entry((name,), len(part)) for name, part in data.items()], version=version)
    length = plan.geometry.piece_length
    pieces = [(number, data[file.path[-1]]) for number, file in enumerate(plan.layout.files) if not file.padding]
    layers = {
        number: b"".join(piece_node(part[at : at + length], length, len(part)) for at in range(0, len(part), length))
        for number, part in pieces
    }
    padded = b"".join(part + bytes(-len(part) % length) for _, part in pieces)[: plan.geometry.span]
    metainfo = Metainfo.from_bytes(plan.to_bytes(v1_hashes=sha1s(padded, length, version), v2_layers=layers))
    write(tmp_path / "folder", data)
    assert await find(metainfo, tmp_path) == (set(range(metainfo.geometry.pieces)), set())


def sha1s(data: bytes, length: int, version: str) -> bytes:
    if version == "2":
        return b""
    return b"".join(sha1(data[at : at + length]).digest() for at in range(0, len(data), length))


# -- progress, and many cores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [1, 13, 41])
async def test_progress_never_steps_back_and_comes_to_the_end(
    tmp_path: Path, there: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "JOB_BYTES", 3 * PIECE)
    write(tmp_path, {"payload.bin": PAYLOAD[: there * PIECE]})
    told: list[int] = []
    assert (await find(FILE, tmp_path, told.append))[0] == set(range(there))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 41)
    assert len(told) == 1 + 14


async def test_pieces_of_files_that_are_missing_need_no_looking_at(folder: Path):
    (folder / "c").unlink()
    told, files = list[int](), Watched(folder.parent, FOLDER.layout)
    looked_at = list[int]()
    files.before = looked_at.append
    assert [*(await check(FOLDER, files, InlineWorkers(), told.append)).missing] == [1, 2, 3]
    files.close()
    assert (looked_at, told) == ([0], [3, 4])


class Watched(Files):
    """Calls `before` with the piece that is about to be read."""

    before: Callable[[int], object]

    def read(self, start: int, buffer: memoryview) -> None:
        self.before(start // PIECE)
        super().read(start, buffer)


async def test_all_threads_work_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """None gets past the barrier before three are there."""
    monkeypatch.setattr(module, "JOB_BYTES", PIECE)
    write(tmp_path, {"payload.bin": PAYLOAD})
    together, files = threading.Barrier(3), Watched(tmp_path, FILE.layout)
    files.before = lambda piece: piece < 3 and together.wait(10)
    async with open_workers(3) as workers:
        assert (await check(FILE, files, workers)).good.complete
    files.close()


async def test_cancelled_it_stops_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The jobs that wait for a thread are few."""
    monkeypatch.setattr(module, "JOB_BYTES", PIECE)
    write(tmp_path, {"payload.bin": PAYLOAD})
    looked_at, files = list[int](), Watched(tmp_path, FILE.layout)
    files.before = looked_at.append
    async with open_workers(2) as workers:
        with trio.CancelScope() as scope:
            await check(FILE, files, workers, lambda checked: scope.cancel())
        assert scope.cancelled_caught
    files.close()
    assert len(looked_at) < 10


async def test_what_nothing_can_be_compared_with_is_passed_over(tmp_path: Path):
    """Pure v2: a file of two pieces whose layer is missing, and one that its root verifies."""
    large, small = random_bytes(40_000, 1), random_bytes(100, 2)
    whole = Metainfo.from_bytes(make_torrent("n", {("a",): large, ("b",): small}, "2", 32768))
    write(tmp_path, {"n/a": large, "n/b": small})
    async with open_workers(2) as workers:
        for metainfo, only, good in [
            (Metainfo.from_info(whole.info_bytes), None, [2]),
            (whole, None, [0, 1, 2]),
            (whole, Bitfield(3, [0, 1]), [0, 1]),
        ]:
            files = Files(tmp_path, metainfo.layout)
            assert [*(await check(metainfo, files, workers, only=only)).good] == good
            files.close()
