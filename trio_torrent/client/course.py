"""How far a torrent has come in its life, for all who wait for that: what there is, what is there, the end."""

from __future__ import annotations

import trio

from trio_torrent.errors import StoppedError, TorrentError

from .status import State


class Course:
    """Of one torrent; `known` if it did not begin as a link. What is waited for also comes if it never will be."""

    def __init__(self, *, known: bool) -> None:
        self.state: State = State.CHECKING if known else State.METADATA
        self.error: TorrentError | None = None  # why it ended
        self.learned: trio.Event = trio.Event()  # it is known what there is
        self.ready: trio.Event = trio.Event()  # and what is there of it
        self.ended: trio.Event = trio.Event()  # it is complete; another one, if more is wanted later
        self.over: trio.Event = trio.Event()  # nothing of it runs any more
        if known:
            self.learned.set()

    @property
    def is_stopped(self) -> bool:
        """Nothing more will be done, whatever the reason."""
        return self.state in (State.FAILED, State.STOPPED)

    def download(self) -> None:
        """Something is wanted that is not there."""
        self.state = State.DOWNLOADING
        if self.ended.is_set():
            self.ended = trio.Event()

    def seed(self) -> None:
        """All that is wanted is there."""
        self.state = State.SEEDING
        self.ended.set()

    def fail(self, error: TorrentError) -> None:
        """It cannot go on."""
        self.error, self.state = error, State.FAILED
        self._release()

    def stop(self, name: str) -> None:
        """It does not go on. Whoever waited for more than there is gets StoppedError."""
        if self.state is not State.FAILED:
            self.state = State.STOPPED
        if not self.ended.is_set() and self.error is None:
            self.error = StoppedError(f"{name}: stopped before it was complete")
        self._release()

    def _release(self) -> None:
        """Nobody waits for what will not come."""
        for milestone in (self.learned, self.ready, self.ended):
            milestone.set()
