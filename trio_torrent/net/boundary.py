"""Where a task's failure stops.

One peer, tracker or torrent that goes wrong must not take the others along, and in trio an exception that leaves a task
takes its whole nursery. So each task catches what it declares, and hands what nobody foresaw to a `Boundary`, which
counts it. A count above zero is a bug of ours; the tests hold it at zero.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger: logging.Logger = logging.getLogger("trio_torrent")


class Boundary:
    """Counts exceptions that nobody foresaw."""

    def __init__(self) -> None:
        self.unexpected: int = 0

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Stop any exception here. Cancellation passes, also where both come at once, in a group."""
        try:
            yield
        except* Exception:
            self.unexpected += 1
            logger.exception("unexpected, in %s; this is a bug in trio-torrent", what)
