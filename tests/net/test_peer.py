"""One peer's reader and writer, over streams of memory."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.heard import messages
from trio_torrent.errors import StorageError
from trio_torrent.net.backlog import FIRST_BATCH
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.peer import MOST_UNSAID, STUCK_SECONDS, PeerConnection
from trio_torrent.net.throttle import Throttle
from trio_torrent.swarm.events import Event, HashesServed, Left, PeerId, Received, Served
from trio_torrent.swarm.rates import Bucket
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode, encode_all
from trio_torrent.wire.connection import Connection

BLOCK = 16384
ME = PeerId(7)
HAVE = encode(wire.Have(1))


class Wire(trio.abc.Stream):
    """Remembers each send, and brings what it is told to."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.open = True
        self.writable = trio.Event()
        self.writable.set()
        self.bring, self._bring = trio.open_memory_channel[bytes | Exception](math.inf)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.writable.wait()
        self.sent.append(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self.writable.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        came = await self._bring.receive()
        if isinstance(came, Exception):
            raise came
        return came

    async def aclose(self) -> None:
        self.open = False
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Bench:
    """A connection, with both of its ends in our hands."""

    stream: Wire
    peer: PeerConnection
    boundary: Boundary
    inbox: trio.MemoryReceiveChannel[Event]

    async def brings(self, data: bytes | Exception) -> None:
        self.stream.bring.send_nowait(data)
        await trio.testing.wait_all_tasks_blocked()

    def heard(self) -> list[Event]:
        events: list[Event] = []
        try:
            while True:
                events.append(self.inbox.receive_nowait())
        except trio.WouldBlock:
            return events

    async def said(self) -> list[wire.Message]:
        """What was sent since one last looked."""
        await trio.testing.wait_all_tasks_blocked()
        sent = b"".join(self.stream.sent)
        self.stream.sent.clear()
        return messages(Connection(pieces=100, fast=True, v2=True).receive(sent))


def block(request: wire.Request) -> wire.Piece:
    return wire.Piece(request.piece, request.offset, bytes([request.piece]) * request.length)


async def read_blocks(requests: Sequence[wire.Request]) -> bytes:
    await trio.lowlevel.checkpoint()
    return encode_all(map(block, requests))


def no_limit() -> Throttle:
    return Throttle(Bucket(None, 0.0), Bucket(None, 0.0), trio.Lock())


@asynccontextmanager
async def talking(
    *, fast: bool = True, v2: bool = False, early: bytes = b"", room: int = 1000, read=read_blocks
) -> AsyncIterator[Bench]:
    boundary, stream = Boundary(), Wire()
    send, receive = trio.open_memory_channel[Event](room)
    connection = Connection(pieces=100, fast=fast, v2=v2)
    peer = PeerConnection(ME, stream, connection, fast=fast, read_blocks=read, throttle=no_limit(), boundary=boundary)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.run, send, early)
        await trio.testing.wait_all_tasks_blocked()
        yield Bench(stream, peer, boundary, receive)
        nursery.cancel_scope.cancel()
    assert not stream.open


# -- hearing ---------------------------------------------------------------------------------------------------------


async def test_each_chunk_is_one_event():
    async with talking() as bench:
        await bench.brings(encode_all([wire.Have(1), wire.Have(2)]))
        await bench.brings(HAVE[:5])
        await bench.brings(HAVE[5:])
        assert bench.heard() == [Received(ME, (wire.Have(1), wire.Have(2))), Received(ME, (wire.Have(1),))]


async def test_what_came_behind_the_handshake_comes_first():
    async with talking(early=HAVE + HAVE[:3]) as bench:
        await bench.brings(HAVE[3:])
        assert bench.heard() == [Received(ME, (wire.Have(1),))] * 2


async def test_the_end_of_the_stream_is_the_end():
    async with talking() as bench:
        await bench.brings(HAVE)
        await bench.brings(b"")
        assert bench.heard() == [Received(ME, (wire.Have(1),)), Left(ME, "closed the connection")]
        assert not bench.stream.open


@pytest.mark.parametrize(
    ("brought", "reason"),
    [
        (encode(wire.Have(100)), "piece 100 of 100"),
        (b"\xff" * 4, "a message of 4294967295 bytes"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "connection reset"),
        (trio.BrokenResourceError("the pipe has burst"), "the pipe has burst"),
    ],
)
async def test_the_reason_in_words(brought, reason: str):
    async with talking() as bench:
        await bench.brings(brought)
        assert bench.heard() == [Left(ME, reason)]
        assert bench.boundary.unexpected == 0


