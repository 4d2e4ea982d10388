"""What there is to share under a path.

Everything that is a regular file, hidden ones included. A symbolic link is kept as a link (BEP 47) if it leads to
something inside, and refused if it leads out or nowhere: what it would share is not under the path. Pipes, sockets and
devices are refused, too: they have no content to hash.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from trio_torrent.errors import StorageError
from trio_torrent.metainfo.build import Entry


@attrs.frozen
class Found:
    """A file to share, and how it looked when it was found."""

    entry: Entry
    source: Path
    seen: tuple[int, int, int] | None  # inode, size, mtime in ns; None for a link


def scan(path: Path) -> tuple[Path, list[Found]]:
    """The path without links and dots, and the file there, or all files below it if it is a folder.

    StorageError names what cannot be shared.
    """
    root = path.resolve()
    if not root.is_dir():
        return root, [_found(root, (), root)]
    return root, [_found(below, below.relative_to(root).parts, root) for below in _walk(root)]


def changed(found: Found) -> bool:
    """The file is not what it was when it was found."""
    try:
        return found.seen is not None and _look(found.source.stat()) != found.seen
    except OSError:
        return True


def _walk(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from error
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)


def _found(path: Path, parts: tuple[str, ...], root: Path) -> Found:
    try:
        status = path.lstat()
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    if stat.S_ISLNK(status.st_mode):
        return Found(Entry(parts, symlink=_target(path, root)), path, None)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"{path}: not a regular file, and cannot be shared")
    executable = bool(status.st_mode & stat.S_IXUSR)
    return Found(Entry(parts, status.st_size, executable=executable), path, _look(status))


def _target(link: Path, root: Path) -> tuple[str, ...]:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # a loop is a RuntimeError before Python 3.13
        raise StorageError(f"{link}: a symbolic link that leads nowhere") from error
    if not target.is_relative_to(root) or target == root:
        raise StorageError(f"{link}: a symbolic link that leads out of {root}")
    return target.relative_to(root).parts


def _look(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
