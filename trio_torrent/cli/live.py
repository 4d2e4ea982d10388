"""The live display on a terminal, by rich."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from . import words
from .drawing import Shown, draw


def open_live_screen() -> LiveScreen | None:
    """One on stderr; None where its terminal cannot move the cursor."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return LiveScreen(console) if console.is_terminal and not console.is_dumb_terminal else None


class LiveScreen:
    """The state of all torrents, drawn over itself; lines that are said scroll by above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, rows: Sequence[Shown], now: float, total: str = "") -> None:
        """Draw."""
        width, height = self._console.size
        self._live.update(draw(rows, width, height, total), refresh=True)

    def say(self, text: str) -> None:
        """Print a line above."""
        self._console.print(Text(words.clean(text)), soft_wrap=True)

    complain = say

    def close(self) -> None:
        """Take the display away, and give the cursor back."""
        self._live.stop()
