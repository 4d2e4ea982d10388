"""The live display, as a value of how things stand and how large the terminal is. No line of it is ever wrapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .origins import Origin
from .words import clean, percent, plural, size

SPARE_LINES = 2  # the cursor's, and one of what was there before
ROW_LINES = 3  # for a torrent, where there is room for it: its name, how far it is, what is going on

NAME_SHARE = 0.36  # of the width, where a torrent has one line: at 60 columns that leaves 30 for what is going on
NARROWEST_NAME = 8

ELLIPSIS = "…"


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
    def brief(self) -> str:
        """The same in few words."""

    @property
    def origins(self) -> Sequence[Origin]:
        """How those who should help are, if somebody wants to know."""

    @property
    def troubled(self) -> bool:
        """Somebody should look at it."""

    @property
    def steady(self) -> bool:
        """Nothing will change soon."""


def draw(rows: Sequence[Shown], width: int, height: int, total: str = "") -> RenderableType:
    """All torrents in three lines each, or in one if there are too many for that; `total` is of all of them."""
    room = max(1, height - SPARE_LINES - bool(total))
    parts = list(_full(rows, width, room) if len(rows) * ROW_LINES <= room else _compact(rows, width, room))
    if total:
        parts.append(_line(total, "dim"))
    return Group(*parts)


def _full(rows: Sequence[Shown], width: int, room: int) -> Iterator[RenderableType]:
    spare = room - len(rows) * ROW_LINES
    for row in rows:
        yield _line(shorten(clean(row.name), width), "bold")
        yield _bar(row)
        yield _line(row.activity, _style(row))
        for origin in row.origins[:spare]:
            yield _line(f"  {origin}", "dim")
        spare -= min(spare, len(row.origins))


def _bar(row: Shown) -> RenderableType:
    done, total = row.bar
    figures = percent(done, total) if total else ""
    if row.in_bytes:
        figures += f"  {size(done)} of {size(total)}"
    bar = Table.grid(expand=True, padding=(0, 2, 0, 0))
    bar.add_column(ratio=1)
    bar.add_column(justify="right", no_wrap=True)
    bar.add_row(ProgressBar(total=max(total, 1), completed=done), figures)
    return bar


def _compact(rows: Sequence[Shown], width: int, room: int) -> Iterator[RenderableType]:
    shown = rows if len(rows) <= room else rows[: max(1, room - 1)]
    names = max(NARROWEST_NAME, int(width * NAME_SHARE))
    for row in shown:
        done, total = row.bar
        figures = percent(done, total) if total else ""
        line = _line(set_cell_size(shorten(clean(row.name), names), names), "bold")
        line.append(f" {figures:>6}  ", style="not bold")
        line.append(clean(row.brief), style=f"not bold {_style(row)}")
        yield line
    if len(shown) < len(rows) and room > 1:
        yield _line(f"and {plural(len(rows) - len(shown), 'more torrent')}", "dim")


def _line(text: str, style: str) -> Text:
    return Text(clean(text), style=style, no_wrap=True, overflow="ellipsis", end="\n")


def _style(row: Shown) -> str:
    return "yellow" if row.troubled else "dim"


def shorten(text: str, width: int) -> str:
    """The text in so many cells of a terminal: what is too long loses its middle, as names differ at their ends."""
    if cell_len(text) <= width:
        return text
    if width < len(ELLIPSIS) + 2:
        return set_cell_size(text, width)
    tail = (width - len(ELLIPSIS)) // 2
    return f"{set_cell_size(text, width - len(ELLIPSIS) - tail)}{ELLIPSIS}{set_cell_size(text[::-1], tail)[::-1]}"
