"""Progress of what reads a lot of data from end to end: `create` and `verify`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

import attrs
import trio

from .origins import Origin
from .voice import Voice
from .words import duration, rate

T = TypeVar("T")

Progress = Callable[[int, int], None]  # told how many bytes of how many are read

FRAME_SECONDS = 0.1  # between frames: the bar moves as fast as a disk, and drawing takes 3 ms


@attrs.frozen
class Work:
    """Something that is read from end to end, as the progress display sees it."""

    name: str
    verb: str  # hashing, checking
    done: int  # bytes
    total: int
    seconds: float  # that it has taken so far

    in_bytes: ClassVar[bool] = True
    troubled: ClassVar[bool] = False
    steady: ClassVar[bool] = False

    origins: ClassVar[tuple[Origin, ...]] = ()

    @property
    def bar(self) -> tuple[int, int]:
        """How much of how much."""
        return self.done, self.total

    @property
    def activity(self) -> str:
        """How fast it goes, and how long it will."""
        if not self.done or self.seconds <= 0:
            return self.verb
        speed = self.done / self.seconds
        return f"{self.verb}, {rate(speed)}, {duration((self.total - self.done) / speed)} left"

    @property
    def brief(self) -> str:
        """Short enough as it is."""
        return self.activity


async def read_through(name: str, verb: str, voice: Voice, read: Callable[[Progress], Awaitable[T]]) -> T:
    """What `read` returns, shown as `name` while it goes on. What it raises comes in a group."""
    started = trio.current_time()
    done = total = 0

    def note(so_far: int, of_all: int) -> None:
        nonlocal done, total
        done, total = so_far, of_all

    async def show() -> None:
        while True:
            now = trio.current_time()
            if total:  # before that, folders are looked through
                voice.show([Work(name, verb, done, total, now - started)], now)
            await trio.sleep(FRAME_SECONDS)

    with voice.progress():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(show)
            result = await read(note)
            nursery.cancel_scope.cancel()
    return result
