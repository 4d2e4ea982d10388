"""Small files of our own, such as what is remembered from run to run: replaced whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .positioned import BINARY, CLOSE_ON_EXEC, write_all

# What is being written is called so, until it takes the name of what it replaces.
_FRESH = re.compile(r".+\.[0-9a-f]{16}\.new", re.DOTALL)

# How often a file is written before it is given up. What is being written looks like a leftover to another program that
# begins just then with the same folder; each does that once, so this many would have to begin within milliseconds.
TRIES = 3


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
    for left in reversed(range(TRIES)):
        try:
            _replace(path, data, before)
            break
        except FileNotFoundError:
            if not left:
                raise
    _sync_folder(path.parent)


def _replace(path: Path, data: bytes, before: Path | None) -> None:
    """By way of a file of its own: others may be about to do the same."""
    fresh = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
    try:
        with _opened(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY) as descriptor:
            write_all(descriptor, memoryview(data), 0)
            os.fsync(descriptor)
        if before is not None:
            with suppress(FileNotFoundError):
                path.replace(before)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def clean(folder: Path) -> None:
    """Remove what programs have left in a folder that were killed while they replaced something there."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if _FRESH.fullmatch(name):
                (folder / name).unlink(missing_ok=True)


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
