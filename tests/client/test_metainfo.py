"""Torrents from and to the disk, as programs use them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import trio

from tests.payload import multi, random_bytes, write
from trio_torrent import FileVerified, Metainfo, MetainfoError, StorageError, Verified
from trio_torrent.metainfo.infohash import Version

PIECE = 16384
PARTS = {"a": random_bytes(PIECE + 100, 1), "b": random_bytes(50, 2), "c": random_bytes(2 * PIECE, 3), "empty": b""}
VERSIONS: tuple[Version, ...] = ("1", "2", "hybrid")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "folder", PARTS)


def not_complete(found: Verified) -> dict[str, int]:
    """Files, and how many of their bytes are good."""
    return {file.path: file.good_bytes for file in found.files if not file.complete}


@pytest.mark.parametrize("version", VERSIONS)
async def test_made_written_read_and_verified(folder: Path, version: Version):
    metainfo = await Metainfo.create(
        folder,
        version=version,
        piece_length=PIECE,
        trackers=[["http://a/announce", "udp://b:1"], ["http://c/announce"]],
        web_seeds=["http://w/"],
        private=True,
        comment="hello",
        source="SRC",
        creation_date=1_700_000_000,
    )
    path = folder.parent / "x.torrent"
    path.write_bytes(metainfo.to_bytes())
    again = Metainfo.from_file(path)
    assert again == metainfo
    assert (again.name, again.version, again.private, again.source) == ("folder", version, True, "SRC")
    assert (again.comment, again.creation_date, again.web_seeds) == ("hello", 1_700_000_000, ("http://w/",))
    assert again.trackers == (("http://a/announce", "udp://b:1"), ("http://c/announce",))
    found = await again.verify(folder.parent)
    assert (found.good, found.bad, found.missing, found.complete) == (metainfo.geometry.pieces, 0, 0, True)
    assert [(file.path, file.length) for file in found.files] == [(f"folder/{p}", len(d)) for p, d in PARTS.items()]


async def test_the_same_input_gives_the_same_bytes(folder: Path):
    first = await Metainfo.create(folder)
    for path in PARTS:
        os.utime(folder / path, ns=(0, 0))
    assert (await Metainfo.create(folder, threads=1)).to_bytes() == first.to_bytes()


async def test_progress_of_both(folder: Path):
    told: list[tuple[int, int]] = []
    metainfo = await Metainfo.create(folder, progress=lambda done, total: told.append((done, total)))
    size = sum(map(len, PARTS.values()))
    assert told[-1] == (size, size)
    await metainfo.verify(folder.parent, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (metainfo.geometry.pieces, metainfo.geometry.pieces)


# -- errors come as themselves ---------------------------------------------------------------------------------------


async def test_errors_are_not_in_groups(tmp_path: Path):
    with pytest.raises(StorageError, match="none: No such file"):
        await Metainfo.create(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MetainfoError, match="'folder' has no files"):
        await Metainfo.create(tmp_path / "folder")
    with pytest.raises(ValueError, match="a piece length of 5"):
        await Metainfo.create(write(tmp_path / "folder", PARTS), piece_length=5)


async def test_a_cancelled_one_leaves_no_thread_at_work(folder: Path):
    with trio.move_on_after(0) as scope:
        await Metainfo.create(folder)
    assert scope.cancelled_caught
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]


async def test_a_v2_torrent_without_its_layers_cannot_be_compared(folder: Path):
    info = (await Metainfo.create(folder, version="2", piece_length=PIECE)).info_bytes
    with pytest.raises(MetainfoError, match="piece layers"):
        await Metainfo.from_info(info).verify(folder.parent)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        Metainfo.from_file(tmp_path / "none")


# -- file by file ----------------------------------------------------------------------------------------------------


async def test_v1_shares_pieces_among_files(folder: Path):
    """a is in pieces 0 and 1, b in 1, c in 1 to 3."""
    (folder / "b").unlink()
    found = await multi(PARTS, piece_length=PIECE).verify(folder.parent)
    assert (found.good, found.bad, found.missing, found.complete) == (3, 0, 1, False)
    assert not_complete(found) == {"folder/a": PIECE, "folder/b": 0, "folder/c": 2 * PIECE - (PIECE - 150)}


@pytest.mark.parametrize("version", ["2", "hybrid"])
async def test_v2_is_exact_to_the_file(folder: Path, version: Version):
    metainfo = await Metainfo.create(folder, version=version, piece_length=PIECE)
    (folder / "b").write_bytes(bytes(50))
    with (folder / "c").open("r+b") as file:
        file.truncate(PIECE + 1)
    found = await metainfo.verify(folder.parent)
    assert (found.good, found.bad, found.missing) == (3, 1, 1)
    assert found.files == (
        FileVerified("folder/a", PIECE + 100, PIECE + 100, complete=True),
        FileVerified("folder/b", 50, 0, complete=False),
        FileVerified("folder/c", 2 * PIECE, PIECE, complete=False),
        FileVerified("folder/empty", 0, 0, complete=True),
    )


async def test_links_are_not_compared(folder: Path):
    (folder / "link").symlink_to("a")
    metainfo = await Metainfo.create(folder, version="hybrid")
    (folder / "link").unlink()
    found = await metainfo.verify(folder.parent)
    assert found.complete
    assert "folder/link" not in {file.path for file in found.files}


async def test_nothing_is_written(folder: Path, tmp_path: Path):
    metainfo = await Metainfo.create(folder)
    found = await metainfo.verify(tmp_path / "elsewhere")
    assert (found.good, found.missing) == (0, metainfo.geometry.pieces)
    assert sorted(os.listdir(tmp_path)) == ["folder"]
