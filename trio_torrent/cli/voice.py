"""What a command tells: events for programs on stdout, words for people on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .display import LogScreen, Screen, Silent, open_screen
from .exits import complaint, exit_code, explain
from .words import clean

if TYPE_CHECKING:
    from .drawing import Shown


class Voice:
    """Each thing is told twice: with `emit` to programs, who see it with --json, and with `say` or `tell` to people."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self._screen: Screen = Silent() if quiet else LogScreen()

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Within the block, a live display if there is a terminal for it and nobody wants JSON."""
        before = self._screen
        self._screen = open_screen(quiet=self.quiet, live=not self.as_json)
        try:
            yield
        finally:
            self._screen.close()
            self._screen = before

    def emit(self, event: str, **fields: object) -> None:
        """One JSON object, on one line of stdout."""
        if self.as_json:
            import json  # here, as people do without

            print(json.dumps({"event": event, **fields}), flush=True)

    def say(self, text: str) -> None:
        """A line for people."""
        self._screen.say(text)

    def tell(self, text: str) -> None:
        """A line on stdout, what people have asked for; strangers may have written it."""
        if not self.as_json:
            print(clean(text), flush=True)

    def show(self, rows: Sequence[Shown], now: float, total: str = "") -> None:
        """How things stand, and all of them together; often, as the screen decides what to do with it."""
        self._screen.show(rows, now, total)

    def warn(self, message: str) -> None:
        """Something went wrong that is not the command's failure; it is told in any case."""
        self._screen.complain(complaint(message))

    def fail(self, error: BaseException, **fields: object) -> None:
        """An error, which is told in any case."""
        message = explain(error)
        self.emit("error", kind=exit_code(error).name.lower(), message=message, **fields)
        self.warn(message)
