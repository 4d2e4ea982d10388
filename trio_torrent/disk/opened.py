"""Descriptors of a torrent's files, opened when they are first needed; the least recently used make room for others.

Any thread may use them; the lock is held only to find or open one.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

MOST_OPEN = 40  # descriptors for each torrent's files, as libtorrent's `file_pool_size`


@attrs.define(eq=False)
class _Open:
    descriptor: int
    writable: bool
    users: int = 0
    retired: bool = False  # to be closed by its last user

    def retire(self) -> None:
        """Close it as soon as nobody uses it."""
        self.retired = True
        self.release()

    def release(self) -> None:
        """Somebody is done with it."""
        if self.retired and not self.users:
            os.close(self.descriptor)


class Opened:
    """At most `MOST_OPEN` descriptors, by the number of the file. `open_file` is told whether it is to be written."""

    def __init__(self, open_file: Callable[[int, bool], int]) -> None:
        self._open_file = open_file
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def using(self, file: int, *, writable: bool) -> Iterator[int]:
        """The descriptor of a file, which stays open for the length of the block. OSError if it cannot be opened.

        ValueError after `close`.
        """
        with self._lock:
            entry = self._find(file, writable=writable)
            entry.users += 1
        try:
            yield entry.descriptor
        finally:
            with self._lock:
                entry.users -= 1
                entry.release()

    def drop(self) -> None:
        """Close all, to be opened again when they are needed; one that a thread is using, when that is done."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].retire()

    def close(self) -> None:
        """Close all, for good."""
        self._closed = True
        self.drop()

    def _find(self, file: int, *, writable: bool) -> _Open:
        if self._closed:
            raise ValueError("closed")
        entry = self._open.get(file)
        if entry is not None and writable and not entry.writable:
            self._open.pop(file).retire()
            entry = None
        if entry is None:
            self._make_room()
            entry = self._open[file] = _Open(self._open_or_make_room(file, writable), writable)
        self._open.move_to_end(file)
        return entry

    def _make_room(self) -> None:
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)[1].retire()

    def _open_or_make_room(self, file: int, writable: bool) -> int:
        """Out of descriptors, a torrent's files make do with their own."""
        while True:
            try:
                return self._open_file(file, writable)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._open:
                    raise
                self._open.popitem(last=False)[1].retire()
