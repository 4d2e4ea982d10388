"""A torrent's files, for users."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from .reader import FileReader
from .selection import Priority


@attrs.frozen
class TorrentFile:
    """How a file stands, as of one moment."""

    number: int  # from 1, as `--select` has it
    path: str  # from the save path, with slashes
    length: int  # bytes
    done: int  # bytes that are verified
    priority: Priority
    _opener: Callable[[], FileReader] = attrs.field(eq=False, repr=False, alias="opener")

    def open(self) -> FileReader:
        """A reader at the start of the file, which may be there or not: `async with file.open() as reader: ...`.

        What it needs is fetched first. That the file is not wanted makes no difference to it, nor it to that.
        """
        return self._opener()

    @property
    def wanted(self) -> bool:
        """It is, or will be, downloaded."""
        return self.priority is not Priority.SKIP

    @property
    def complete(self) -> bool:
        """All of it is verified."""
        return self.done == self.length
