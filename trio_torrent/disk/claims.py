"""Whose the files are that are in the places of the torrent's.

One is the torrent's if it was found to hold some of it, if a record says that it was left so, or if we have written to
it. So is one that has its length, as ours have from the first byte on, or no bytes. Anything else is somebody's: it is
neither written over nor moved or removed with the torrent, unless the user gives it up.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from trio_torrent.errors import StorageError
from trio_torrent.metainfo.files import FileLayout


class Claims:
    """Those of one torrent. Any thread may ask and add."""

    def __init__(self, layout: FileLayout) -> None:
        self._files = layout.files
        self._ours: set[int] = set()

    def add(self, files: Iterable[int]) -> None:
        """What is in their places is the torrent's, whatever length it has, now and later."""
        self._ours.update(files)

    def refusal(self, file: int, path: str, status: os.stat_result | None) -> StorageError | None:
        """Why a file cannot be written at its path: something else is there, or (None) where a folder should be."""
        if status is None:
            return _error(file, path, errno.ENOTDIR)
        if stat.S_ISDIR(status.st_mode):
            return _error(file, path, errno.EISDIR)
        if not stat.S_ISREG(status.st_mode) or not self._is_ours(file, status.st_size):
            message = f"{path}: another file is there; move it away, or overwrite it with --force"
            return StorageError(message, number=errno.EEXIST, file=file)
        return None

    def _is_ours(self, file: int, size: int) -> bool:
        return file in self._ours or size in (0, self._files[file].length)


def _error(file: int, path: str, number: int) -> StorageError:
    return StorageError(f"{path}: {os.strerror(number)}", number=number, file=file)
