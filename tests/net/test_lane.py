"""Kept connections to real servers on loopback. What goes wrong by HTTP is among the tests of `client.webseeds`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio

from trio_torrent.net.http import make_http
from trio_torrent.net.lane import Lane
from trio_torrent.wire.web_answers import WebSeedError

Script = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def lane_to(script: Script, *, allow_local: bool = True) -> AsyncIterator[tuple[Lane, str]]:
    """A lane, and the host and port of a server that runs the script for each connection."""

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await script(stream)

    http = make_http(user_agent="test/1", allow_local=allow_local)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        lane = http.lane()
        try:
            yield lane, f"127.0.0.1:{listener.socket.getsockname()[1]}"
        finally:
            await lane.aclose()
        nursery.cancel_scope.cancel()


async def read_all(lane: Lane, url: str) -> bytes:
    body = b""
    async with lane.get(url, {}) as answer:
        while data := await answer.read():
            body += data
    return body


async def request(stream: trio.SocketStream) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = await stream.receive_some()
        if not more:
            return b""
        data += more
    return data


async def test_one_connection_for_many_requests():
    served: list[int] = []

    async def script(stream: trio.SocketStream) -> None:
        served.append(0)
        while await request(stream):
            served[-1] += 1
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))

    async with lane_to(script) as (lane, host):
        for _ in range(3):
            assert await read_all(lane, f"http://{host}/") == bytes(500_000)
    assert served == [3]


async def test_what_is_left_unread_costs_the_connection_and_no_more():
    served: list[int] = []

    async def script(stream: trio.SocketStream) -> None:
        served.append(0)
        while await request(stream):
            served[-1] += 1
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + bytes(5_000_000))

    async with lane_to(script) as (lane, host):
        for _ in range(2):
            async with lane.get(f"http://{host}/", {}) as answer:
                assert answer.status == 200
                assert await answer.read()
    assert served == [1, 1]


async def test_a_connection_that_is_closed_when_it_is_used_again_is_made_anew_once():
    served: list[int] = []

    async def script(stream: trio.SocketStream) -> None:
        served.append(0)
        if await request(stream):
            served[-1] += 1
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await request(stream)

    async with lane_to(script) as (lane, host):
        for _ in range(3):
            assert await read_all(lane, f"http://{host}/") == b"hello"
    assert served == [1, 1, 1]


async def test_https_is_not_spoken_to_just_anybody():
    async def script(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with lane_to(script) as (lane, host):
        with pytest.raises(WebSeedError, match="TLS failed"):
            await read_all(lane, f"https://{host}/")


async def test_a_local_address_needs_permission():
    async def script(stream: trio.SocketStream) -> None:
        raise AssertionError("nobody may come here")

    async with lane_to(script, allow_local=False) as (lane, host):
        with pytest.raises(WebSeedError, match="on this machine or the local network"):
            await read_all(lane, f"http://{host}/")


async def test_nobody_there():
    http = make_http(user_agent="test/1", allow_local=True)
    lane = http.lane()
    with pytest.raises(WebSeedError, match="Connection refused"):
        await read_all(lane, "http://127.0.0.1:1/")


async def test_a_lane_can_be_cancelled_anywhere(autojump_clock: trio.testing.MockClock):
    async def script(stream: trio.SocketStream) -> None:
        await request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + bytes(1000))
        await trio.sleep_forever()

    async with lane_to(script) as (lane, host):
        with trio.move_on_after(5) as scope:
            await read_all(lane, f"http://{host}/")
        assert scope.cancelled_caught
