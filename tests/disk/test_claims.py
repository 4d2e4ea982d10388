"""Whose the files are that are there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.payload import multi, random_bytes, write
from trio_torrent.disk.claims import Claims
from trio_torrent.disk.files import PARTS, Files
from trio_torrent.disk.moving import move, remove, rename
from trio_torrent.disk.parts import Parts
from trio_torrent.disk.survey import survey
from trio_torrent.errors import StorageError

PIECE = 32768
DATA = {"a": random_bytes(PIECE + 100), "b": random_bytes(PIECE, seed=2)}  # pieces 0 and 1; 1 and 2
METAINFO = multi(DATA)
DIARY = b"somebody's diary"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    write(tmp_path / "folder", {"a": DIARY})
    return Files(tmp_path, METAINFO.layout, parts=Parts(METAINFO))


def diary(files: Files) -> bytes:
    return (files.root / "folder/a").read_bytes()


def refused(path: Path, *, claimed: bool) -> int | None:
    """With what number a file of 5 bytes is refused at its path."""
    claims = Claims(multi({"a": bytes(5)}).layout)
    claims.add([0] * claimed)
    errors = [claims.refusal(*seen) for seen in survey([(0, str(path))])]
    assert all(error is None or str(error).startswith(f"{path}: ") for error in errors)
    return next((error.number for error in errors if error is not None), None)


@pytest.mark.parametrize(
    ("put", "number", "claimed"),
    [
        (lambda path: None, None, None),
        (lambda path: path.write_bytes(b""), None, None),
        (lambda path: path.write_bytes(b"12345"), None, None),
        (lambda path: path.write_bytes(b"1234"), errno.EEXIST, None),
        (lambda path: path.write_bytes(b"123456"), errno.EEXIST, None),
        (lambda path: path.mkdir(), errno.EISDIR, errno.EISDIR),
        (os.mkfifo, errno.EEXIST, errno.EEXIST),
    ],
)
def test_what_is_taken_for_the_torrents(
    put: Callable[[Path], object], number: int | None, claimed: int | None, tmp_path: Path
):
    put(tmp_path / "a")
    assert refused(tmp_path / "a", claimed=False) == number
    assert refused(tmp_path / "a", claimed=True) == claimed


def test_something_where_a_folder_should_be(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"")
    assert refused(tmp_path / "a" / "b", claimed=False) == errno.ENOTDIR


def test_what_was_written_stays_ours(tmp_path: Path):
    files = Files(tmp_path, METAINFO.layout)
    files.write(0, memoryview(b"begin"))
    (tmp_path / "folder/a").write_bytes(b"damaged")
    assert files.occupied([0]) == {}


def test_no_write_gets_past_it(files: Files):
    with pytest.raises(StorageError, match="another file is there") as refused:
        files.write(100, memoryview(b"x"))
    assert (refused.value.number, refused.value.file) == (errno.EEXIST, 0)
    with pytest.raises(StorageError, match="another file is there"):
        files.reserve(0, 0, 100)
    assert diary(files) == DIARY
    files.close()


def test_what_comes_while_it_runs_is_not_written_over_either(tmp_path: Path):
    files = Files(tmp_path, METAINFO.layout)
    files.write(PIECE + 100, memoryview(b"b comes first"))
    write(tmp_path / "folder", {"a": DIARY})
    with pytest.raises(StorageError, match="another file is there"):
        files.write(0, memoryview(b"a"))
    assert diary(files) == DIARY
    files.close()


def test_its_bytes_are_in_the_part_file_and_stay_there(files: Files):
    files.give_way([0])
    data = DATA["a"][PIECE:] + DATA["b"][:5]
    files.write(PIECE, memoryview(data))
    for _ in range(2):
        buffer = memoryview(bytearray(len(data)))
        files.read(PIECE, buffer)
        assert bytes(buffer) == data
        with pytest.raises(StorageError, match="another file is there"):
            files.bring([0, 1])
    assert diary(files) == DIARY
    (files.root / "folder/a").unlink()
    files.bring([0])
    assert diary(files)[PIECE:] == DATA["a"][PIECE:]
    files.close()


def test_moving_the_torrent_leaves_it_where_it_is(files: Files, tmp_path: Path):
    files.give_way([0])
    files.write(PIECE, memoryview(DATA["a"][PIECE:] + DATA["b"]))
    move(files, tmp_path / "new", lambda: None)
    assert diary(Files(tmp_path, METAINFO.layout)) == DIARY
    assert sorted(path.name for path in (tmp_path / "new").rglob("*")) == sorted(["folder", "b", Parts(METAINFO).name])
    files.close()


def test_a_place_that_is_taken_for_what_is_still_to_come_refuses_the_move(tmp_path: Path):
    files = Files(tmp_path / "old", METAINFO.layout, parts=Parts(METAINFO))
    write(tmp_path / "old/folder", {"b": DATA["b"]})
    write(tmp_path / "new/folder", {"a": DIARY})
    with pytest.raises(StorageError, match="a: is there already; move it away first"):
        move(files, tmp_path / "new", lambda: None)
    assert files.root == tmp_path / "old"
    files.give_way([0])  # nothing is to come
    move(files, tmp_path / "new", lambda: None)
    assert diary(files) == DIARY


def test_a_file_gets_out_of_its_way_by_another_name(files: Files):
    files.give_way([0])
    files.write(PIECE, memoryview(DATA["a"][PIECE:]))
    rename(files, 0, ("folder", "other"))
    assert (diary(files), (files.root / "folder/other").exists()) == (DIARY, False)
    files.bring([0])
    assert (files.root / "folder/other").read_bytes()[PIECE:] == DATA["a"][PIECE:]
    files.close()


def test_a_name_that_somebody_else_has_is_refused(files: Files):
    files.write(PIECE + 100, memoryview(DATA["b"]))
    with pytest.raises(StorageError, match="is there already"):
        rename(files, 1, ("folder", "a"))
    assert (diary(files), files.path(1).read_bytes()) == (DIARY, DATA["b"])
    files.close()


def test_removing_the_torrent_does_not_remove_it(files: Files):
    files.give_way([0])
    files.write(PIECE, memoryview(DATA["a"][PIECE:] + DATA["b"]))
    assert files.owned() == [1, PARTS]
    remove(files)
    assert [path.name for path in files.root.rglob("*")] == ["folder", "a"]
    assert diary(files) == DIARY
