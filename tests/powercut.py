"""A disk of which the power is cut: what was written and not synced is there or not, in any order and in part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import attrs

PAGE = 4096  # bytes: what a disk takes whole


@attrs.frozen
class Create:
    path: str
    file: int


@attrs.frozen
class Rename:
    source: str
    target: str


@attrs.frozen
class Write:
    file: int
    offset: int
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Truncate:
    file: int
    size: int


@attrs.frozen
class Sync:
    file: int


@attrs.frozen
class SyncFolder:
    """Names are kept in the order in which they were given, as journals do."""


Operation = Create | Rename | Write | Truncate | Sync | SyncFolder


class Journal:
    """What was done below a folder, in order."""

    def __init__(self, folder: Path) -> None:
        self.operations: list[Operation] = []
        self._folder = str(folder.resolve())
        self._files: dict[str, int] = {}
        self._count = 0
        self._real = {
            name: getattr(os, name) for name in ("open", "pwrite", "ftruncate", "fdatasync", "fsync", "replace")
        }

    def _path(self, where: object) -> str | None:
        path = os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else os.path.abspath(str(where))
        inside = path.startswith(self._folder + "/") or path == self._folder
        return os.path.relpath(path, self._folder) if inside else None

    def open(self, path: object, flags: int, mode: int = 0o777) -> int:
        name = self._path(path)
        if name is not None and flags & os.O_CREAT:
            if name not in self._files:
                self._count += 1
                self._files[name] = self._count
                self.operations.append(Create(name, self._count))
            if flags & os.O_TRUNC:
                self.operations.append(Truncate(self._files[name], 0))
        descriptor: int = self._real["open"](path, flags, mode)
        return descriptor

    def pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        if (name := self._path(descriptor)) is not None:
            self.operations.append(Write(self._files[name], offset, bytes(data)))
        count: int = self._real["pwrite"](descriptor, data, offset)
        return count

    def ftruncate(self, descriptor: int, size: int) -> None:
        if (name := self._path(descriptor)) is not None:
            self.operations.append(Truncate(self._files[name], size))
        self._real["ftruncate"](descriptor, size)

    def fdatasync(self, descriptor: int) -> None:
        if (name := self._path(descriptor)) is not None:
            self.operations.append(Sync(self._files[name]) if name in self._files else SyncFolder())
        self._real["fdatasync"](descriptor)

    def fsync(self, descriptor: int) -> None:
        self.fdatasync(descriptor)

    def replace(self, source: object, target: object) -> None:
        self._real["replace"](source, target)
        old, new = self._path(source), self._path(target)
        if old is not None and new is not None:
            self.operations.append(Rename(old, new))
            self._files[new] = self._files.pop(old)


@contextmanager
def journal(folder: Path) -> Iterator[Journal]:
    """For the length of the block, what is done below the folder is noted."""
    log = Journal(folder)
    with ExitStack() as stack:
        for name in log._real:
            stack.enter_context(patch.object(os, name, getattr(log, name)))
        yield log


class Remains:
    """What is left on the disk when the power is cut after some operations."""

    def __init__(self, operations: list[Operation], random: Random) -> None:
        self._random = random
        self._files: dict[int, bytearray] = {}
        self._pending: dict[int, list[Write | Truncate]] = {}
        self._names: dict[str, int] = {}
        self._pending_names: list[Create | Rename] = []
        for operation in operations:
            self._do(operation)
        self._cut()

    def _do(self, operation: Operation) -> None:
        match operation:
            case Create(_, file):
                self._files[file], self._pending[file] = bytearray(), []
                self._pending_names.append(operation)
            case Rename():
                self._pending_names.append(operation)
            case Write(file) | Truncate(file):
                self._pending[file].append(operation)
            case Sync(file):
                for write in self._pending[file]:
                    self._apply(write, whole=True)
                self._pending[file] = []
            case SyncFolder():
                self._keep_names(len(self._pending_names))

    def _cut(self) -> None:
        self._keep_names(self._random.randint(0, len(self._pending_names)))
        for writes in self._pending.values():
            self._random.shuffle(writes)
            for write in writes:
                if self._random.random() < 0.5:
                    self._apply(write, whole=self._random.random() < 0.5)

    def _keep_names(self, count: int) -> None:
        for change in self._pending_names[:count]:
            match change:
                case Create(path, file):
                    self._names[path] = file
                case Rename(source, target):
                    self._names[target] = self._names.pop(source)
        del self._pending_names[:count]

    def _apply(self, change: Write | Truncate, *, whole: bool) -> None:
        data = self._files[change.file]
        match change:
            case Truncate(_, size):
                del data[size:]
                data.extend(bytes(size - len(data)))
            case Write(_, offset, written):
                for at in range(0, len(written), PAGE):
                    if whole or self._random.random() < 0.5:
                        part = written[at : at + PAGE]
                        data.extend(bytes(max(0, offset + at + len(part) - len(data))))
                        data[offset + at : offset + at + len(part)] = part

    def lay_out(self, folder: Path) -> None:
        """Put it there."""
        for name, file in self._names.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._files[file])


def forge_times(path: Path, changed: int) -> None:
    """As if the file had not been written to since: the worst that a time can say."""
    os.utime(path, ns=(changed, changed))
