"""Standing threads for work that must not hold up the event loop: hashing, writing, reading.

A hop to a thread and back costs 40 to 50 µs when each piece brings its own; a standing thread that takes its next job
from a queue costs none, and the interpreter lock is let go in one stretch for each piece. The threads are trio's own,
started with the first job, and end with the `async with` block.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import outcome
import trio

from .line import Line

T = TypeVar("T")
U = TypeVar("U")

_Job = Callable[[], None]


class Workers:
    """Up to `count` threads, which do jobs in the order in which they come."""

    def __init__(self, nursery: trio.Nursery, count: int) -> None:
        self._nursery = nursery
        self._limiter = trio.CapacityLimiter(count)  # trio's default is shared with DNS look-ups
        self._token = trio.lowlevel.current_trio_token()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ends: deque[_Job] = deque()  # of jobs that are done: what trio's thread has to do
        self._called = False  # it was told that there are some
        self._running = 0
        self._stopped = False
        self.count = count

    def submit(self, job: Callable[[], T], done: Callable[[outcome.Outcome[T]], None]) -> None:
        """Do `job` in a thread, then `done` with its outcome in trio's thread. `done` must not raise.

        RuntimeError after `stop`: nobody would do it, and who waits for it would wait for ever.
        """
        self._put(partial(self._do, job, done))

    def submit_in_two(
        self,
        job: Callable[[], T],
        line: Line,
        rest: Callable[[T], U],
        done: Callable[[outcome.Outcome[U]], None],
        *,
        together: int = 1,
    ) -> None:
        """Do `job` in a thread, then `rest` with its result when it is its turn in the line; else as `submit`.

        What is raised in the first is the outcome, too. While other jobs wait, the ends of so many are told together.
        """

        def first() -> None:
            result = outcome.capture(job)
            line.do(partial(self._do, lambda: rest(result.unwrap()), done, together))

        self._put(first)

    def _put(self, job: _Job) -> None:
        if self._stopped:
            raise RuntimeError("the client is closed")
        self._jobs.put(job)
        if self._running < self.count:
            self._running += 1
            self._nursery.start_soon(self._stand)

    async def run(self, job: Callable[[], T]) -> T:
        """Do `job` in a thread; its result. A cancelled caller leaves at once, and the job is done all the same."""
        finished = trio.Event()
        outcomes: list[outcome.Outcome[T]] = []

        def done(result: outcome.Outcome[T]) -> None:
            outcomes.append(result)
            finished.set()

        self.submit(job, done)
        await finished.wait()
        return outcomes[0].unwrap()

    async def run_all(self, jobs: Iterable[Callable[[], T]], done: Callable[[int, T], None]) -> None:
        """Do all jobs, taken from the iterable as the threads get to them; `done` has each one's place and result.

        The first exception ends it.
        """
        ahead = trio.Semaphore(self.count * 2)

        async def one(place: int, job: Callable[[], T]) -> None:
            try:
                result = await self.run(job)
            finally:
                ahead.release()
            done(place, result)

        async with trio.open_nursery() as nursery:
            for place, job in enumerate(jobs):
                await ahead.acquire()
                nursery.start_soon(one, place, job)

    def stop(self) -> None:
        """No more jobs: the threads end when those that wait are done."""
        self._stopped = True
        for _ in range(self._running):
            self._jobs.put(None)

    def _do(self, job: Callable[[], T], done: Callable[[outcome.Outcome[T]], None], together: int = 1) -> None:
        self._ends.append(partial(done, outcome.capture(job)))
        if self._called:
            return  # it comes for the others, and need not be woken for each
        if len(self._ends) < together and not self._jobs.empty() and not self._stopped:
            return  # one of those that wait ends later than this, and tells of both
        self._called = True
        self._token.run_sync_soon(self._finish)

    def _finish(self) -> None:
        self._called = False  # before the first is taken: whoever is late to see it calls once too often
        while self._ends:
            self._ends.popleft()()

    async def _stand(self) -> None:
        with trio.CancelScope(shield=True):  # `stop` ends it: or else jobs would be lost that wait for it to begin
            await trio.to_thread.run_sync(self._work, limiter=self._limiter)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


@asynccontextmanager
async def open_workers(count: int) -> AsyncIterator[Workers]:
    """Workers that live as long as the block."""
    async with trio.open_nursery() as nursery:
        workers = Workers(nursery, count)
        try:
            yield workers
        finally:
            workers.stop()
