"""Small files of our own, such as what is remembered from run to run: replaced whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .positioned import BINARY, CLOSE_ON_EXEC, write_all


def read(path: Path, most: int) -> bytes:
    """What is in it, or nothing if it is longer than `most` bytes or cannot be read: who reads it can do without."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError:
        return b""
    return data if len(data) <= most else b""


def replace(path: Path, data: bytes, *, before: Path | None = None) -> None:
    """Let this be all that is in it, also after a power cut; make its folder where there is none. Raises OSError.

    What was in it until now is kept as `before`, if that is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with _opened(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY) as descriptor:
        write_all(descriptor, memoryview(data), 0)
        os.fsync(descriptor)
    if before is not None:
        with suppress(FileNotFoundError):
            path.replace(before)
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # Windows has no such thing
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            os.fsync(descriptor)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | CLOSE_ON_EXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
