"""When a torrent runs, waits, and is still, in virtual time."""

from __future__ import annotations

import errno

import trio
import trio.testing

from trio_torrent.client.sessions import RETRY_SECONDS, Sessions
from trio_torrent.client.status import State
from trio_torrent.errors import ChangedError, StorageError

FULL = StorageError("full", number=errno.ENOSPC)
SHORT = ChangedError("short", file=0)


async def live(sessions: Sessions, begun: list[float], error: StorageError | None = None) -> None:
    """Sessions that fail, or go on until they are ended."""
    while True:
        await sessions.wait()
        with sessions.session():
            begun.append(trio.current_time())
            sessions.works()
            if error is not None:
                sessions.broke(error)
            await trio.sleep_forever()


async def starts(error: StorageError, seconds: float) -> list[float]:
    begun: list[float] = []
    start = trio.current_time()
    with trio.move_on_after(seconds):
        await live(Sessions(), begun, error)
    return [time - start for time in begun]


async def test_a_disk_that_fails_is_tried_again_every_ten_seconds(autojump_clock: trio.testing.MockClock):
    assert await starts(FULL, 35) == [0, RETRY_SECONDS, 2 * RETRY_SECONDS, 3 * RETRY_SECONDS]


async def test_a_file_that_has_changed_is_looked_at_at_once_but_not_for_ever(autojump_clock: trio.testing.MockClock):
    assert await starts(SHORT, 25) == [0, 0, RETRY_SECONDS, 2 * RETRY_SECONDS]


async def test_several_who_find_out_at_once_are_one(autojump_clock: trio.testing.MockClock):
    sessions = Sessions()
    with sessions.session():
        assert [sessions.broke(SHORT), sessions.broke(FULL)] == [True, False]
    assert sessions.error is SHORT


async def test_pausing_and_resuming(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery):
    sessions, begun = Sessions(), list[float]()
    nursery.start_soon(live, sessions, begun)
    await trio.sleep(1)
    states = [sessions.state]
    sessions.pause()
    await trio.sleep(100)
    assert ([*states, sessions.state], len(begun)) == ([None, State.PAUSED], 1)
    sessions.resume()
    await trio.sleep(1)
    assert len(begun) == 2


async def test_whoever_needs_it_to_be_still_has_it_to_himself(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
):
    sessions, begun, inside = Sessions(), list[float](), 0
    nursery.start_soon(live, sessions, begun)
    await trio.sleep(1)

    async def need() -> None:
        nonlocal inside
        async with sessions.still():
            inside += 1
            assert inside == 1
            await trio.sleep(5)
            inside -= 1

    async with trio.open_nursery() as needy:
        needy.start_soon(need)
        needy.start_soon(need)
        await trio.sleep(9)
        assert len(begun) == 1
    await trio.sleep(1)
    assert len(begun) == 2


async def test_a_pause_in_between_is_kept(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery):
    sessions, begun = Sessions(), list[float]()
    nursery.start_soon(live, sessions, begun)
    await trio.sleep(1)
    async with sessions.still():
        sessions.pause()
    await trio.sleep(50)
    assert (sessions.state, len(begun)) == (State.PAUSED, 1)


async def test_whoever_is_stopped_while_it_waits_waits_no_more(autojump_clock: trio.testing.MockClock):
    sessions = Sessions()
    sessions.pause()
    with trio.move_on_after(1):
        await sessions.wait()
    assert sessions.state is None
