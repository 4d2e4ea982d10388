"""A torrent's files, for users."""

from __future__ import annotations

import attrs

from .selection import Priority


@attrs.frozen
class TorrentFile:
    """How a file stands, as of one moment."""

    number: int  # from 1, as `--select` has it
    path: str  # from the save path, with slashes
    length: int  # bytes
    done: int  # bytes that are verified
    priority: Priority

    @property
    def wanted(self) -> bool:
        """It is, or will be, downloaded."""
        return self.priority is not Priority.SKIP

    @property
    def complete(self) -> bool:
        """All of it is verified."""
        return self.done == self.length
