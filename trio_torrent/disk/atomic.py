"""Small files of our own, such as what is remembered from run to run: replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def read(path: Path, most: int) -> bytes:
    """What is in it, or nothing if it is longer than `most` bytes or cannot be read: who reads it can do without."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError:
        return b""
    return data if len(data) <= most else b""


def replace(path: Path, data: bytes) -> None:
    """Let this be all that is in it, also after a power cut; make its folder where there is none. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows has no such thing
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
