"""Standing threads: order, outcomes, cancellation, and that nothing is left of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import outcome
import pytest
import trio
import trio.testing

from trio_torrent.disk.line import Line
from trio_torrent.disk.workers import Workers, open_workers


def threads() -> set[str]:
    """Trio keeps idle threads for ten seconds; they are named so."""
    return {thread.name for thread in threading.enumerate() if "_work" in thread.name}


async def test_the_result_of_a_job():
    async with open_workers(1) as workers:
        assert await workers.run(lambda: 6 * 7) == 42


async def test_the_exception_of_a_job():
    async with open_workers(1) as workers:
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 // 0)
        assert await workers.run(lambda: "still at work") == "still at work"


async def test_jobs_are_not_done_in_trios_thread_and_their_ends_are():
    ends: list[int] = []
    async with open_workers(2) as workers:
        there = await workers.run(threading.get_ident)
        workers.submit(threading.get_ident, lambda result: ends.append(threading.get_ident()))
    assert there != threading.get_ident()
    assert ends == [threading.get_ident()]


async def test_one_thread_does_jobs_in_the_order_in_which_they_came():
    done: list[outcome.Outcome[int]] = []
    async with open_workers(1) as workers:
        for number in range(200):
            workers.submit(partial(pow, number, 1), done.append)
    assert [result.unwrap() for result in done] == list(range(200))


async def test_no_job_is_lost_when_the_block_ends():
    done: list[outcome.Outcome[int]] = []
    async with open_workers(4) as workers:
        for number in range(500):
            workers.submit(partial(pow, number, 1), done.append)
    assert sorted(result.unwrap() for result in done) == list(range(500))


async def test_as_many_at_once_as_there_are_threads_and_no_more():
    together = threading.Barrier(3)
    async with open_workers(3) as workers, trio.open_nursery() as nursery:
        assert workers.count == 3
        for _ in range(6):
            nursery.start_soon(workers.run, partial(together.wait, 10))
        names = threads()
    assert len(names) <= 3


async def test_no_thread_is_started_for_nothing():
    before = threading.active_count()
    async with open_workers(4):
        await trio.testing.wait_all_tasks_blocked()
        assert threading.active_count() == before


async def test_the_threads_end_with_the_block():
    async with open_workers(3) as workers:
        for _ in range(10):
            await workers.run(int)
        assert threads()
    assert not threads()


async def test_a_cancelled_caller_leaves_at_once_and_the_job_is_done_all_the_same():
    may_go_on, done = threading.Event(), threading.Event()

    def job() -> None:
        assert may_go_on.wait(10)
        done.set()

    async with open_workers(1) as workers:
        with trio.move_on_after(0.02) as scope:
            await workers.run(job)
        assert scope.cancelled_caught
        assert not done.is_set()
        may_go_on.set()
    assert done.is_set()


async def test_cancelling_the_block_waits_for_what_is_being_done():
    """A write is never cut in half."""
    begun, done = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        release.wait(10)
        done.set()

    release = threading.Event()
    with trio.CancelScope() as scope:
        async with open_workers(1) as workers:
            workers.submit(job, lambda result: None)
            await trio.to_thread.run_sync(begun.wait, 10)
            scope.cancel()
            threading.Timer(0.02, release.set).start()
            await trio.sleep_forever()
    assert done.is_set()
    assert not threads()


async def test_a_job_is_done_although_the_block_is_cancelled_before_its_thread_has_started():
    done: list[outcome.Outcome[int]] = []
    with trio.CancelScope() as scope:
        async with open_workers(1) as workers:
            workers.submit(lambda: 42, done.append)
            scope.cancel()
    assert [result.unwrap() for result in done] == [42]
    assert not threads()


async def test_an_exception_in_the_block_comes_out():
    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="mine")):
        async with open_workers(1) as workers:
            await workers.run(int)
            raise KeyError("mine")
    assert not threads()


def calls_of(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What trio's thread is woken for, from now on."""
    calls, real = list[object](), workers._token.run_sync_soon

    def run_sync_soon(call: Callable[[], object]) -> None:
        calls.append(call)
        real(call)

    monkeypatch.setattr(workers, "_token", SimpleNamespace(run_sync_soon=run_sync_soon))
    return calls


async def test_the_ends_of_jobs_that_are_done_together_come_together(monkeypatch: pytest.MonkeyPatch):
    """And trio's thread, which is busy here, is woken once for all of them."""
    done, over = list[int](), threading.Event()
    async with open_workers(1) as workers:
        await workers.run(int)  # from here on, there is a thread
        calls = calls_of(workers, monkeypatch)
        for number in range(10):
            workers.submit(partial(pow, number, 1), lambda result: done.append(result.unwrap()))
        workers.submit(over.set, lambda result: None)
        assert over.wait(10)
        assert (len(calls), done) == (1, [])
    assert done == list(range(10))


