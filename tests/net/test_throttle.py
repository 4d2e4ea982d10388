"""How fast peers are sent blocks under a limit, and in which order; in virtual time."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, pairwise

import pytest
import trio
import trio.testing

from trio_torrent.net.backlog import BATCH
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.peer import PeerConnection
from trio_torrent.net.throttle import LONGEST_NAP, TURN_SECONDS, Throttle
from trio_torrent.swarm.events import Event, PeerId, Served
from trio_torrent.swarm.rates import Bucket
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import PIECE_HEADER, encode
from trio_torrent.wire.connection import Connection

BLOCK = 16384
MESSAGE = PIECE_HEADER + BLOCK
HAVE = encode(wire.Have(1))


class Sink(trio.abc.Stream):
    """Takes what is sent at `rate` bytes a second, and notes when it came. Brings nothing."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.sent: list[tuple[float, int]] = []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep(len(data) / self.rate if self.rate else math.inf)
        self.sent.append((trio.current_time(), len(data)))

    def between(self, start: float, end: float) -> int:
        return sum(size for when, size in self.sent if start < when <= end)

    async def wait_send_all_might_not_block(self) -> None:
        raise NotImplementedError

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def read_blocks(requests: Sequence[wire.Request]) -> bytes:
    await trio.lowlevel.checkpoint()
    return bytes(sum(PIECE_HEADER + request.length for request in requests))


class Seeder:
    """Torrents with peers that always want more."""

    def __init__(self, nursery: trio.Nursery, limit: int | None) -> None:
        self.bucket = Bucket(limit, trio.current_time())
        self.boundary = Boundary()
        self.peers: list[PeerConnection] = []
        self.turns = trio.Lock()
        self._nursery = nursery
        self._numbers = count()
        self._inbox, self._events = trio.open_memory_channel[Event](64)
        nursery.start_soon(self._ask_for_more)

    def torrent(self, limit: int | None = None) -> tuple[Throttle, Bucket]:
        bucket = Bucket(limit, trio.current_time())
        throttle = Throttle(bucket, self.bucket, self.turns)
        self._nursery.start_soon(throttle.run)
        return throttle, bucket

    def peer(self, throttle: Throttle, *, wants: int = 2 * BATCH, length: int = BLOCK, rate: float = math.inf) -> Sink:
        stream = Sink(rate)
        peer = PeerConnection(
            PeerId(len(self.peers)),
            stream,
            Connection(pieces=100, fast=True),
            fast=True,
            read_blocks=read_blocks,
            throttle=throttle,
            boundary=self.boundary,
        )
        self.peers.append(peer)
        self._nursery.start_soon(peer.run, self._inbox)
        peer.serve(self.requests(wants, length))
        return stream

    def requests(self, number: int, length: int = BLOCK) -> list[wire.Request]:
        return [wire.Request(next(self._numbers), 0, length) for _ in range(number)]

    async def _ask_for_more(self) -> None:
        async for event in self._events:
            if isinstance(event, Served):
                self.peers[event.peer].serve(self.requests(len(event.requests), event.requests[0].length))


@asynccontextmanager
async def seeding(limit: int | None = None) -> AsyncIterator[Seeder]:
    async with trio.open_nursery() as nursery:
        seeder = Seeder(nursery, limit)
        yield seeder
        nursery.cancel_scope.cancel()
    assert seeder.boundary.unexpected == 0


async def passed(seconds: float, *sinks: Sink) -> list[int]:
    """What each of them got from now on."""
    start = trio.current_time()
    await trio.sleep(seconds)
    return [sink.between(start, start + seconds) for sink in sinks]


def about(expected: float, *, within: float = 0.05, blocks: int = 1) -> object:
    """Nothing is sent in parts of blocks."""
    return pytest.approx(expected, abs=expected * within + blocks * BLOCK)


