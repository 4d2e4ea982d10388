"""Outgoing connections."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from trio_torrent.address import Address
from trio_torrent.errors import PeerError, ShortageError

from .descriptors import SCARCE

Connect: TypeAlias = Callable[[Address], Awaitable[trio.abc.Stream]]
"""How to get a stream to an address. Raises PeerError with the reason in words, ShortageError if it is ours."""

CONNECT_SECONDS = 15.0  # libtorrent's `peer_connect_timeout`

_PLAIN_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "timed out",
    errno.ECONNRESET: "connection reset",
    errno.EADDRNOTAVAIL: "no local address to connect from",
    errno.EMFILE: "too many open files",
}


async def dial(address: Address, *, interface: str | None = None) -> trio.SocketStream:
    """Connect by TCP, from the local address `interface` if given.

    Raises PeerError with the reason in words, ShortageError if we have nothing left to connect with.
    """
    try:
        with trio.fail_after(CONNECT_SECONDS):
            return await trio.open_tcp_stream(address.host, address.port, local_address=interface)
    except trio.TooSlowError:
        raise PeerError("timed out") from None
    except (OSError, UnicodeError) as error:
        reason = _root(error)
        scarce = isinstance(reason, OSError) and reason.errno in SCARCE
        raise (ShortageError if scarce else PeerError)(in_words(error)) from error


def in_words(error: BaseException) -> str:
    """The reason at the bottom of an error, in the words of this trade."""
    error = _root(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _PLAIN_WORDS.get(error.errno) or error.strerror or os.strerror(error.errno)
    return str(error) or type(error).__name__


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
