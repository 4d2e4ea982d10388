"""Reading what is in memory, for the event loop: it must not wait for a disk, nor for a thread that does.

All of it is read, from files that are open already, or nothing is: then a thread does it, or finds out what is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import TypeAlias

import attrs

from trio_torrent.metainfo.files import FileLayout, FileSlice

from .look import Look
from .positioned import read_at_once
from .scatter import scattered

Run: TypeAlias = tuple[int, Sequence[memoryview]]
"""Where in the address space bytes begin, and the buffers that they fill, one after the other."""


@attrs.frozen(eq=False)
class Glance:
    """A moment in which nobody closes a file.

    `opened` tells the descriptors of files that are open, and `sealed` how those look that are complete.
    """

    _layout: FileLayout
    _parted: Set[int]
    _sealed: Callable[[int], Look | None]
    _opened: Callable[[int], int | None]

    def fill(self, runs: Iterable[Run]) -> bool:
        """Whether all buffers are filled, from files that are what they were if they are sealed. OSError is a no."""
        parts = [part for start, buffers in runs for part in self._parts(start, buffers)]
        descriptors: dict[int, int] = {}
        for part, _ in parts:
            if (descriptor := self._find(part.file)) is None:
                return False  # before anything is read in vain
            descriptors[part.file] = descriptor
        filled = all(read_at_once(descriptors[part.file], into, part.offset) for part, into in parts)
        return filled and self._assure(descriptors)

    def _parts(self, start: int, buffers: Sequence[memoryview]) -> Iterator[tuple[FileSlice, list[memoryview]]]:
        for part, into in scattered(self._layout.slices(start, sum(map(len, buffers))), buffers):
            if self._layout.files[part.file].padding:
                clear(into)
            else:
                yield part, into

    def _find(self, file: int) -> int | None:
        """What is in the part file may be moving just now."""
        return self._opened(file) if file not in self._parted else None

    def _assure(self, descriptors: Mapping[int, int]) -> bool:
        """Afterwards: so nothing leaves that was overwritten before it was read."""
        for file, descriptor in descriptors.items():
            sealed = self._sealed(file)
            if sealed is not None and Look.of(os.fstat(descriptor)) != sealed:
                return False
        return True


def clear(buffers: Iterable[memoryview]) -> None:
    """Padding is zeros."""
    for buffer in buffers:
        buffer[:] = bytes(len(buffer))
