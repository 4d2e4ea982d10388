"""Places, taken and given back by tasks."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_torrent.errors import ShortageError
from trio_torrent.net.places import Places, Share
from trio_torrent.swarm.shares import SLACK, Budget


def places(*, connections: int = 2, attempts: int = 2) -> Places:
    return Places(Budget(connections, attempts, 1, 5))


def test_places_are_given_back_whatever_happens():
    def fail() -> None:
        with share.connected() as crowded:
            assert not crowded
            raise ZeroDivisionError

    with places(connections=1).share() as share:
        for _ in range(100):
            with pytest.raises(ZeroDivisionError):
                fail()


def test_too_many_connections_are_crowded_and_then_refused():
    with places(connections=1).share() as share:
        assert crowd(share, SLACK + 1) == [False] + [True] * SLACK
        with pytest.raises(ShortageError, match="too many connections in all"):
            crowd(share, SLACK + 2)


def crowd(share: Share, count: int) -> list[bool]:
    """So many connections at once, and which of them were crowded."""
    if not count:
        return []
    with share.connected() as crowded:
        return [crowded, *crowd(share, count - 1)]


def test_another_torrent_gets_its_share():
    everything = places(connections=2)
    with everything.share() as one, one.connected(), one.connected():
        before = one.is_over
        with everything.share() as other, other.connected() as crowded:
            meanwhile = crowded, one.is_over, other.is_over
        assert (before, meanwhile, one.is_over) == (False, (False, True, False), False)


async def attempt(share: Share, seconds: float, log: list[str], name: str, *, look: bool = False) -> None:
    async with share.attempting(look=look):
        log.append(name)
        await trio.sleep(seconds)


async def test_attempts_wait_for_their_turn(autojump_clock: trio.testing.MockClock):
    everything, log = places(attempts=2), list[str]()
    with everything.share() as one, everything.share() as other:
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(attempt, one, 1, log, f"one {number}")
                await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(attempt, other, 1, log, "other")
        assert trio.current_time() - start == 3
    assert log[:2] == ["one 0", "one 1"]
    assert "other" in log[2:4], "it has none yet, so it is next"


async def test_those_who_give_up_waiting_take_nothing(autojump_clock: trio.testing.MockClock):
    log: list[str] = []
    with places(attempts=1).share() as share:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt, share, 10, log, "first")
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(1):
                await attempt(share, 1, log, "impatient")
            with trio.fail_after(12):
                await attempt(share, 1, log, "second")
    assert log == ["first", "second"]


async def test_cancelled_as_its_turn_comes_it_passes_it_on(autojump_clock: trio.testing.MockClock):
    log: list[str] = []
    with places(attempts=1).share() as share:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt, share, 1, log, "first")
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope(deadline=trio.current_time() + 1):
                await attempt(share, 1, log, "just then")
        with trio.fail_after(3):
            await attempt(share, 1, log, "last")
    assert log[-1] == "last"


async def test_no_attempt_is_made_where_nothing_could_come_of_it():
    everything = places(connections=1)
    with everything.share() as share, share.connected(), pytest.raises(ShortageError):
        await attempt(share, 1, [], "hopeless")