async def test_garbage_behind_the_handshake():
    async with talking(early=b"\xff" * 4) as bench:
        assert bench.heard() == [Left(ME, "a message of 4294967295 bytes")]


async def test_while_the_inbox_is_full_nothing_is_read():
    """So that the other side's TCP waits."""
    async with talking(room=1) as bench:
        for _ in range(10):
            await bench.brings(HAVE)
        assert bench.stream.bring.statistics().current_buffer_used == 8
        bench.heard()
        await trio.testing.wait_all_tasks_blocked()
        assert bench.stream.bring.statistics().current_buffer_used == 6


# -- saying ----------------------------------------------------------------------------------------------------------


async def test_what_is_said_at_once_goes_in_one_send_and_in_order():
    async with talking() as bench:
        bench.peer.send([wire.Interested()])
        bench.peer.send([wire.Have(1), wire.Have(2)])
        bench.peer.ask([wire.Request(0, 0, 5)], None)
        await trio.testing.wait_all_tasks_blocked()
        expected: list[wire.Message] = [wire.Interested(), wire.Have(1), wire.Have(2), wire.Request(0, 0, 5)]
        assert bench.stream.sent == [encode_all(expected)]


async def test_on_a_socket_it_is_said_at_once():
    """And in order, where the system does not take all of it."""
    said: list[wire.Message] = [wire.Extended(1, bytes(60_000)) for _ in range(100)]
    send, _ = trio.open_memory_channel[Event](1000)
    us, them = map(trio.SocketStream, trio.socket.socketpair())
    connection = Connection(pieces=100, fast=True)
    peer = PeerConnection(
        ME, us, connection, fast=True, read_blocks=read_blocks, throttle=no_limit(), boundary=Boundary()
    )
    async with them, trio.open_nursery() as nursery:
        nursery.start_soon(peer.run, send)
        await trio.testing.wait_all_tasks_blocked()
        peer.send([wire.Interested()])
        assert os.read(them.socket.fileno(), 100) == encode(wire.Interested())
        for message in said:
            peer.send([message])
        came = bytearray()
        while len(came) < len(encode_all(said)):
            came += await them.receive_some()
        peer.send([wire.NotInterested()])
        assert came == encode_all(said)
        assert os.read(them.socket.fileno(), 100) == encode(wire.NotInterested())
        nursery.cancel_scope.cancel()


async def test_a_slow_writer_does_not_keep_the_reader_waiting():
    async with talking() as bench:
        bench.stream.writable = trio.Event()
        bench.peer.send([wire.Interested()])
        await bench.brings(HAVE)
        assert bench.heard() == [Received(ME, (wire.Have(1),))]
        assert bench.stream.sent == []


async def test_a_peer_that_does_not_read_is_dropped():
    async with talking() as bench:
        bench.stream.writable = trio.Event()
        bench.peer.send([wire.Interested()])
        await trio.testing.wait_all_tasks_blocked()
        for piece in range(MOST_UNSAID):
            bench.peer.send([wire.Have(piece % 100)])
        assert bench.heard() == []
        bench.peer.send([wire.Have(1)])
        await trio.testing.wait_all_tasks_blocked()
        assert bench.heard() == [Left(ME, "does not read what we say")]
        bench.peer.send([wire.Have(1)])


