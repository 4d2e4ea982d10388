"""All of it goes, and nothing is asked in vain."""

from __future__ import annotations

import os
import socket as plain_sockets
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from tests.payload import random_bytes
from trio_torrent.net.transmit import sender, sender_at_once

DATA = random_bytes(3 << 20)  # more than the buffers of a socket hold
FEW = bytes(100)

Pair = tuple[trio.abc.Stream, trio.abc.Stream]


def sockets() -> tuple[trio.SocketStream, trio.SocketStream]:
    one, other = trio.socket.socketpair()
    one.setsockopt(plain_sockets.SOL_SOCKET, plain_sockets.SO_SNDBUF, 64 * 1024)
    return trio.SocketStream(one), trio.SocketStream(other)


@pytest.fixture(params=[sockets, trio.testing.memory_stream_pair], ids=["socket", "memory"])
async def streams(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    us, them = request.param()
    async with us, them:
        yield us, them


async def collect(stream: trio.abc.ReceiveStream, into: bytearray) -> None:
    async for chunk in stream:
        into += chunk


async def test_all_of_it_goes_in_order(streams: Pair):
    us, them = streams
    send, came = sender(us, 60), bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, them, came)
        for part in (DATA, b"", bytearray(b"more"), b"and more"):
            await send(part)
        await us.aclose()
    assert came == DATA + b"moreand more"


async def test_who_reads_nothing_keeps_it_waiting():
    """And it can be cancelled."""
    us, them = sockets()
    async with us, them:
        with trio.move_on_after(0.01) as scope:
            await sender(us, 60)(DATA)
    assert scope.cancelled_caught


async def test_it_is_cancelled_before_it_begins(streams: Pair):
    us, _ = streams
    with trio.CancelScope() as scope:
        scope.cancel()
        await sender(us, 60)(FEW)
    assert scope.cancelled_caught


async def test_others_have_their_turn_even_if_there_is_always_room(streams: Pair):
    us, them = streams
    came = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, them, came)
        for _ in range(10):
            await sender(us, 60)(FEW)
        assert came
        nursery.cancel_scope.cancel()


async def test_nobody_there_is_an_error(streams: Pair):
    us, them = streams
    await them.aclose()
    with pytest.raises((OSError, trio.BrokenResourceError)):
        await sender(us, 60)(DATA)


async def test_a_full_buffer_is_waited_for_without_asking(monkeypatch: pytest.MonkeyPatch):
    us, them = sockets()
    real, refused = os.write, list[int]()

    def write(descriptor: int, data: memoryview) -> int:
        try:
            return real(descriptor, data)
        except BlockingIOError:
            refused.append(len(data))
            raise

    monkeypatch.setattr("trio_torrent.net.transmit.os.write", write)
    came = bytearray()
    async with us, them, trio.open_nursery() as nursery:
        nursery.start_soon(collect, them, came)
        await sender(us, 60)(DATA)
        await us.aclose()
    assert refused == []
    assert came == DATA


async def test_but_a_buffer_that_is_full_from_the_start_is_waited_for():
    us, them = sockets()
    async with us, them:
        with trio.move_on_after(0.01):
            await sender(us, 60)(DATA)
        came = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect, them, came)
            await sender(us, 60)(b"the end")
            await us.aclose()
        assert came.endswith(b"the end")


@pytest.mark.parametrize("plain", [True, False])
async def test_who_reads_nothing_for_too_long(plain: bool, monkeypatch: pytest.MonkeyPatch):
    """Also where sockets are no descriptors, and the stream sends itself."""
    if not plain:
        monkeypatch.delattr("os.writev")
    us, them = sockets()
    async with us, them:
        with pytest.raises(trio.TooSlowError):
            await sender(us, 0.01)(DATA)


async def test_what_the_system_has_room_for_goes_at_once():
    us, them = sockets()
    came = bytearray()
    async with us, them, trio.open_nursery() as nursery:
        taken = sender_at_once(us)(DATA)
        assert 0 < taken < len(DATA)
        assert sender_at_once(us)(DATA) == 0
        nursery.start_soon(collect, them, came)
        await sender(us, 60)(DATA[taken:])
        await us.aclose()
    assert came == DATA


async def test_other_streams_take_nothing_at_once():
    us, _ = trio.testing.memory_stream_pair()
    assert sender_at_once(us)(FEW) == 0


async def test_nobody_there_takes_nothing_at_once():
    us, them = sockets()
    await them.aclose()
    assert sender_at_once(us)(FEW) == 0
    await us.aclose()
    assert sender_at_once(us)(FEW) == 0
