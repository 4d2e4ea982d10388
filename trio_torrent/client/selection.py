"""Which files are wanted, and how much.

People count files from 1, as `info` shows them: padding is none. Inside, a file has its number in the torrent's layout.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.swarm import availability

_NUMBERS = re.compile(r"\d{1,9}(-\d{0,9})?(,\d{1,9}(-\d{0,9})?)*", re.ASCII)


class Priority(enum.IntEnum):
    """How much a file is wanted."""

    SKIP = availability.SKIP
    LOW = availability.LOW
    NORMAL = availability.NORMAL
    HIGH = availability.HIGH


class Selection:
    """The priorities of a torrent's files. At first each is wanted like the others."""

    def __init__(self, metainfo: Metainfo) -> None:
        self._metainfo = metainfo
        self.numbers: list[int] = [number for number, file in enumerate(metainfo.files) if not file.padding]
        self.priorities: list[Priority] = [Priority.NORMAL] * len(metainfo.files)

    @property
    def is_special(self) -> bool:
        """Not all files are wanted alike."""
        return any(self.priorities[number] is not Priority.NORMAL for number in self.numbers)

    @property
    def skipped(self) -> frozenset[int]:
        """Those not wanted."""
        return frozenset(number for number in self.numbers if not self.priorities[number])

    @property
    def wanted(self) -> list[int]:
        """Those wanted."""
        return [number for number in self.numbers if self.priorities[number]]

    def select(self, *what: str | int) -> None:
        """Want these and no others. ValueError as for `find`, and then nothing has changed."""
        wanted = self.find(*what)
        for number in self.numbers:
            if number not in wanted:
                self.priorities[number] = Priority.SKIP
            elif not self.priorities[number]:
                self.priorities[number] = Priority.NORMAL

    def keep(self, ranges: Sequence[range]) -> None:
        """Want these files and no others, by their places in the torrent from 0, as links have it (BEP 53)."""
        meant, reach = set[int](), 0
        for each in sorted(ranges, key=lambda one: one.start):  # a link may name the same files a thousand times
            meant.update(range(max(each.start, reach), min(each.stop, len(self._metainfo.files))))
            reach = max(reach, each.stop)
        wanted = meant.intersection(self.numbers)
        if not wanted:
            raise ValueError(f"{self._metainfo.name} has none of the files that its link selects")
        for number in self.numbers:
            self.priorities[number] = Priority.NORMAL if number in wanted else Priority.SKIP

    def prioritize(self, *what: str | int, priority: Priority) -> None:
        """Want these so much. ValueError as for `find`, and for what is no priority; then nothing has changed."""
        found, priority = self.find(*what), Priority(priority)
        for number in found:
            self.priorities[number] = priority

    def find(self, *what: str | int) -> frozenset[int]:
        """The files that are meant by numbers from 1, texts like `1,3-5`, and patterns of paths.

        A pattern matches a path as the torrent has it, with or without the first folder, or the name alone; `*` stands
        for slashes, too. ValueError for what means no file.
        """
        return frozenset(number for each in what for number in self._find(each))

    def _find(self, what: str | int) -> Iterable[int]:
        if isinstance(what, int):
            return self._range(what, what)
        if _NUMBERS.fullmatch(what):
            return [number for part in what.split(",") for number in self._span(part)]
        found = [number for number in self.numbers if self._matches(number, what)]
        if not found:
            raise ValueError(f"no file of {self._metainfo.name} matches {what!r}")
        return found

    def _span(self, text: str) -> Iterable[int]:
        first, dash, last = text.partition("-")
        return self._range(int(first), int(last or len(self.numbers)) if dash else int(first))

    def _range(self, first: int, last: int) -> Iterable[int]:
        if not 1 <= first <= last <= len(self.numbers):
            which = f"{first}" if first == last else f"{first}-{last}"
            raise ValueError(f"{self._metainfo.name} has files 1 to {len(self.numbers)}, not {which}")
        return self.numbers[first - 1 : last]

    def _matches(self, number: int, pattern: str) -> bool:
        path = self._metainfo.files[number].path
        return any(fnmatchcase(text, pattern) for text in ("/".join(path), "/".join(path[1:]), path[-1]))

    def pieces(self) -> bytearray:
        """The priority of each piece: as that of the file that is wanted most, out of those that it has bytes of."""
        length = self._metainfo.geometry.piece_length
        if len(set(self.priorities)) == 1:
            return bytearray([self.priorities[0]]) * self._metainfo.geometry.pieces
        found = bytearray(self._metainfo.geometry.pieces)
        for number in self.numbers:
            own, priority = self._metainfo.layout.pieces_of(number, length), self.priorities[number]
            if priority and own:
                found[own.start] = max(found[own.start], priority)
                found[own.stop - 1] = max(found[own.stop - 1], priority)
                inner = range(own.start + 1, own.stop - 1)  # no other file has bytes of these
                found[inner.start : inner.stop] = bytes([priority]) * len(inner)
        return found