# -- jobs in two parts -----------------------------------------------------------------------------------------------


async def test_the_second_part_has_what_came_of_the_first():
    results: list[outcome.Outcome[str]] = []
    async with open_workers(2) as workers:
        workers.submit_in_two(lambda: 6, Line(), lambda number: f"{number * 7}", results.append)
    assert [result.unwrap() for result in results] == ["42"]


@pytest.mark.parametrize("failing", [0, 1])
async def test_what_either_part_raises_is_what_became_of_the_job(failing: int):
    done, results = list[str](), list[outcome.Outcome[None]]()

    def part(number: int) -> None:
        done.append("part")
        if number == failing:
            raise OSError("no")

    line = Line()
    async with open_workers(1) as workers:
        workers.submit_in_two(lambda: part(0), line, lambda _: part(1), results.append)
        workers.submit_in_two(int, line, lambda _: None, results.append)
    assert done == ["part"] * (failing + 1)
    with pytest.raises(OSError, match="no"):
        results[0].unwrap()
    assert results[1].unwrap() is None


async def test_the_second_parts_of_a_line_are_done_one_by_one_and_hold_up_no_first_part():
    """The first of the second parts waits for all the first ones, which the other thread has to do."""
    begun, all_begun, inside, done = list[int](), threading.Event(), threading.Semaphore(1), list[int]()

    def first(number: int) -> int:
        begun.append(number)
        if len(begun) == 5:
            all_begun.set()
        return number

    def second(number: int) -> int:
        assert inside.acquire(blocking=False)
        assert all_begun.wait(10)
        inside.release()
        return number

    line = Line()
    async with open_workers(2) as workers:
        for number in range(5):
            workers.submit_in_two(partial(first, number), line, second, lambda result: done.append(result.unwrap()))
    assert sorted(done) == list(range(5))


async def test_while_others_wait_so_many_ends_are_told_together(monkeypatch: pytest.MonkeyPatch):
    begun, go, done = threading.Semaphore(0), threading.Semaphore(0), list[int]()

    def job(number: int) -> int:
        begun.release()
        assert go.acquire(timeout=10)
        return number

    async with open_workers(1) as workers:
        await workers.run(int)
        calls = calls_of(workers, monkeypatch)
        for number in range(5):
            workers.submit_in_two(
                partial(job, number),
                Line(),
                lambda number: number,
                lambda result: done.append(result.unwrap()),
                together=3,
            )
        assert begun.acquire(timeout=10)
        for ended, told in ((1, 0), (2, 0), (3, 1), (4, 1)):
            go.release()
            assert begun.acquire(timeout=10)  # the next one; the thread is done with those before
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (len(calls), len(done)) == (told, 3 * told), ended
        go.release()  # behind the last one nobody waits
    assert done == [0, 1, 2, 3, 4]
    assert len(calls) == 2


async def test_an_end_that_is_waited_for_brings_those_before():
    go, done, heard = threading.Event(), list[int](), trio.Event()
    async with open_workers(1) as workers:
        workers.submit_in_two(int, Line(), int, lambda result: done.append(result.unwrap()), together=9)
        workers.submit(int, lambda result: heard.set())
        workers.submit(partial(go.wait, 10), lambda result: None)
        with trio.fail_after(5):
            await heard.wait()
        assert done == [0]
        go.set()


# -- many jobs -------------------------------------------------------------------------------------------------------


async def test_many_jobs_tell_their_places_and_results():
    found: dict[int, int] = {}
    async with open_workers(3) as workers:
        await workers.run_all((partial(pow, number, 2) for number in range(50)), found.__setitem__)
    assert found == {number: number**2 for number in range(50)}


async def test_jobs_are_taken_as_the_threads_get_to_them():
    taken, done = 0, 0

    def jobs() -> Iterator[type[int]]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            assert taken - done <= 2 * 2 + 1
            yield int

    def note(place: int, result: int) -> None:
        nonlocal done
        done += 1

    async with open_workers(2) as workers:
        await workers.run_all(jobs(), note)
    assert (taken, done) == (50, 50)


async def test_the_first_exception_ends_it():
    found: dict[int, object] = {}

    def jobs() -> Iterator[Callable[[], object]]:
        yield int
        yield partial(divmod, 1, 0)
        for _ in range(1000):
            yield int

    async with open_workers(1) as workers:
        with pytest.RaisesGroup(ZeroDivisionError):
            await workers.run_all(jobs(), found.__setitem__)
    assert 1 not in found
    assert len(found) < 10


async def test_nothing_waits_for_threads_that_have_gone():
    async with open_workers(1) as workers:
        assert await workers.run(lambda: 1) == 1
    with pytest.raises(RuntimeError, match="closed"):
        await workers.run(lambda: 2)
