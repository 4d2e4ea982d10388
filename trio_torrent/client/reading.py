"""The readers of one torrent: what they need, all together, and when they may look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import attrs
import trio

from trio_torrent.errors import StorageError
from trio_torrent.swarm.events import Awaited

from .content import Content

Deadlines = tuple[tuple[int, float], ...]
"""Pieces, and when each is needed."""


class Reader(Protocol):
    """Somebody who reads."""

    @property
    def file(self) -> int:
        """Of which file: its number in the torrent's layout."""
        ...

    @property
    def lacks(self) -> bool:
        """Something of the file is still to come."""
        ...


@attrs.define(eq=False)
class Reading:
    """What a torrent has to do with those who read it.

    `look` says what may be read just now, if anything may: between two sessions, somebody may be about to find out that
    it is wrong, or to move it. It raises what made the torrent stop. `era` is another number whenever that was so
    since, and `broken` hears of a disk that does not read.
    """

    look: Callable[[], Content | None]
    era: Callable[[], int]
    broken: Callable[[StorageError], None]
    changed: trio.Event = attrs.field(init=False, factory=trio.Event)  # what is needed, since it was looked at
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)
    _needs: dict[Reader, Deadlines] = attrs.field(init=False, factory=dict)
    _refused: dict[Reader, StorageError] = attrs.field(init=False, factory=dict)  # what they need cannot be fetched

    # -- for readers -------------------------------------------------------------------------------------------------

    def need(self, reader: Reader, deadlines: Deadlines) -> None:
        """This, and no longer what it was before."""
        self._needs[reader] = deadlines
        self._refused.pop(reader, None)
        self._change()

    def leave(self, reader: Reader) -> None:
        """It reads no more."""
        self._refused.pop(reader, None)
        if self._needs.pop(reader, None) is not None:
            self._change()

    def _change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def there(self, start: int, most: int) -> int:
        """How many of `most` bytes from `start` of the address space may be read now. Raises what ended the torrent."""
        content = self.look()
        return content.there(start, most) if content is not None else 0

    async def wait(self, reader: Reader) -> None:
        """Return when there may be more. StorageError if what it needs cannot be fetched."""
        if (refusal := self._refused.get(reader)) is not None:
            raise refusal
        await self._news.wait()

    async def fetch(self, start: int, length: int) -> bytes | None:
        """Bytes that are there; or None if they cannot be read, or it turned out meanwhile that they may be wrong."""
        content, era = self.look(), self.era()
        if content is None:
            return None
        try:
            data = await content.store.workers.run(partial(content.store.read, start, length))
        except StorageError as error:
            if self.era() == era and self.look() is content:
                self.broken(error)
            return None
        return data if self.era() == era and self.there(start, length) == length else None

    # -- for the torrent ---------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There is more to read, or nothing more ever."""
        self._news.set()
        self._news = trio.Event()

    def refuse(self, refused: Mapping[int, StorageError]) -> None:
        """Nothing can be fetched of these files, and why: who reads them hears it until he says anew what he needs."""
        for reader in [reader for reader in self._needs if reader.file in refused]:
            del self._needs[reader]
            self._refused[reader] = refused[reader.file]
        self.wake()

    @property
    def files(self) -> frozenset[int]:
        """Those that are read and not all there."""
        return frozenset(reader.file for reader in self._needs if reader.lacks)

    @property
    def awaited(self) -> Awaited:
        """What all of them need, each piece when the first of them does."""
        due: dict[int, float] = {}
        for deadlines in self._needs.values():
            for piece, when in deadlines:
                due[piece] = min(when, due.get(piece, when))
        return Awaited(tuple(due.items()), reading=bool(self.files))
