"""Small files: whole, or as they were."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trio_torrent.disk import atomic


def test_what_was_put_there_is_there(tmp_path: Path):
    path = tmp_path / "deep" / "folder" / "file"
    assert atomic.read(path, 100) == b""
    for data in (b"one", b"another", b""):
        atomic.replace(path, data)
        assert atomic.read(path, 100) == data
    assert os.listdir(path.parent) == ["file"]


def test_what_is_too_long_is_not_read(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(bytes(101))
    assert atomic.read(path, 100) == b""
    assert atomic.read(path, 101) == bytes(101)
    assert atomic.read(tmp_path, 100) == b"", "a folder"


@pytest.mark.parametrize("operation", ["os.fsync", "pathlib.Path.replace"])
def test_where_it_fails_the_old_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str):
    path = tmp_path / "file"
    atomic.replace(path, b"old")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(operation, fail)
    with pytest.raises(OSError, match="No space"):
        atomic.replace(path, b"new")
    assert atomic.read(path, 100) == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_it_is_on_the_disk_before_it_takes_the_place_of_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    happened: list[str] = []
    sync, rename = os.fsync, Path.replace

    def replace(path: Path, target: Path) -> Path:
        happened.append(f"rename to {target.name}")
        return rename(path, target)

    def fsync(descriptor: int) -> None:
        happened.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        sync(descriptor)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(os, "fsync", fsync)
    atomic.replace(tmp_path / "file", b"data")
    assert happened[0].startswith("sync file.")
    assert happened[1:] == ["rename to file", f"sync {tmp_path.name}"]


# -- others in the same folder ---------------------------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What others do while the next files are written, one for each."""
    doing: list[Callable[[], object]] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if doing:
            doing.pop()()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return doing


@pytest.mark.parametrize("before", [None, "before"])
def test_two_who_replace_the_same_do_not_disturb_each_other(
    tmp_path: Path, before: str | None, meanwhile: list[Callable[[], object]]
):
    path, kept = tmp_path / "file", tmp_path / before if before else None
    atomic.replace(path, b"old", before=kept)
    meanwhile.append(lambda: atomic.replace(path, b"theirs", before=kept))
    atomic.replace(path, b"ours", before=kept)
    assert path.read_bytes() == b"ours"
    assert kept is None or kept.read_bytes() == b"theirs"
    assert sorted(os.listdir(tmp_path)) == sorted(filter(None, ["file", before]))


def litter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Killed while it writes, a program leaves this in the folder."""

    class Killed(BaseException):
        pass

    def die(descriptor: int) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        patch.setattr(Path, "unlink", lambda path: None)
        with pytest.raises(Killed):
            atomic.replace(folder / "file", b"half of it")
    (name,) = os.listdir(folder)
    return name


def test_what_a_killed_program_has_left_is_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    left = litter(tmp_path, monkeypatch)
    others = ["file.new", f"{left}.zip", left.replace("file", ""), "new"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    atomic.clean(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(others)
    atomic.clean(tmp_path / "nowhere")


def test_who_is_taken_for_dead_tries_again(tmp_path: Path, meanwhile: list[Callable[[], object]]):
    path = tmp_path / "file"
    atomic.replace(path, b"old")
    meanwhile += [lambda: atomic.clean(tmp_path)] * (atomic.TRIES - 1)
    atomic.replace(path, b"new", before=tmp_path / "before")
    assert (path.read_bytes(), (tmp_path / "before").read_bytes()) == (b"new", b"old")
    meanwhile += [lambda: atomic.clean(tmp_path)] * atomic.TRIES
    with pytest.raises(FileNotFoundError):
        atomic.replace(path, b"newer")
    assert sorted(os.listdir(tmp_path)) == ["before", "file"]
