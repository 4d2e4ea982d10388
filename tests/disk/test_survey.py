"""What is in the places of many files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from trio_torrent.disk.survey import survey


def look(*paths: Path) -> dict[int, int | None]:
    """The sizes of what is there, by place."""
    found = survey(enumerate(map(str, paths)))
    return {number: status.st_size if status is not None else None for number, _, status in found}


def test_what_is_there_and_what_is_not(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    there = tmp_path / "a", tmp_path / "folder/link"
    assert look(tmp_path / "b", *there, tmp_path / "nowhere", tmp_path / "a/b") == {1: 5, 2: 5, 4: None}


def test_what_cannot_be_said_is_left_out(tmp_path: Path):
    assert look(tmp_path / ("x" * 300), tmp_path / "\udcff" / "a") == {}


def test_a_folder_that_is_missing_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "z").write_bytes(b"z")
    paths = [tmp_path / "folder" / name for name in ("a", "b", "c")] + [tmp_path / name for name in ("y", "z")]
    asked, real = list[str](), os.stat

    def note(path: str) -> os.stat_result:
        asked.append(os.path.relpath(path, tmp_path))
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", note)
        found = look(*paths)
    assert found == {4: 1}
    assert asked == ["folder/a", "folder", "y", ".", "z"]


def test_a_folder_that_may_not_be_looked_into_is_no_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: str) -> os.stat_result:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", refuse)
        assert look(tmp_path / "folder/a", tmp_path / "folder/b") == {}
