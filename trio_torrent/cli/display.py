"""Progress for people: a live display (`live`) where stderr is a terminal, a line now and then where it is not.

All of it goes to stderr. Text that comes from torrents and peers passes `words.clean` on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from . import words

if TYPE_CHECKING:
    from .drawing import Shown

LINE_SECONDS = 5.0  # between progress lines in a log
SEEDING_LINE_SECONDS = 60.0  # when all that goes on is seeding, which may be for weeks
FIRST_LINE_SECONDS = 1.0  # sooner than that there is little to say


class Screen(Protocol):
    """Where progress goes, and the lines that stay. `close` leaves the terminal as it was.

    Beside how each of them stands, `show` is told how all of them do, if there are several.
    """

    def show(self, rows: Sequence[Shown], now: float, total: str = "") -> None: ...
    def say(self, text: str) -> None: ...
    def complain(self, text: str) -> None: ...
    def close(self) -> None: ...


def open_screen(*, quiet: bool, live: bool) -> Screen:
    """The one that suits; a live one only on a terminal that can move its cursor."""
    if quiet:
        return Silent()
    if live and sys.stderr.isatty():
        from .live import open_live_screen  # here, as it brings rich, which only what is drawn should wait for

        return open_live_screen() or LogScreen()
    return LogScreen()


class Silent:
    """Nothing."""

    def show(self, rows: Sequence[Shown], now: float, total: str = "") -> None:
        """Not shown."""

    def say(self, text: str) -> None:
        """Not said."""

    def complain(self, text: str) -> None:
        """Errors are told in any case."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to close."""


class LogScreen:
    """A line for each torrent, soon and then every few seconds."""

    def __init__(self) -> None:
        self._next: float | None = None
        self._told: dict[str, str] = {}  # by torrent and source of peers

    def show(self, rows: Sequence[Shown], now: float, total: str = "") -> None:
        """Print what is due; `now` is seconds on any clock."""
        if self._next is None:
            self._next = now + FIRST_LINE_SECONDS
        if now >= self._next:
            steady = all(row.steady for row in rows)
            self._next = now + (SEEDING_LINE_SECONDS if steady and rows else LINE_SECONDS)
            for row in rows:
                self.say(progress(row))
                self._tell_origins(row)
            if total and rows:
                self.say(total)

    def _tell_origins(self, row: Shown) -> None:
        """Once, and when there is news."""
        for origin in row.origins:
            key = f"{row.name} {origin.name}"
            if self._told.get(key) != origin.said:
                self._told[key] = origin.said
                self.say(f"  {origin}")

    def say(self, text: str) -> None:
        """Print a line."""
        print(words.clean(text), file=sys.stderr, flush=True)

    complain = say

    def close(self) -> None:
        """Nothing to close."""


def progress(row: Shown) -> str:
    """One line, for logs."""
    done, total = row.bar
    if not total:
        return f"{row.name}: {row.activity}"
    whole = f" of {words.size(total)}" if row.in_bytes else ""
    return f"{row.name}: {words.percent(done, total)}{whole}, {row.activity}"
