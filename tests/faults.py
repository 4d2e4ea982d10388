"""A disk that fails: the k-th operation, those of a kind, or all of them for a while."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

OPERATIONS = ("open", "pwrite", "preadv", "ftruncate", "fdatasync", "fsync", "mkdir", "rename", "replace")

Fault = Callable[[str], int | None]
"""Told what is about to be done: the error number that it fails with, `SHORT`, or None."""

SHORT = -1  # a write does a part, and a read, too


class Disk:
    """Counts what is done below a folder, and lets it fail as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder.resolve())
        self.fault: Fault = lambda operation: None
        self.done: list[str] = []

    def fail(self, number: int, code: int) -> None:
        """The operation of this number fails, and no other."""
        self.fault = lambda operation: code if len(self.done) == number + 1 else None

    def _is_ours(self, where: object) -> bool:
        try:
            path = os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else os.path.abspath(str(where))
        except OSError:
            return False
        return path.startswith(self.folder)

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(where: object, *arguments: Any, **options: Any) -> Any:
            if not self._is_ours(where):
                return real(where, *arguments, **options)
            self.done.append(name)
            code = self.fault(name)
            if code == SHORT and name == "pwrite":
                return real(where, arguments[0][: max(1, len(arguments[0]) // 3)], arguments[1])
            if code == SHORT and name == "preadv":
                return real(where, [arguments[0][0][: max(1, len(arguments[0][0]) // 3)]], arguments[1])
            if code not in (None, SHORT):
                raise OSError(code, os.strerror(code), where if isinstance(where, str) else None)
            return real(where, *arguments, **options)

        return operation


@contextmanager
def failing_disk(folder: Path) -> Iterator[Disk]:
    """For the length of the block, what is done below the folder passes here."""
    disk = Disk(folder)
    reals = {name: getattr(os, name) for name in OPERATIONS}
    patches = [patch.object(os, name, disk._wrap(name, real)) for name, real in reals.items()]
    for each in patches:
        each.start()
    try:
        yield disk
    finally:
        for each in patches:
            each.stop()


ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, SHORT)
