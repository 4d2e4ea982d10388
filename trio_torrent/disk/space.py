"""Room for what is to come: whether there is enough, and, if asked for, taking it before the download begins."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator

from trio_torrent.errors import StorageError

from .failures import translated
from .files import Files

# Bytes taken at once: a hundredth of a second where the file system only notes them, half a second where it writes.
STEP = 64 << 20

_SECTOR = 512  # bytes that `st_blocks` counts, whatever the file system's own are


def lacking(files: Files, numbers: Iterable[int]) -> dict[int, int]:
    """How many bytes of each file's length the disk has not given it yet. Files that lack none are left out."""
    found = {number: files.layout.files[number].length for number in numbers if not files.layout.files[number].padding}
    for number, status in files.there([*found]):
        found[number] -= _given(status)
    return {number: rest for number, rest in found.items() if rest > 0}


def _given(status: os.stat_result) -> int:
    return getattr(status, "st_blocks", -(-status.st_size // _SECTOR)) * _SECTOR


def check_room(files: Files, lacks: dict[int, int]) -> None:
    """StorageError if the disk has less left than the files lack, or takes nothing from us."""
    if lacks and not os.access(files.root, os.W_OK):
        raise StorageError(f"{files.root}: {os.strerror(errno.EACCES)}", number=errno.EACCES)
    with translated(files.root):
        usage = shutil.disk_usage(files.root)
    wanted = sum(lacks.values())
    if usage.total and wanted > usage.free:  # some file systems over networks cannot tell, and say that they have none
        raise StorageError(
            f"{files.root}: {_mib(wanted)} more are needed, and {_mib(usage.free)} are left", number=errno.ENOSPC
        )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def steps(length: int) -> Iterator[tuple[int, int]]:
    """A file in parts to be taken one by one: where each begins, and its bytes. Nothing where the system cannot."""
    if hasattr(os, "posix_fallocate"):
        yield from ((start, min(STEP, length - start)) for start in range(0, length, STEP))