# -- how fast --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peers", [1, 8])
@pytest.mark.parametrize("rate", [20 << 10, 1 << 20, pytest.param(50 << 20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("whose", ["torrent", "client"])
async def test_a_limit_is_exact_and_shared_alike(autojump_clock, rate: int, peers: int, whose: str):
    async with seeding(rate if whose == "client" else None) as seeder:
        throttle, _ = seeder.torrent(rate if whose == "torrent" else None)
        sinks = [seeder.peer(throttle) for _ in range(peers)]
        got = await passed(10, *sinks)
        assert sum(got) == about(rate * 10)
        assert got == [about(rate * 10 / peers, within=0.1)] * peers


async def test_over_a_long_time_it_is_exact_to_the_block(autojump_clock):
    async with seeding() as seeder:
        throttle, _ = seeder.torrent(20 << 10)
        sink = seeder.peer(throttle)
        assert await passed(400, sink) == [about(400 * (20 << 10), within=0.001)]


async def test_torrents_share_alike_however_many_peers_they_have(autojump_clock):
    async with seeding(1 << 20) as seeder:
        one, other = seeder.torrent()[0], seeder.torrent()[0]
        alone, *many = [seeder.peer(one), *[seeder.peer(other) for _ in range(4)]]
        got = await passed(10, alone, *many)
        assert got[0] == about(5 << 20)
        assert got[1:] == [about((5 << 20) / 4, within=0.1)] * 4


async def test_what_one_torrent_may_not_take_is_for_the_others(autojump_clock):
    async with seeding(1 << 20) as seeder:
        slow, fast = seeder.peer(seeder.torrent(100 << 10)[0]), seeder.peer(seeder.torrent()[0])
        got = await passed(10, slow, fast)
        assert got == [about(1000 << 10), about((1 << 20) * 10 - (1000 << 10))]


async def test_a_torrent_waits_for_itself_without_keeping_others_waiting(autojump_clock):
    async with seeding(1 << 20) as seeder:
        crawling, fast = seeder.peer(seeder.torrent(100)[0]), seeder.peer(seeder.torrent()[0])
        await trio.sleep(1)
        assert await passed(10, crawling, fast) == [0, about(10 << 20)]


async def test_blocks_of_any_length_count_by_their_bytes(autojump_clock):
    async with seeding(1 << 20) as seeder:
        throttle, _ = seeder.torrent()
        small, large = seeder.peer(throttle, length=1000), seeder.peer(throttle, length=2 * BLOCK)
        assert sum(await passed(10, small, large)) == about(10 << 20)


async def test_who_asks_for_single_bytes_gets_no_more(autojump_clock):
    async with seeding(100 << 10) as seeder:
        sink = seeder.peer(seeder.torrent()[0], length=1)
        assert await passed(2, sink) == [about(200 << 10, blocks=0)]


@pytest.mark.parametrize("rate", [20 << 10, 1 << 20, 20 << 20])
async def test_it_moves_smoothly(autojump_clock, rate: int):
    async with seeding(rate) as seeder:
        sink = seeder.peer(seeder.torrent()[0])
        await trio.sleep(5)
        gaps = [later - earlier for (earlier, _), (later, _) in pairwise(sink.sent)]
        assert max(gaps) < max(BLOCK, rate * TURN_SECONDS + BLOCK) / rate + 0.01
        assert max(size for _, size in sink.sent) <= max(BLOCK, rate * TURN_SECONDS + BLOCK)


async def test_many_torrents_have_their_turns_one_after_the_other(autojump_clock):
    async with seeding(MESSAGE) as seeder:
        sinks = [seeder.peer(seeder.torrent()[0]) for _ in range(8)]
        await trio.sleep(79.5)
        assert [len(sink.sent) for sink in sinks] == [10] * 8
        sent = sorted(when for sink in sinks for when, _ in sink.sent)
        assert min(later - earlier for earlier, later in pairwise(sent)) > 0.9


# -- changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"), [(1 << 20, 20 << 20), (20 << 20, 1 << 20), (None, 1 << 20), (100, 1 << 20)]
)
@pytest.mark.parametrize("whose", ["torrent", "client"])
async def test_a_new_limit_is_soon_kept(autojump_clock, before: int | None, after: int, whose: str):
    async with seeding(before if whose == "client" else None) as seeder:
        throttle, bucket = seeder.torrent(before if whose == "torrent" else None)
        sink = seeder.peer(throttle, rate=1 << 27)
        await trio.sleep(3)
        (seeder.bucket if whose == "client" else bucket).set_rate(after, trio.current_time())
        on_its_way = 1 if before and before < after else BATCH
        assert sum(await passed(1, sink)) == about(after, within=LONGEST_NAP, blocks=on_its_way)
        assert sum(await passed(5, sink)) == about(after * 5)


@pytest.mark.parametrize("whose", ["torrent", "client"])
async def test_without_a_limit_it_is_as_fast_as_before(autojump_clock, whose: str):
    async with seeding(100 if whose == "client" else None) as seeder:
        throttle, bucket = seeder.torrent(100 if whose == "torrent" else None)
        sinks = [seeder.peer(throttle, rate=1 << 27) for _ in range(2)]
        await trio.sleep(3)
        (seeder.bucket if whose == "client" else bucket).set_rate(None, trio.current_time())
        await trio.sleep(LONGEST_NAP)
        assert await passed(1, *sinks) == [pytest.approx(1 << 27, rel=0.01)] * 2


# -- the line --------------------------------------------------------------------------------------------------------


async def test_messages_do_not_wait_for_blocks(autojump_clock):
    async with seeding(1) as seeder:  # a block in four and a half hours
        throttle, _ = seeder.torrent()
        sinks = [seeder.peer(throttle) for _ in range(2)]
        await trio.sleep(60)
        for peer in seeder.peers:
            peer.send([wire.Have(1)])
        await trio.testing.wait_all_tasks_blocked()
        assert [sink.sent[-1] for sink in sinks] == [(trio.current_time(), len(HAVE))] * 2


async def test_a_peer_that_reads_slowly_keeps_nobody_waiting(autojump_clock):
    async with seeding(1 << 20) as seeder:
        throttle, _ = seeder.torrent()
        deaf, slow, keen = seeder.peer(throttle, rate=0), seeder.peer(throttle, rate=10_000), seeder.peer(throttle)
        await trio.sleep(5)
        assert await passed(10, deaf, slow, keen) == [
            0,
            about(100_000, blocks=3),
            about((10 << 20) - 100_000, blocks=3),
        ]


async def test_a_peer_that_withdraws_its_requests_costs_nobody_a_turn(autojump_clock):
    async with seeding(MESSAGE) as seeder:
        throttle, _ = seeder.torrent()
        fickle, steady = seeder.peer(throttle), seeder.peer(throttle)
        await trio.sleep(5.5)  # between two turns
        seeder.peers[0].unserve(None)
        assert await passed(20, fickle, steady) == [0, 20 * MESSAGE]


async def test_a_peer_that_leaves_costs_nobody_a_turn(autojump_clock):
    async with seeding(MESSAGE) as seeder:
        throttle, _ = seeder.torrent()
        leaving, staying = seeder.peer(throttle), seeder.peer(throttle)
        await trio.sleep(5.5)
        seeder.peers[0].drop("for a reason")
        assert await passed(20, leaving, staying) == [0, 20 * MESSAGE]


async def test_a_torrent_that_stops_while_it_waits_leaves_the_line(autojump_clock):
    async with seeding(1 << 20) as seeder:
        now = trio.current_time()
        seeder.bucket.take(2 << 20, now)  # two seconds' worth
        turns: list[int] = []

        def turn(most: int) -> int:
            turns.append(most)
            return most

        stopping = Throttle(Bucket(None, now), seeder.bucket, seeder.turns)
        stopping.stand_in_line(turn)
        with trio.move_on_after(1):
            await stopping.run()
        sink = seeder.peer(seeder.torrent()[0])
        await trio.sleep(1)
        assert await passed(10, sink) == [about(10 << 20)]
        assert turns == []
