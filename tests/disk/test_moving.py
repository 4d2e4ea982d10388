"""Files taken elsewhere, renamed and removed; what is in the way, and what goes wrong in the middle."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.payload import multi, random_bytes, write
from trio_torrent.disk import moving
from trio_torrent.disk.files import Files
from trio_torrent.disk.look import look
from trio_torrent.disk.moving import move, remove, rename
from trio_torrent.disk.parts import Parts
from trio_torrent.errors import StorageError

FILES = {"a": random_bytes(40_000), "b/c": random_bytes(70_000, seed=2), "b/empty": b"", "d": bytes(50_000)}
METAINFO = multi(FILES)


def go_on() -> None:
    pass


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """All but `d`, which is not there; and something in the part file."""
    there = {name: data for name, data in FILES.items() if name != "d"}
    write(tmp_path / "old" / "folder", there)
    parts = Parts(METAINFO)
    write(tmp_path / "old", {parts.name: b"parts"})
    files = Files(tmp_path / "old", METAINFO.layout, parts=parts)
    files.set_aside([3])
    return files


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def another_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renaming to it is not possible."""
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        if "new" in str(target):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(moving, "STEP", 30_000)


@pytest.mark.parametrize("how", ["rename", "copy"])
def test_everything_is_moved_with_its_times(files: Files, tmp_path: Path, how: str, request: pytest.FixtureRequest):
    if how == "copy":
        request.getfixturevalue("another_disk")
    before, seen = tree(tmp_path / "old"), look(files.path(0))
    move(files, tmp_path / "new" / "deep", go_on)
    assert tree(tmp_path / "new" / "deep") == before
    assert list((tmp_path / "old").iterdir()) == []
    assert look(files.path(0)) == seen
    buffer = memoryview(bytearray(100))
    files.read(0, buffer)
    assert bytes(buffer) == FILES["a"][:100]
    files.close()


def test_moving_to_where_it_is_does_nothing(files: Files, tmp_path: Path):
    before = tree(tmp_path)
    move(files, tmp_path / "old", go_on)
    assert tree(tmp_path) == before


def test_what_is_in_the_way_stays_and_so_does_everything(files: Files, tmp_path: Path):
    write(tmp_path / "new" / "folder" / "b", {"c": b"somebody's"})
    before = tree(tmp_path)
    with pytest.raises(StorageError, match=r"folder/b/c: is there already; move it away first"):
        move(files, tmp_path / "new", go_on)
    assert tree(tmp_path) == before
    assert files.root == tmp_path / "old"


@pytest.mark.parametrize("steps", range(6))
def test_a_copy_that_is_stopped_leaves_all_where_it_was(files: Files, tmp_path: Path, steps: int, another_disk: None):
    before, left = tree(tmp_path), steps

    def stop() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(files, tmp_path / "new", stop)
    assert tree(tmp_path) == before
    assert files.root == tmp_path / "old"


@pytest.mark.parametrize("number", range(4))
def test_a_rename_that_fails_leaves_all_where_it_was(
    files: Files, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
):
    before, real, count = tree(tmp_path), os.rename, 0

    def rename(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count == number + 1:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(StorageError, match="Permission denied"):
        move(files, tmp_path / "new", go_on)
    assert tree(tmp_path) == before


def test_holes_stay_holes_in_a_copy(tmp_path: Path, another_disk: None):
    metainfo = multi({"x": bytes(1_000_000)})
    files = Files(tmp_path / "old", metainfo.layout)
    (tmp_path / "old").mkdir()
    files.write(0, memoryview(b"begin"))
    move(files, tmp_path / "new", go_on)
    status = (tmp_path / "new/folder/x").stat()
    assert (status.st_size, status.st_blocks * 512 < 100_000) == (1_000_000, True)


# -- names -----------------------------------------------------------------------------------------------------------


def test_a_file_gets_another_name(files: Files, tmp_path: Path):
    rename(files, 1, ("elsewhere", "x"))
    assert tree(tmp_path / "old" / "elsewhere") == {"x": FILES["b/c"]}
    assert (tmp_path / "old/folder/b").exists(), "another file is in it"
    rename(files, 2, ("y",))
    assert not (tmp_path / "old/folder/b").exists()
    move(files, tmp_path / "new", go_on)
    assert (tmp_path / "new/elsewhere/x").read_bytes() == FILES["b/c"]


def test_a_file_that_is_not_there_yet_gets_it_too(files: Files, tmp_path: Path):
    files.bring([3])
    rename(files, 3, ("later",))
    files.write(110_000, memoryview(b"xyz"))
    assert (tmp_path / "old/later").read_bytes()[:3] == b"xyz"
    files.close()


def test_a_name_that_is_taken_is_refused(files: Files, tmp_path: Path):
    before = tree(tmp_path)
    with pytest.raises(StorageError, match="is there already"):
        rename(files, 0, ("folder", "b", "c"))
    assert tree(tmp_path) == before


# -- removing --------------------------------------------------------------------------------------------------------


def test_what_is_removed_is_gone_and_what_is_others_stays(files: Files, tmp_path: Path):
    write(tmp_path / "old" / "folder", {"mine": b"mine"})
    remove(files)
    assert tree(tmp_path) == {"old/folder/mine": b"mine"}
    assert not (tmp_path / "old/folder/b").exists()


def test_folders_that_are_empty_are_gone_but_for_the_root(files: Files, tmp_path: Path):
    remove(files)
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]


def test_what_a_link_leads_to_outside_stays(files: Files, tmp_path: Path):
    (tmp_path / "old/folder/b/c").unlink()
    (tmp_path / "old/folder/b/empty").unlink()
    (tmp_path / "old/folder/b").rmdir()
    write(tmp_path / "outside", {"c": b"not ours"})
    (tmp_path / "old/folder/b").symlink_to(tmp_path / "outside")
    remove(files)
    assert (tmp_path / "outside/c").read_bytes() == b"not ours"
