"""Descriptors of a torrent's files, opened when they are first needed; the least recently used make room for others.

Any thread may use them. None holds the lock while it opens or closes one: that may take its time, and each of these
calls gives the interpreter lock away, so that others would wait for both.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

import attrs

# Descriptors for each torrent's files, as libtorrent's `file_pool_size`; and one more for each thread that opens one.
MOST_OPEN = 40


@attrs.define(eq=False)
class _Open:
    descriptor: int
    writable: bool
    users: int = 2  # whoever has opened it, and the pool


class Opened:
    """At most `MOST_OPEN` descriptors, by the number of the file. `open_file` is told whether it is to be written."""

    def __init__(self, open_file: Callable[[int, bool], int]) -> None:
        self._open_file = open_file
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False
        self._era = 0  # another number, whenever all were closed

    @contextmanager
    def using(self, file: int, *, writable: bool) -> Iterator[int]:
        """The descriptor of a file, which stays open for the length of the block. OSError if it cannot be opened.

        ValueError after `close`.
        """
        entry = self._enter(file, writable=writable)
        try:
            yield entry.descriptor
        finally:
            self._leave(entry)

    @contextmanager
    def at_once(self) -> Iterator[Callable[[int], int | None]]:
        """Tells which descriptors there are, none of which is closed before the end of the block; None for a file that
        is not open. All others wait meanwhile, so nothing in the block may take long.
        """
        with self._lock:
            yield self._descriptor

    def _descriptor(self, file: int) -> int | None:
        entry = self._open.get(file)
        if entry is None:
            return None
        self._open.move_to_end(file)
        return entry.descriptor

    def drop(self) -> None:
        """Close all, to be opened again when they are needed; one that a thread is using, when that is done."""
        with self._lock:
            self._era += 1
            entries = [*self._open.values()]
            self._open.clear()
        self._leave(*entries)

    def close(self) -> None:
        """Close all, for good."""
        self._closed = True
        self.drop()

    def _enter(self, file: int, *, writable: bool) -> _Open:
        with self._lock:
            if self._closed:
                raise ValueError("closed")
            entry = self._open.get(file)
            if entry is not None and (entry.writable or not writable):
                entry.users += 1
                self._open.move_to_end(file)
                return entry
            era, unused = self._era, self._crowd_out(MOST_OPEN - 1)
        _close(unused)
        entry = _Open(self._open_or_make_room(file, writable), writable)
        with self._lock:
            # Two threads may have opened the same: the later one stays. What was open before a `drop` does not.
            before = self._open.pop(file, None) if era == self._era else entry
            if before is not entry:
                self._open[file] = entry
        if before is not None:
            self._leave(before)
        return entry

    def _leave(self, *entries: _Open) -> None:
        """Somebody is done with these."""
        with self._lock:
            unused = _let_go(entries)
        _close(unused)

    def _crowd_out(self, most: int) -> list[int]:
        """Let no more than so many be open, with the lock held: the descriptors to be closed without it."""
        return _let_go([self._open.popitem(last=False)[1] for _ in range(len(self._open) - most)])

    def _open_or_make_room(self, file: int, writable: bool) -> int:
        """Out of descriptors, a torrent's files make do with their own."""
        while True:
            try:
                return self._open_file(file, writable)
            except OSError as error:
                with self._lock:
                    if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._open:
                        raise
                    unused = self._crowd_out(len(self._open) - 1)
                _close(unused)


def _let_go(entries: Collection[_Open]) -> list[int]:
    """Each has a user less: the descriptors of those that nobody uses any more."""
    for entry in entries:
        entry.users -= 1
    return [entry.descriptor for entry in entries if not entry.users]


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
