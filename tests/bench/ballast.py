"""Memory that is warm.

A virtual machine may give free pages back to its host, and touching one again costs six times what touching another
does: two seconds for a GiB. Which of them a program gets would be chance. So as much is held as the program will take,
in the page cache of the same disk, and set free little by little while its data comes: what was freed last is given
away first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STEP = 32 << 20
LEAD = 256 << 20  # free before any data has come: for the program itself, and for what is received and not yet counted


class Ballast:
    """Made by `ballast`."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._left = size
        self._size = size

    def release(self, received: int) -> None:
        """So many bytes have come."""
        left = max(0, self._size - LEAD - received) // STEP * STEP
        if left < self._left:
            self._left = left
            os.truncate(self._path, left)


@contextmanager
def ballast(folder: Path, size: int) -> Iterator[Ballast]:
    """Hold memory for a download of so many bytes, at most a third of what there is."""
    size = min(size + size // 8 + LEAD, _available() // 3) // STEP * STEP
    path = folder / "ballast"
    with path.open("wb") as file:
        for _ in range(size // STEP):
            file.write(bytes(STEP))
    try:
        held = Ballast(path, size)
        held.release(0)
        yield held
    finally:
        path.unlink()


def _available() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))


def loopback_bytes() -> int:
    """That have come over the loopback interface, ever."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == "lo:")
