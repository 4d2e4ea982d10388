"""From messages to a stream: the one place where bytes leave for peers.

On a plain socket the system is asked as seldom as can be: once for what its buffer takes, and then each time that there
is room again. Asking in vain in between, as any stream would, costs a tenth of what it takes to serve a fast peer.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias, TypeGuard

import trio

Send: TypeAlias = Callable[[bytes | bytearray], Awaitable[None]]
"""Return when the system has all of it."""

SendAtOnce: TypeAlias = Callable[[bytes], int]
"""How many bytes the system has taken, without waiting and without raising: who sends the rest will hear why."""


def sender(stream: trio.abc.SendStream, patience: float) -> Send:
    """How to send to this stream, one thing at a time. Raises OSError or trio's stream errors when called, and
    TooSlowError if it takes more than `patience` seconds.
    """
    return _plain(stream, patience) if _is_plain(stream) else _any(stream, patience)


def sender_at_once(stream: trio.abc.SendStream) -> SendAtOnce:
    """How to send to this stream while nothing is being sent to it. Only a plain socket takes anything so."""
    return partial(_write_if_possible, stream.socket) if _is_plain(stream) else lambda data: 0


def _is_plain(stream: trio.abc.SendStream) -> TypeGuard[trio.SocketStream]:
    """It is a socket, and its socket a descriptor, which Windows' are not."""
    return isinstance(stream, trio.SocketStream) and hasattr(os, "writev")


def _plain(stream: trio.SocketStream, patience: float) -> Send:
    socket = stream.socket

    async def send(data: bytes | bytearray) -> None:
        await trio.lowlevel.checkpoint()
        with memoryview(data) as rest:
            sent = _write(socket, rest)
            if sent < len(rest):
                with trio.fail_after(patience):
                    await send_rest(rest, sent)

    async def send_rest(data: memoryview, sent: int) -> None:
        while sent < len(data):
            await trio.lowlevel.wait_writable(socket)
            sent += _write(socket, data[sent:])

    return send


def _any(stream: trio.abc.SendStream, patience: float) -> Send:
    async def send(data: bytes | bytearray) -> None:
        with trio.fail_after(patience):
            await stream.send_all(data)

    return send


def _write_if_possible(socket: trio.socket.SocketType, data: bytes) -> int:
    with suppress(OSError):
        return _write(socket, data)
    return 0


def _write(socket: trio.socket.SocketType, data: bytes | memoryview) -> int:
    try:
        return os.write(socket.fileno(), data)
    except BlockingIOError:
        return 0
