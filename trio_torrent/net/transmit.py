"""From messages to a stream: the one place where bytes leave for peers.

On a plain socket the system is asked as seldom as can be: once for what its buffer takes, and then each time that there
is room again. Asking in vain in between, as any stream would, costs a tenth of what it takes to serve a fast peer.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

Send: TypeAlias = Callable[[bytes | bytearray], Awaitable[None]]
"""Return when the system has all of it."""


def sender(stream: trio.abc.SendStream) -> Send:
    """How to send to this stream, one thing at a time. Raises OSError or trio's stream errors when called."""
    if isinstance(stream, trio.SocketStream) and hasattr(os, "writev"):  # elsewhere sockets are no descriptors
        return _plain(stream)
    return stream.send_all


def _plain(stream: trio.SocketStream) -> Send:
    socket = stream.socket

    async def send(data: bytes | bytearray) -> None:
        await trio.lowlevel.checkpoint()
        with memoryview(data) as rest:
            sent = _write(socket, rest)
            while sent < len(rest):
                await trio.lowlevel.wait_writable(socket)
                sent += _write(socket, rest[sent:])

    return send


def _write(socket: trio.socket.SocketType, data: memoryview) -> int:
    try:
        return os.write(socket.fileno(), data)
    except BlockingIOError:
        return 0
