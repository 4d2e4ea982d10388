"""What there is to share under a path.

Everything that is a regular file, hidden ones included. A symbolic link below it is kept as a link (BEP 47) if it leads
to something inside, and refused if it leads out or nowhere: what it would share is not under the path. The path itself
may be a link. Pipes, sockets and devices are refused, as they have no content to hash, and so are names that are not
UTF-8, which BEP 3 demands. Empty folders are left out, as torrents have no place for them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from trio_torrent.errors import StorageError
from trio_torrent.metainfo.build import Entry

# Components of a file's path. Readers take 100 levels of bencode, as libtorrent does, and v2 has a level for each
# component and four around them.
MAX_DEPTH = 96

Parts = tuple[str, ...]


@attrs.frozen
class Found:
    """A file to share, and how it looked when it was found."""

    entry: Entry
    source: Path
    seen: tuple[int, int, int] | None  # inode, size, mtime in ns; None for a link


def scan(path: Path, may_go_on: Callable[[], object] = lambda: None) -> tuple[str, list[Found]]:
    """What the file or folder is called, and the file, or all files below the folder, in no order.

    StorageError names what cannot be shared. `may_go_on` is called for each file, and raises to stop it.
    """
    root = _resolved(path)
    name = path.name if path.name not in ("", "..") else root.name
    status = _status(root)
    if stat.S_ISDIR(status.st_mode):
        return name, [_found(entry, parts, root) for entry, parts in _walk(root, may_go_on)]
    return name, [_regular(root, status, ())]


def changed(found: Found) -> bool:
    """The file is not what it was when it was found."""
    try:
        return found.seen is not None and _look(found.source.stat()) != found.seen
    except OSError:
        return True


def _walk(root: Path, may_go_on: Callable[[], object]) -> Iterator[tuple[os.DirEntry[str], Parts]]:
    """Everything below that is not a folder, and its path from the root."""
    folders: list[tuple[str, Parts]] = [(str(root), ())]
    while folders:
        folder, above = folders.pop()
        for entry in _entries(folder):
            may_go_on()
            parts = (*above, _utf8(entry))
            if len(parts) > MAX_DEPTH:
                raise StorageError(f"{entry.path}: more than {MAX_DEPTH} levels deep, which clients do not read")
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, parts))
            else:
                yield entry, parts


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from error


def _utf8(entry: os.DirEntry[str]) -> str:
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise StorageError(f"{entry.path}: the name is not UTF-8, and cannot be in a torrent; rename it") from error
    return entry.name


def _found(entry: os.DirEntry[str], parts: Parts, root: Path) -> Found:
    path = Path(entry.path)
    status = _status(entry)
    if not stat.S_ISLNK(status.st_mode):
        return _regular(path, status, parts)
    # The mode of a link means nothing; libtorrent notes it all the same, and the info-hash should be the same.
    return Found(Entry(parts, executable=_is_executable(status), symlink=_target(path, parts, root)), path, None)


def _regular(path: Path, status: os.stat_result, parts: Parts) -> Found:
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"{path}: neither a file nor a folder, and cannot be shared")
    return Found(Entry(parts, status.st_size, executable=_is_executable(status)), path, _look(status))


def _status(path: Path | os.DirEntry[str]) -> os.stat_result:
    try:
        return path.stat(follow_symlinks=False)
    except OSError as error:
        raise StorageError(f"{os.fspath(path)}: {error.strerror}") from error


def _is_executable(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IXUSR)


def _target(link: Path, parts: Parts, root: Path) -> Parts:
    """Where it leads, from the root: in its own words if they are understood without looking at other links."""
    try:
        end = _resolved(link, strict=True)
    except StorageError as error:
        raise StorageError(f"{link}: a symbolic link that leads nowhere; remove it, or make what it names") from error
    if not end.is_relative_to(root) or end == root:
        raise StorageError(f"{link}: a symbolic link that leads out of {root}; replace it by what it leads to")
    said = os.path.relpath(os.path.join(root, *parts[:-1], os.readlink(link)), root)
    target = Path(said).parts
    return target if os.pardir not in target and _resolved(root / said) == end else end.relative_to(root).parts


def _resolved(path: Path, *, strict: bool = False) -> Path:
    try:
        return path.resolve(strict=strict)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        raise StorageError(f"{path}: {getattr(error, 'strerror', None) or 'a loop of symbolic links'}") from error


def _look(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
