"""Progress for people: a live display where stderr is a terminal, a line now and then where it is not.

All of it goes to stderr. Text that comes from torrents and peers passes `words.clean` on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from . import words

LINE_SECONDS = 5.0  # between progress lines in a log
SEEDING_LINE_SECONDS = 60.0  # when all that goes on is seeding, which may be for weeks
FIRST_LINE_SECONDS = 1.0  # sooner than that there is little to say
ROW_LINES = 3  # of the screen, for one torrent


class Shown(Protocol):
    """A torrent, or something else that takes its time."""

    @property
    def name(self) -> str: ...
    @property
    def bar(self) -> tuple[int, int]:
        """How much of how much."""

    @property
    def in_bytes(self) -> bool:
        """That is of bytes; otherwise of pieces."""

    @property
    def activity(self) -> str:
        """What is going on."""

    @property
    def troubled(self) -> bool:
        """Somebody should look at it."""

    @property
    def steady(self) -> bool:
        """Nothing will change soon."""


class Screen(Protocol):
    """Where progress goes, and the lines that stay. `close` leaves the terminal as it was."""

    def show(self, rows: Sequence[Shown], now: float) -> None: ...
    def say(self, text: str) -> None: ...
    def complain(self, text: str) -> None: ...
    def close(self) -> None: ...


def open_screen(*, quiet: bool, live: bool) -> Screen:
    """The one that suits; a live one only on a terminal that can move its cursor."""
    if quiet:
        return Silent()
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return LiveScreen(console) if live and console.is_terminal and not console.is_dumb_terminal else LogScreen()


class Silent:
    """Nothing."""

    def show(self, rows: Sequence[Shown], now: float) -> None:
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

    def show(self, rows: Sequence[Shown], now: float) -> None:
        """Print what is due; `now` is seconds on any clock."""
        if self._next is None:
            self._next = now + FIRST_LINE_SECONDS
        if now >= self._next:
            steady = all(row.steady for row in rows)
            self._next = now + (SEEDING_LINE_SECONDS if steady and rows else LINE_SECONDS)
            for row in rows:
                self.say(progress(row))

    def say(self, text: str) -> None:
        """Print a line."""
        print(words.clean(text), file=sys.stderr, flush=True)

    complain = say

    def close(self) -> None:
        """Nothing to close."""


class LiveScreen:
    """The state of all torrents, drawn over itself; lines that are said scroll by above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, rows: Sequence[Shown], now: float) -> None:
        """Draw."""
        self._live.update(draw(rows, self._console.height), refresh=True)

    def say(self, text: str) -> None:
        """Print a line above."""
        self._console.print(Text(words.clean(text)), soft_wrap=True)

    complain = say

    def close(self) -> None:
        """Take the display away, and give the cursor back."""
        self._live.stop()


def progress(row: Shown) -> str:
    """One line, for logs."""
    done, total = row.bar
    if not total:
        return f"{row.name}: {row.activity}"
    whole = f" of {words.size(total)}" if row.in_bytes else ""
    return f"{row.name}: {words.percent(done, total)}{whole}, {row.activity}"


def draw(rows: Sequence[Shown], height: int) -> RenderableType:
    """As many torrents as there is room for, and how many more there are."""
    room = max(1, (height - 2) // ROW_LINES)
    hidden = len(rows) - room
    parts = [draw_row(row) for row in rows[:room]]
    if hidden > 0:
        parts.append(Text(f"and {words.plural(hidden, 'more torrent')}", style="dim"))
    return Group(*parts)


def draw_row(row: Shown) -> RenderableType:
    """Three lines: the name, how far it is, what is going on."""
    done, total = row.bar
    figures = words.percent(done, total) if total else ""
    if row.in_bytes:
        figures += f"  {words.size(done)} of {words.size(total)}"
    bar = Table.grid(expand=True, padding=(0, 2, 0, 0))
    bar.add_column(ratio=1)
    bar.add_column(justify="right", no_wrap=True)
    bar.add_row(ProgressBar(total=max(total, 1), completed=done), figures)
    style = "yellow" if row.troubled else "dim"
    return Group(
        Text(words.clean(row.name), style="bold", no_wrap=True, overflow="ellipsis"),
        bar,
        Text(words.clean(row.activity), style=style, no_wrap=True, overflow="ellipsis"),
    )
