"""From a stream to messages: the one place where bytes of peers enter.

On a plain socket the kernel scatters them straight to where they belong (`wire.connection` knows where); any other
stream brings chunks of its own, which are copied once.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import trio

from trio_torrent.wire.connection import Connection
from trio_torrent.wire.messages import Heard

Receive = Callable[[], Awaitable[tuple[Heard, ...] | None]]
"""The messages of the next chunk, perhaps none; None at the end of the stream."""

CHUNK = 64 * 1024  # of streams that bring their own chunks


def receiver(stream: trio.abc.ReceiveStream, connection: Connection) -> Receive:
    """How to receive from this stream. Raises ProtocolError, OSError or trio's stream errors when called."""
    if isinstance(stream, trio.SocketStream) and hasattr(os, "readv"):
        return _scattering(stream, connection)
    return _copying(stream, connection)


def _scattering(stream: trio.SocketStream, connection: Connection) -> Receive:
    socket = stream.socket

    async def receive() -> tuple[Heard, ...] | None:
        if connection.has_more:
            await trio.lowlevel.checkpoint()
            return connection.more()
        while True:
            await trio.lowlevel.wait_readable(socket)
            try:
                count = os.readv(socket.fileno(), connection.buffers())
            except BlockingIOError:
                continue
            return connection.received(count) if count else None

    return receive


def _copying(stream: trio.abc.ReceiveStream, connection: Connection) -> Receive:
    async def receive() -> tuple[Heard, ...] | None:
        data = await stream.receive_some(CHUNK)
        return connection.receive(data) if data else None

    return receive
