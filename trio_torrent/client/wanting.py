"""What is wanted, by the user or by whoever reads, has its place on the disk first; then peers are asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from .content import Rules, Tally
from .known import Known
from .reading import Reading
from .session import Session


class Wanting:
    """Of one torrent. `tally` is for its record, and `done` hears of files that turn out to be complete."""

    def __init__(
        self, rules: Rules, reading: Reading, tally: Callable[[], Tally], done: Callable[[Iterable[str]], None]
    ) -> None:
        self._rules = rules
        self._reading = reading
        self._tally = tally
        self._done = done
        self._prepared: frozenset[int] | None = None  # for a selection that skips these
        self._turn = trio.Lock()

    def begin(self) -> None:
        """In this session, nothing has been prepared yet."""
        self._prepared = None

    async def prepare(self, known: Known, about_to: Callable[[], None]) -> None:
        """Make room for what is wanted, which may be something else by then. `about_to` is told before each try."""
        while self._prepared != known.selection.skipped:
            self._prepared = known.selection.skipped
            if self._rules.download:
                about_to()
                self._done(await known.content.want(known.selection))
            await self._save(known)  # before anything is written

    async def want(self, known: Known, session: Session) -> None:
        """The selection is another."""
        async with self._turn:
            if self._rules.download:
                self._done(await known.content.want(known.selection))
                await self._save(known)
            await session.want(known.selection)
        known.web_seeds.want()

    async def heed(self, known: Known, session: Session) -> None:
        """Have what readers need fetched, whenever that changes."""
        while True:
            changed, files = self._reading.changed, self._reading.files
            if not files <= known.content.lent:
                async with self._turn:
                    refused = await known.content.lend(files)
                    await self._save(known)
                self._reading.refuse(refused)
                continue  # meanwhile something else may be needed, and may not be fetched before it is lent
            if files:
                known.web_seeds.want()
            await session.heed(self._reading.awaited)
            await changed.wait()

    async def _save(self, known: Known) -> None:
        await known.content.save(self._tally(), running=not known.progress.complete)
