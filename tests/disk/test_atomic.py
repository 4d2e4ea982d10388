"""Small files: whole, or as they were."""

from __future__ import annotations

import os
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
    assert happened == ["sync file.new", "rename to file", f"sync {tmp_path.name}"]