async def test_many_messages_in_one_go_count_as_many():
    """A choke may refuse thousands of requests at once; who does not read those costs no more memory than others."""
    async with talking() as bench:
        bench.stream.writable = trio.Event()
        bench.peer.send([wire.Interested()])
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            bench.peer.send([wire.Reject(0, 0, BLOCK)] * (MOST_UNSAID // 2))
        await trio.testing.wait_all_tasks_blocked()
        assert bench.heard() == [Left(ME, "does not read what we say")]


# -- blocks in -------------------------------------------------------------------------------------------------------

REQUEST = wire.Request(3, 0, BLOCK)


async def test_a_block_lands_in_its_place():
    memory = bytearray(BLOCK)
    async with talking() as bench:
        bench.peer.ask([REQUEST], lambda request: memoryview(memory))
        assert await bench.said() == [REQUEST]
        await bench.brings(encode(block(REQUEST)))
        assert bench.heard() == [Received(ME, (wire.Landed((REQUEST,)),), asks=1)]
        assert memory == bytes([3]) * BLOCK


async def test_without_a_place_it_brings_its_own():
    async with talking() as bench:
        bench.peer.ask([REQUEST], None)
        await bench.brings(encode(block(REQUEST)))
        (event,) = bench.heard()
        assert isinstance(event, Received)
        (message,) = event.messages
        assert isinstance(message, wire.Piece)
        assert isinstance(message.data, bytes)


@pytest.mark.parametrize("before", [0, 5000])
async def test_what_is_withdrawn_is_cancelled_and_does_not_land(before: int):
    """Also when a part of it has come already."""
    memory, data = bytearray(BLOCK), encode(block(REQUEST))
    async with talking() as bench:
        bench.peer.ask([REQUEST], lambda request: memoryview(memory))
        await bench.brings(data[:before] or HAVE)
        bench.peer.withdraw([REQUEST])
        memory[:] = bytes(BLOCK)
        assert (await bench.said())[-1] == wire.Cancel(3, 0, BLOCK)
        await bench.brings(data[before:])
        assert bench.heard()[-1] == Received(ME, (block(REQUEST),), asks=1)
    assert not any(memory)


async def test_what_the_peer_knows_of_is_withdrawn_without_a_word():
    memory = bytearray(BLOCK)
    async with talking() as bench:
        bench.peer.ask([REQUEST], lambda request: memoryview(memory))
        bench.peer.withdraw([REQUEST], tell=False)
        await bench.brings(encode(block(REQUEST)))
        assert await bench.said() == [REQUEST]
    assert not any(memory)


@pytest.mark.parametrize("before", [0, 5000])
async def test_after_a_drop_nothing_lands(before: int):
    """Not even what the reader was just about to take, when it was past being cancelled."""
    memory, data = bytearray(BLOCK), encode(block(REQUEST))
    async with talking() as bench:
        bench.peer.ask([REQUEST], lambda request: memoryview(memory))
        await bench.brings(data[:before] or HAVE)
        bench.heard()
        bench.stream.bring.send_nowait(data[before:])
        bench.peer.drop("for a reason")
        memory[:] = bytes(BLOCK)
        await trio.testing.wait_all_tasks_blocked()
        assert bench.heard()[-1] == Left(ME, "for a reason")
        assert bench.peer.reason == "for a reason"
        assert not bench.stream.open
    assert not any(memory)


async def test_a_drop_before_it_runs():
    send, receive = trio.open_memory_channel[Event](10)
    stream, boundary = Wire(), Boundary()
    peer = PeerConnection(
        ME,
        stream,
        Connection(pieces=1, fast=False),
        fast=False,
        read_blocks=read_blocks,
        throttle=no_limit(),
        boundary=boundary,
    )
    peer.drop("unwelcome")
    await peer.run(send, HAVE[:4])
    assert receive.receive_nowait() == Left(ME, "unwelcome")
    assert not stream.open


# -- blocks out ------------------------------------------------------------------------------------------------------


def requests(count: int) -> list[wire.Request]:
    return [wire.Request(piece, 0, 16) for piece in range(count)]


async def test_blocks_are_sent_in_the_order_asked_and_told_of():
    async with talking() as bench:
        bench.peer.serve(requests(2))
        bench.peer.serve(requests(3)[2:])
        assert await bench.said() == [block(request) for request in requests(3)]
        assert bench.heard() == [Served(ME, tuple(requests(3)))]


async def test_many_blocks_go_in_batches():
    async with talking() as bench:
        bench.peer.serve(requests(FIRST_BATCH * 3 + 1))
        await trio.testing.wait_all_tasks_blocked()
        assert len(bench.stream.sent) == 3
        served = [len(event.requests) for event in bench.heard() if isinstance(event, Served)]
        assert served == [FIRST_BATCH, 2 * FIRST_BATCH, 1]


async def test_who_takes_nothing_for_two_minutes_is_let_go(autojump_clock):
    async with talking() as bench:
        bench.stream.writable = trio.Event()
        bench.peer.send([wire.Unchoke()])
        await trio.sleep(STUCK_SECONDS + 1)
        assert bench.peer.reason == "does not read what we send"


async def test_what_is_to_be_said_does_not_wait_for_all_blocks():
    async with talking() as bench:
        bench.stream.writable = trio.Event()
        bench.peer.serve(requests(FIRST_BATCH + 1))
        await trio.testing.wait_all_tasks_blocked()
        bench.peer.send([wire.Choke()])
        bench.stream.writable.set()
        said = await bench.said()
        assert said.index(wire.Choke()) == FIRST_BATCH
        assert len(said) == FIRST_BATCH + 2


@pytest.mark.parametrize("fast", [False, True])
async def test_what_is_no_longer_wanted_is_not_sent(fast: bool):
    one, two, three = requests(3)
    async with talking(fast=fast) as bench:
        bench.peer.serve([one, two, three])
        bench.peer.unserve([two, wire.Request(50, 0, 1)])
        rejects = [wire.Reject(1, 0, 16)] if fast else []
        assert await bench.said() == [*rejects, block(one), block(three)]


@pytest.mark.parametrize("fast", [False, True])
async def test_or_nothing_at_all(fast: bool):
    async with talking(fast=fast) as bench:
        bench.peer.serve(requests(3))
        bench.peer.unserve(None)
        bench.peer.unserve(None)
        assert await bench.said() == ([wire.Reject(piece, 0, 16) for piece in range(3)] if fast else [])
        assert bench.heard() == []


async def test_a_disk_that_fails_ends_it():
    async def fails(requests: Sequence[wire.Request]) -> bytes:
        raise StorageError("/there/file: gone")

    async with talking(read=fails) as bench:
        bench.peer.serve(requests(1))
        assert await bench.said() == []
        assert bench.heard() == [Left(ME, "/there/file: gone")]
        assert bench.boundary.unexpected == 0


async def test_what_nobody_foresaw_is_counted_and_the_peer_is_gone():
    async def fails(requests: Sequence[wire.Request]) -> bytes:
        raise ZeroDivisionError

    async with talking(read=fails) as bench:
        bench.peer.serve(requests(1))
        await trio.testing.wait_all_tasks_blocked()
        assert [type(event) for event in bench.heard()] == [Left]
        assert bench.boundary.unexpected == 1
        assert not bench.stream.open


async def test_both_ends_of_memory_talk():
    """Two of ours, on trio's own streams."""
    ours, theirs = trio.testing.memory_stream_pair()
    inboxes = [trio.open_memory_channel[Event](100) for _ in range(2)]
    peers = [
        PeerConnection(
            PeerId(number),
            stream,
            Connection(pieces=100, fast=True),
            fast=True,
            read_blocks=read_blocks,
            throttle=no_limit(),
            boundary=Boundary(),
        )
        for number, stream in enumerate((ours, theirs))
    ]
    memory = bytearray(BLOCK)
    async with trio.open_nursery() as nursery:
        for peer, (send, _) in zip(peers, inboxes, strict=True):
            nursery.start_soon(peer.run, send)
        peers[0].ask([REQUEST], lambda request: memoryview(memory))
        assert await inboxes[1][1].receive() == Received(PeerId(1), (REQUEST,))
        peers[1].serve([REQUEST])
        assert await inboxes[0][1].receive() == Received(PeerId(0), (wire.Landed((REQUEST,)),), asks=1)
        assert await inboxes[1][1].receive() == Served(PeerId(1), (REQUEST,))
        peers[0].drop("enough")
        assert await inboxes[1][1].receive() == Left(PeerId(1), "closed the connection")
    assert memory == bytes([3]) * BLOCK


# -- hashes ----------------------------------------------------------------------------------------------------------

PART = wire.HashRequest(b"r" * 32, 0, 0, 2, 0)


async def test_hashes_are_read_one_answer_at_a_time_and_told():
    reading = 0

    async def read_hashes() -> wire.Hashes:
        nonlocal reading
        reading += 1
        assert reading == 1
        await trio.lowlevel.checkpoint()
        reading -= 1
        return wire.Hashes(PART, bytes(64))

    async with talking(v2=True) as bench:
        bench.peer.serve_hashes(read_hashes)
        bench.peer.serve_hashes(read_hashes)
        assert await bench.said() == [wire.Hashes(PART, bytes(64))] * 2
        assert bench.heard() == [HashesServed(ME)] * 2


async def test_blocks_and_hashes_take_turns():
    async def read_hashes() -> wire.Hashes:
        await trio.lowlevel.checkpoint()
        return wire.Hashes(PART, bytes(64))

    async with talking(v2=True) as bench:
        bench.peer.serve_hashes(read_hashes)
        bench.peer.serve([REQUEST])
        assert await bench.said() == [block(REQUEST), wire.Hashes(PART, bytes(64))]


async def test_hashes_that_cannot_be_read_end_the_connection():
    async def read_hashes() -> wire.Hashes:
        await trio.lowlevel.checkpoint()
        raise StorageError("a file is gone")

    async with talking(v2=True) as bench:
        bench.peer.serve_hashes(read_hashes)
        await trio.testing.wait_all_tasks_blocked()
        assert bench.heard() == [Left(ME, "a file is gone")]
