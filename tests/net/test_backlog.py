"""What goes next of what a peer asked for, and that a limit loses no byte on the way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import trio
import trio.testing

from trio_torrent.net.backlog import BATCH, FIRST_BATCH, Backlog
from trio_torrent.net.throttle import Throttle
from trio_torrent.swarm.rates import Bucket
from trio_torrent.wire.codec import PIECE_HEADER
from trio_torrent.wire.messages import Request

BLOCK = 16384
MESSAGE = PIECE_HEADER + BLOCK


def requests(count: int, start: int = 0) -> list[Request]:
    return [Request(piece, 0, BLOCK) for piece in range(start, start + count)]


class Bench:
    """A backlog, and a torrent's limit of `rate`."""

    def __init__(self, rate: int | None) -> None:
        self.bucket = Bucket(rate, trio.current_time())
        self.throttle = Throttle(self.bucket, Bucket(None, 0.0), trio.Lock())
        self.woken = 0
        self.backlog = Backlog(self.throttle, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    @property
    def owed(self) -> float:
        return -self.bucket.available(trio.current_time())

    async def turn(self) -> None:
        """The next turn comes, in no time."""
        with trio.move_on_after(0.1):
            await self.throttle.run()


def batches(backlog: Backlog) -> Iterator[int]:
    while batch := backlog.next_batch():
        yield len(batch)


def test_without_a_limit_everything_goes_at_once_in_batches():
    backlog = Backlog(Throttle(Bucket(None, 0.0), Bucket(None, 0.0), trio.Lock()), lambda: None)
    backlog.add(requests(8 * FIRST_BATCH + 3))
    assert list(batches(backlog)) == [FIRST_BATCH] * 8 + [3]


def test_a_batch_has_no_more_bytes_than_so_many_blocks():
    """One that begins before the end may be twice as long, and then that is the last."""
    backlog = Backlog(Throttle(Bucket(None, 0.0), Bucket(None, 0.0), trio.Lock()), lambda: None)
    backlog.add(Request(piece, 0, 2 * BLOCK) for piece in range(100))
    for _ in range(5):
        backlog.sent(0.0)
    assert list(batches(backlog)) == [BATCH // 2 + 1] * 5 + [100 - 5 * (BATCH // 2 + 1)]


async def test_nor_has_it_under_a_generous_limit(autojump_clock):
    bench = Bench(1 << 30)
    bench.backlog.add(Request(piece, 0, 2 * BLOCK) for piece in range(100))
    for _ in range(5):
        bench.backlog.sent(0.0)
    bench.backlog.next_batch()
    await bench.turn()
    assert bench.woken == 1
    assert len(bench.backlog.next_batch()) == BATCH // 2 + 1
    assert bench.backlog.next_batch() == ()


def test_batches_grow_where_they_are_sent_quickly_and_shrink_where_slowly():
    """What is being sent cannot be taken back."""
    backlog = Backlog(Throttle(Bucket(None, 0.0), Bucket(None, 0.0), trio.Lock()), lambda: None)
    backlog.add(requests(1000))
    sizes = []
    for seconds in [0.1, 0.1, 0.1, 0.3, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.1]:
        sizes.append(len(backlog.next_batch()))
        backlog.sent(seconds)
    assert sizes == [8, 16, 32, 32, 32, 16, 8, 4, 2, 1, 1, 1]
    assert len(backlog.next_batch()) == 2


def test_in_the_order_in_which_they_came():
    backlog = Backlog(Throttle(Bucket(None, 0.0), Bucket(None, 0.0), trio.Lock()), lambda: None)
    backlog.add(requests(2, start=5))
    backlog.add(requests(6))
    assert [request.piece for request in backlog.next_batch()] == [5, 6, 0, 1, 2, 3, 4]


def test_what_is_removed_is_told_of_once():
    backlog = Backlog(Throttle(Bucket(None, 0.0), Bucket(None, 0.0), trio.Lock()), lambda: None)
    backlog.add(requests(4))
    assert backlog.remove([*requests(1), Request(9, 9, 9)]) == requests(1)
    assert backlog.remove(None) == requests(3, start=1)
    assert backlog.remove(None) == []
    assert backlog.next_batch() == ()


async def test_under_a_limit_it_goes_when_its_turn_comes(autojump_clock):
    bench = Bench(MESSAGE)
    bench.backlog.add(requests(5))
    assert bench.backlog.next_batch() == ()
    assert bench.woken == 0
    await bench.turn()
    assert bench.woken == 1
    assert bench.backlog.next_batch() == tuple(requests(1))
    assert bench.owed == pytest.approx(MESSAGE, rel=0.11)
    assert bench.backlog.next_batch() == ()


@pytest.mark.parametrize("left", [0, 1, 2])
async def test_what_is_withdrawn_after_its_turn_has_come_is_given_back(autojump_clock, left: int):
    bench = Bench(40 * MESSAGE)  # two blocks a turn
    bench.backlog.add(requests(2))
    bench.backlog.next_batch()
    await bench.turn()
    before = bench.owed
    bench.backlog.remove(requests(2)[left:])
    assert bench.backlog.next_batch() == tuple(requests(left))
    assert bench.owed - before == (left - 2) * MESSAGE


async def test_what_a_turn_was_worth_does_not_grow_with_what_is_asked_later(autojump_clock):
    bench = Bench(40 * MESSAGE)
    bench.backlog.add(requests(1))
    bench.backlog.next_batch()
    await bench.turn()
    bench.backlog.add(requests(5, start=1))
    assert bench.backlog.next_batch() == tuple(requests(1))
    assert bench.backlog.next_batch() == ()


async def test_what_is_over_when_it_closes_is_given_back(autojump_clock):
    bench = Bench(40 * MESSAGE)
    bench.backlog.add(requests(2))
    bench.backlog.next_batch()
    await bench.turn()
    before = bench.owed
    bench.backlog.close()
    assert bench.owed - before == -2 * MESSAGE
    bench.backlog.close()
    assert bench.owed - before == -2 * MESSAGE


async def test_after_closing_its_turn_does_not_come(autojump_clock):
    bench = Bench(MESSAGE)
    bench.backlog.add(requests(2))
    bench.backlog.next_batch()
    bench.backlog.close()
    await bench.turn()
    assert bench.woken == 0
    assert bench.bucket.available(trio.current_time()) > 0


async def test_a_turn_with_nothing_to_send_is_no_waking(autojump_clock):
    bench = Bench(MESSAGE)
    bench.backlog.add(requests(2))
    bench.backlog.next_batch()
    bench.backlog.remove(None)
    await bench.turn()
    assert bench.woken == 0
    assert bench.bucket.available(trio.current_time()) > 0


async def test_who_asks_again_keeps_the_place(autojump_clock):
    bench = Bench(MESSAGE)
    order: list[str] = []
    backlogs = {name: Backlog(bench.throttle, partial(order.append, name)) for name in "abc"}
    for backlog in [*backlogs.values(), backlogs["a"]]:
        backlog.add(requests(3))
        assert backlog.next_batch() == ()
    with trio.move_on_after(3.5):
        await bench.throttle.run()
    assert order == ["a", "b", "c"]
