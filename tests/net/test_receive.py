"""The same messages and the same memory, whatever the stream."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable

import pytest
import trio
import trio.testing

from tests.payload import random_bytes
from trio_torrent.errors import ProtocolError
from trio_torrent.net.receive import receiver
from trio_torrent.wire.codec import encode, encode_all
from trio_torrent.wire.connection import Connection
from trio_torrent.wire.messages import Have, Heard, Landed, Message, Piece, Request, Unchoke

BLOCK = 16384
DATA = random_bytes(8 * BLOCK)
REQUESTS = [Request(0, offset, BLOCK) for offset in range(0, len(DATA), BLOCK)]
BLOCKS = [Piece(0, request.offset, DATA[request.offset : request.offset + BLOCK]) for request in REQUESTS]

Pair = tuple[trio.abc.Stream, trio.abc.Stream]


def socket_streams() -> Pair:
    one, other = trio.socket.socketpair()
    return trio.SocketStream(one), trio.SocketStream(other)


@pytest.fixture(params=[socket_streams, trio.testing.memory_stream_pair], ids=["socket", "memory"])
async def streams(request) -> AsyncIterator[Pair]:
    make: Callable[[], Pair] = request.param
    us, them = make()
    async with us, them:
        yield us, them


async def everything(stream: trio.abc.Stream, connection: Connection) -> list[Heard]:
    receive, found = receiver(stream, connection), list[Heard]()
    while (messages := await receive()) is not None:
        found += messages
    return found


def blow_by_blow(heard: list[Heard]) -> list[Heard]:
    """With each block by itself: how many land at once depends on the chunks."""
    return [
        one
        for each in heard
        for one in ([Landed((request,)) for request in each.requests] if isinstance(each, Landed) else [each])
    ]


async def send(stream: trio.abc.Stream, data: bytes, step: int) -> None:
    for at in range(0, len(data), step):
        await stream.send_all(data[at : at + step])
        await trio.lowlevel.checkpoint()
    await stream.aclose()


@pytest.mark.parametrize("step", [1 << 20, 5000, 16397, 333])
async def test_blocks_land_where_they_belong(streams: Pair, nursery, step: int):
    us, them = streams
    connection, memory = Connection(pieces=8, fast=False), memoryview(bytearray(len(DATA)))
    connection.expect(REQUESTS, lambda request: memory[request.offset : request.offset + BLOCK])
    said: list[Message] = [Unchoke(), *BLOCKS[:3], Have(1), *reversed(BLOCKS[3:]), Have(2)]
    nursery.start_soon(send, them, encode_all(said), step)
    assert blow_by_blow(await everything(us, connection)) == [
        Landed((Request(each.piece, each.offset, BLOCK),)) if isinstance(each, Piece) else each for each in said
    ]
    assert bytes(memory) == DATA


async def test_the_end_of_the_stream_is_told_once_everything_is(streams: Pair):
    us, them = streams
    await them.send_all(encode(Have(1)) + encode(Have(2))[:4])
    await them.aclose()
    receive = receiver(us, Connection(pieces=8, fast=False))
    assert await receive() == (Have(1),)
    assert await receive() is None


async def test_half_a_message_is_no_message_yet(streams: Pair):
    us, them = streams
    receive = receiver(us, Connection(pieces=8, fast=False))
    await them.send_all(encode(Have(1))[:6])
    assert await receive() == ()
    await them.send_all(encode(Have(1))[6:])
    assert await receive() == (Have(1),)


async def test_garbage_is_a_protocol_error(streams: Pair):
    us, them = streams
    await them.send_all(b"\xff" * 100)
    with pytest.raises(ProtocolError):
        await receiver(us, Connection(pieces=8, fast=False))()


async def test_a_place_that_is_lent_while_it_waits_is_used_at_once(streams: Pair, nursery):
    """Buffers are asked for when bytes are there, not when the waiting begins."""
    us, them = streams
    connection, memory = Connection(pieces=8, fast=False), bytearray(BLOCK)
    found: list[Heard] = []

    async def wait() -> None:
        found.extend(await everything(us, connection))

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    connection.expect(REQUESTS[:1], lambda request: memoryview(memory))
    await send(them, encode(BLOCKS[0]), 1 << 20)
    await trio.testing.wait_all_tasks_blocked()
    assert found == [Landed((REQUESTS[0],))]
    assert bytes(memory) == DATA[:BLOCK]


async def test_a_place_that_is_taken_back_in_mid_block_is_left_alone(streams: Pair):
    us, them = streams
    connection, memory = Connection(pieces=8, fast=False), bytearray(BLOCK)
    receive = receiver(us, connection)
    connection.expect(REQUESTS[:1], lambda request: memoryview(memory))
    data = encode(BLOCKS[0])
    await them.send_all(data[:1000])
    assert await receive() == ()
    connection.forget(REQUESTS[0])
    memory[:] = bytes(BLOCK)
    await them.send_all(data[1000:])
    messages: tuple[Heard, ...] | None = ()
    while messages == ():
        messages = await receive()
    assert messages == (BLOCKS[0],)
    assert not any(memory)


async def test_a_socket_that_was_not_readable_after_all_is_waited_for_again(monkeypatch: pytest.MonkeyPatch):
    real, spurious = os.readv, [BlockingIOError()]

    def readv(descriptor: int, buffers: list[memoryview]) -> int:
        if spurious:
            raise spurious.pop()
        return real(descriptor, buffers)

    monkeypatch.setattr("trio_torrent.net.receive.os.readv", readv)
    us, them = socket_streams()
    async with us, them:
        await them.send_all(encode(Have(1)))
        assert await receiver(us, Connection(pieces=8, fast=False))() == (Have(1),)
    assert not spurious
