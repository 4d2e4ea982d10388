"""A torrent's files as one address space.

Any thread may read and write; the lock is held only to find or open a file. Files are opened when they are first
needed, and the least recently used is closed when too many are open.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from trio_torrent.errors import StorageError
from trio_torrent.metainfo.files import FileLayout

from .positioned import read_all, write_all

MOST_OPEN = 40  # descriptors for each torrent's files, as libtorrent's `file_pool_size`

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)


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


class Files:
    """The files of `layout` under `root`, or where `paths` has them. Failures are StorageErrors that name the file."""

    def __init__(self, root: Path, layout: FileLayout, paths: Sequence[Path] | None = None) -> None:
        self.root = root
        self.layout = layout
        self._paths = [root.joinpath(*file.path) for file in layout.files] if paths is None else list(paths)
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    def path(self, file: int) -> Path:
        """Where a file is."""
        return self._paths[file]

    def write(self, start: int, data: memoryview) -> None:
        """Write at `start` of the address space. What falls on padding is nobody's."""
        at = 0
        for part in self.layout.slices(start, len(data)):
            if not self.layout.files[part.file].padding:
                with self._using(part.file, writable=True) as descriptor:
                    write_all(descriptor, data[at : at + part.length], part.offset)
            at += part.length

    def read(self, start: int, buffer: memoryview) -> None:
        """Fill the buffer from `start` of the address space. StorageError if a file is missing or too short."""
        at = 0
        for part in self.layout.slices(start, len(buffer)):
            into = buffer[at : at + part.length]
            if self.layout.files[part.file].padding:
                into[:] = bytes(part.length)
            else:
                with self._using(part.file, writable=False) as descriptor:
                    if not read_all(descriptor, into, part.offset):
                        raise StorageError(f"{self._paths[part.file]}: shorter than it was")
            at += part.length

    def create_empty(self) -> list[str]:
        """Make the files without bytes, which no piece would ever bring; the paths of the new ones, with slashes."""
        files = enumerate(self.layout.files)
        empty = [n for n, file in files if not (file.length or file.padding or file.symlink or self._exists(n))]
        for number in empty:
            with self._using(number, writable=True):
                pass
        return ["/".join(self.layout.files[number].path) for number in empty]

    def _exists(self, file: int) -> bool:
        try:
            return self._paths[file].exists()
        except (OSError, UnicodeEncodeError):
            return False  # opening it will say why

    def close(self) -> None:
        """Close all files, for good; one that a thread is using is closed when that is done."""
        with self._lock:
            self._closed = True
            while self._open:
                self._open.popitem()[1].retire()

    @contextmanager
    def _using(self, file: int, *, writable: bool) -> Iterator[int]:
        try:
            with self._lock:
                entry = self._find(file, writable=writable)
                entry.users += 1
            try:
                yield entry.descriptor
            finally:
                with self._lock:
                    entry.users -= 1
                    entry.release()
        except OSError as error:
            raise StorageError(f"{self._paths[file]}: {error.strerror or error}") from error
        except UnicodeEncodeError as error:
            path = "/".join(self.layout.files[file].path)
            raise StorageError(f"{path!a}: file names of this locale cannot hold it; set LC_ALL=C.UTF-8") from error

    def _find(self, file: int, *, writable: bool) -> _Open:
        if self._closed:
            raise StorageError(f"{self._paths[file]}: the torrent is closed")
        entry = self._open.get(file)
        if entry is not None and writable and not entry.writable:
            self._open.pop(file).retire()
            entry = None
        if entry is None:
            self._make_room()
            entry = self._open[file] = _Open(self._open_or_make_room(file, writable=writable), writable)
        self._open.move_to_end(file)
        return entry

    def _make_room(self) -> None:
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)[1].retire()

    def _open_or_make_room(self, file: int, *, writable: bool) -> int:
        """When the whole program is out of descriptors, perhaps because of strangers' connections, ours will do."""
        while True:
            try:
                return self._open_file(file, writable=writable)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._open:
                    raise
                self._open.popitem(last=False)[1].retire()

    def _open_file(self, file: int, *, writable: bool) -> int:
        path = self._paths[file]
        if not writable:
            return os.open(path, os.O_RDONLY | _BINARY | _CLOSE_ON_EXEC)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY | _CLOSE_ON_EXEC, 0o666)
        try:
            if os.fstat(descriptor).st_size < self.layout.files[file].length:
                os.ftruncate(descriptor, self.layout.files[file].length)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
