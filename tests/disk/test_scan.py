"""What is shared, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.payload import write
from trio_torrent.disk import scan as module
from trio_torrent.disk.scan import changed, scan
from trio_torrent.errors import StorageError
from trio_torrent.metainfo.build import Entry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "folder", {"a": b"a" * 10, "sub/b": b"bb", ".hidden/.c": b"", "run": b"#!"})


def entries(path: Path) -> dict[str, Entry]:
    return {"/".join(each.entry.path): each.entry for each in scan(path)[1]}


def links(path: Path) -> dict[str, str]:
    return {name: "/".join(entry.symlink) for name, entry in entries(path).items() if entry.symlink}


def test_everything_below_a_folder(folder: Path):
    (folder / "run").chmod(0o755)
    (folder / "a").chmod(0o654)  # for others, but not for its owner
    (folder / "empty").mkdir()
    name, found = scan(folder)
    assert name == "folder"
    assert {each.entry.path: (each.entry.length, each.entry.executable) for each in found} == {
        ("a",): (10, False),
        ("sub", "b"): (2, False),
        (".hidden", ".c"): (0, False),
        ("run",): (2, True),
    }
    assert {each.source for each in found} == {folder / "a", folder / "sub/b", folder / ".hidden/.c", folder / "run"}


def test_a_file(folder: Path):
    name, (found,) = scan(folder / "a")
    assert (name, found.entry, found.source) == ("a", Entry((), 10), folder / "a")


def test_what_it_is_called(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder / "sub")
    (folder.parent / "latest").symlink_to(folder)
    assert scan(folder.parent / "latest")[0] == "latest", "as was written, although it is a link"
    assert scan(Path())[0] == "sub"
    assert scan(Path(".."))[0] == "folder"
    assert scan(folder / "sub" / "..")[0] == "folder"


def test_links_to_what_is_inside_are_kept(folder: Path):
    (folder / "file").symlink_to("a")
    (folder / "folder").symlink_to("sub")
    (folder / "sub/up").symlink_to("../a")
    (folder / "absolute").symlink_to(folder / "sub/b")
    (folder / "chain").symlink_to("file")
    (folder / "through").symlink_to("folder/b")
    (folder / "roundabout").symlink_to("sub/../a")
    assert links(folder) == {
        "file": "a",
        "folder": "sub",
        "sub/up": "a",
        "absolute": "sub/b",
        "chain": "file",
        "through": "folder/b",
        "roundabout": "a",
    }


def test_a_link_that_means_something_else_without_its_links(folder: Path):
    """`into/..` is not this folder, but the one that `into` is in after it has been followed."""
    write(folder, {"deep/er/x": b"", "deep/a": b""})
    (folder / "into").symlink_to("deep/er")
    (folder / "link").symlink_to("into/../a")
    assert links(folder)["link"] == "deep/a"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("../outside", "leads out of"),
        ("/etc/passwd", "leads out of"),
        (".", "leads out of"),
        ("nothing", "leads nowhere"),
        ("link", "leads nowhere"),
    ],
)
def test_other_links_are_refused(folder: Path, target: str, reason: str):
    (folder.parent / "outside").touch()
    (folder / "link").symlink_to(target)
    with pytest.raises(StorageError, match=f"^{folder}/link: a symbolic link that {reason}"):
        scan(folder)


def test_a_folder_beside_it_whose_name_begins_the_same_is_outside(folder: Path):
    write(folder.parent / "folder2", {"x": b""})
    (folder / "link").symlink_to("../folder2/x")
    with pytest.raises(StorageError, match="leads out of"):
        scan(folder)


def test_special_files_are_refused(folder: Path):
    os.mkfifo(folder / "pipe")
    with pytest.raises(StorageError, match="pipe: neither a file nor a folder"):
        scan(folder)
    with pytest.raises(StorageError, match="pipe: neither a file nor a folder"):
        scan(folder / "pipe")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_names_that_are_not_utf8_are_refused(folder: Path, kind: str):
    path = os.fsencode(folder) + b"/caf\xe9"
    if kind == "folder":
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT))
    with pytest.raises(StorageError, match="the name is not UTF-8"):
        scan(folder)


def test_what_is_not_there(folder: Path):
    with pytest.raises(StorageError, match=f"^{folder}/none: No such file or directory$"):
        scan(folder / "none")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match=r"loop: |loop of symbolic links"):
        scan(folder / "loop")


def test_a_folder_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match=f"^{folder}: Permission denied$"):
        scan(folder)


def test_the_depth_is_limited(tmp_path: Path):
    deepest = tmp_path.joinpath("x", *["d"] * (module.MAX_DEPTH - 1))
    write(deepest, {"f": b""})
    assert len(scan(tmp_path / "x")[1]) == 1
    write(deepest / "d", {"f": b""})
    with pytest.raises(StorageError, match="more than 96 levels deep"):
        scan(tmp_path / "x")


def test_it_can_be_stopped(folder: Path):
    tickets = [1, 2]
    with pytest.raises(IndexError):
        scan(folder, tickets.pop)


@pytest.mark.parametrize("how", ["longer", "same size", "replaced", "gone"])
def test_changes_are_seen(folder: Path, how: str):
    (found,) = [each for each in scan(folder)[1] if each.entry.path == ("a",)]
    assert not changed(found)
    path, status = folder / "a", (folder / "a").stat()
    match how:
        case "longer":
            path.write_bytes(b"a" * 11)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "same size":
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        case "replaced":
            (folder / "new").write_bytes(b"b" * 10)
            os.utime(folder / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
            (folder / "new").replace(path)
        case _:
            path.unlink()
    assert changed(found)


def test_a_link_does_not_change(folder: Path):
    (folder / "link").symlink_to("a")
    (found,) = [each for each in scan(folder)[1] if each.entry.symlink]
    (folder / "a").unlink()
    assert not changed(found)
