"""Every listener hears everything that it has room for, and how much it has missed."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_torrent.client.broadcast import SPARE, Broadcast
from trio_torrent.client.events import Completed, FileDone, Overflow, PieceDone, TorrentEvent


def pieces(*numbers: int) -> list[TorrentEvent]:
    return [PieceDone(number) for number in numbers]


def tell(broadcast: Broadcast, *numbers: int) -> None:
    for event in pieces(*numbers):
        broadcast.tell(event)


def heard(events: trio.MemoryReceiveChannel[TorrentEvent]) -> list[TorrentEvent]:
    """All that waits to be read."""
    found: list[TorrentEvent] = []
    try:
        while True:
            found.append(events.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        return found


async def test_everyone_hears_everything_from_when_he_listens():
    broadcast = Broadcast()
    tell(broadcast, 0)
    async with broadcast.listen(10) as early:
        tell(broadcast, 1)
        async with broadcast.listen(10) as late:
            tell(broadcast, 2)
            assert heard(late) == pieces(2)
        tell(broadcast, 3)
        assert heard(early) == pieces(1, 2, 3)
    tell(broadcast, 4)


async def test_what_does_not_fit_is_counted_where_it_is_missing():
    broadcast = Broadcast()
    async with broadcast.listen(2) as slow, broadcast.listen(100) as quick:
        tell(broadcast, 1, 2, 3, 4, 5)
        assert heard(slow) == pieces(1, 2)
        tell(broadcast, 6)
        assert heard(slow) == [Overflow(3), PieceDone(6)]
        tell(broadcast, 7)
        assert heard(slow) == pieces(7)
        assert heard(quick) == pieces(1, 2, 3, 4, 5, 6, 7)


async def test_with_room_for_one_the_count_takes_none():
    broadcast = Broadcast()
    async with broadcast.listen(1) as slow:
        tell(broadcast, 1, 2, 3)
        assert heard(slow) == pieces(1)
        tell(broadcast, 4)
        assert heard(slow) == [Overflow(2), PieceDone(4)]


async def test_what_is_waited_for_is_told_also_to_those_who_have_missed_much():
    """One piece may complete any number of files, and nothing may come afterwards."""
    broadcast = Broadcast()
    async with broadcast.listen(2) as slow:
        tell(broadcast, *range(5))
        broadcast.tell(Completed(1.0, 2, 3))
        assert heard(slow) == [*pieces(0, 1), Overflow(3), Completed(1.0, 2, 3)]


async def test_who_never_reads_is_told_no_more_than_so_much():
    broadcast = Broadcast()
    async with broadcast.listen(2) as deaf:
        for _ in range(1000):
            broadcast.tell(Completed(1.0, 2, 3))
        assert len(heard(deaf)) == 2 + SPARE


async def test_one_who_waits_hears_at_once(nursery):
    broadcast, found = Broadcast(), list[TorrentEvent]()

    async def listen() -> None:
        async with broadcast.listen(0) as events:
            async for event in events:
                found.append(event)

    nursery.start_soon(listen)
    await trio.testing.wait_all_tasks_blocked()
    tell(broadcast, 1)
    await trio.testing.wait_all_tasks_blocked()
    assert found == pieces(1)
    broadcast.close()


async def test_the_end_comes_after_all_that_was_told():
    broadcast = Broadcast()
    async with broadcast.listen(10) as events:
        tell(broadcast, 1, 2)
        broadcast.close()
        assert [event async for event in events] == pieces(1, 2)


async def test_who_listens_after_the_end_hears_the_end():
    broadcast = Broadcast()
    broadcast.close()
    async with broadcast.listen(10) as events:
        with trio.fail_after(0.1):
            assert [event async for event in events] == []


async def test_who_stops_listening_in_between_is_no_harm():
    broadcast = Broadcast()
    async with broadcast.listen(10) as events, broadcast.listen(10) as others:
        await events.aclose()
        tell(broadcast, 1)
        assert heard(others) == pieces(1)


async def test_an_exception_of_the_listener_ends_its_listening():
    broadcast = Broadcast()
    with pytest.raises(KeyError):
        async with broadcast.listen(1):
            raise KeyError
    assert broadcast._listeners == []


async def test_who_is_leaving_is_no_harm():
    """Telling never meets a listener that is half gone: leaving has no checkpoint before it is out of the list."""
    broadcast = Broadcast()

    async def tell() -> None:
        for piece in range(20):
            broadcast.tell(PieceDone(piece))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        for _ in range(10):
            async with broadcast.listen(2):
                await trio.lowlevel.checkpoint()


async def test_who_wants_some_hears_and_misses_no_others():
    broadcast = Broadcast()
    async with broadcast.listen(1, (FileDone, Completed)) as events:
        tell(broadcast, 1, 2, 3)
        broadcast.tell(FileDone("a"))
        tell(broadcast, 4)
        broadcast.tell(FileDone("b"))
        assert heard(events) == [FileDone("a")]
        broadcast.tell(Completed(1.0, 2, 3))
        assert heard(events) == [Overflow(1), Completed(1.0, 2, 3)]
