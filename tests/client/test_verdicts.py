"""Verdicts reach the scheduler, also when its inbox is full."""

from __future__ import annotations

import errno

import outcome
import pytest
import trio
import trio.testing

from trio_torrent.client.verdicts import Verdicts
from trio_torrent.disk.store import Verdict
from trio_torrent.errors import StorageError
from trio_torrent.swarm.events import Event, PieceFailed, PieceVerified


def good(piece: int) -> outcome.Outcome[Verdict]:
    return outcome.Value(Verdict(piece, True, ()))


def test_with_room_they_are_there_at_once():
    inbox, events = trio.open_memory_channel[Event](2)
    verdicts = Verdicts(inbox)
    verdicts.tell(good(1))
    verdicts.tell(outcome.Value(Verdict(2, False, (b"digest",))))
    assert [events.receive_nowait(), events.receive_nowait()] == [PieceVerified(1, ()), PieceFailed(2, (b"digest",))]


async def test_without_room_they_wait_and_none_is_lost(autojump_clock):
    inbox, events = trio.open_memory_channel[Event](1)
    verdicts = Verdicts(inbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(verdicts.run)
        for piece in range(5):
            verdicts.tell(good(piece))
        await trio.testing.wait_all_tasks_blocked()
        found = {await events.receive() for _ in range(5)}
        nursery.cancel_scope.cancel()
    assert found == {PieceVerified(piece, ()) for piece in range(5)}


async def test_what_could_not_be_written_ends_the_session():
    inbox, _ = trio.open_memory_channel[Event](5)
    verdicts = Verdicts(inbox)
    verdicts.tell(outcome.Error(StorageError("full", number=errno.ENOSPC)))
    with pytest.raises(StorageError, match="full"):
        await verdicts.run()
