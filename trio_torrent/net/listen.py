"""Incoming connections: one port for all torrents; the handshake says for which one a stranger has come."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from trio_torrent.address import Address
from trio_torrent.errors import PeerError, ProtocolError
from trio_torrent.wire.handshake import Handshake

from .boundary import Boundary
from .handshaking import HANDSHAKE_SECONDS, receive_handshake

# Strangers who have not said what they want, at once (rqbit's limit). The next one is turned away.
MOST_PENDING = 256

BACKLOG = 128  # connections that the kernel holds for us

# When there are no descriptors left, looking again at once would spin.
BREATHER_SECONDS = 0.25
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Welcome = Callable[[trio.abc.Stream, Address, Handshake, bytes], Awaitable[None]]
"""Takes over a connection whose handshake has come, with what came behind it. It must return soon."""

Find = Callable[[bytes], Welcome | None]
"""Who welcomes peers for this info-hash, if anybody."""


async def open_listeners(port: int, *, interface: str | None = None) -> list[trio.SocketListener]:
    """Listen on the port (0: any free one), on one local address or on all, IPv4 and IPv6 on the same port.

    Raises OSError if the port is taken.
    """
    if interface is not None:
        return await trio.open_tcp_listeners(port, host=interface, backlog=BACKLOG)
    listeners = await trio.open_tcp_listeners(port, host="0.0.0.0", backlog=BACKLOG)
    try:
        with suppress(OSError):  # no IPv6 here, or that port is somebody else's there
            listeners += await trio.open_tcp_listeners(port_of(listeners), host="::", backlog=BACKLOG)
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


def port_of(listeners: list[trio.SocketListener]) -> int:
    """The port that they listen on."""
    port: int = listeners[0].socket.getsockname()[1]
    return port


class Reception:
    """Accepts connections, and hands them to their torrents."""

    def __init__(self, find: Find, boundary: Boundary) -> None:
        self._find = find
        self._boundary = boundary
        self._pending = 0

    async def serve(self, listener: trio.SocketListener) -> None:
        """Accept for ever. Being short of descriptors slows it down, and nothing else stops it."""
        async with trio.open_nursery() as nursery, listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _SCARCE:
                        continue  # the stranger left while we were opening the door
                    await trio.sleep(BREATHER_SECONDS)
                    continue
                if self._pending >= MOST_PENDING:
                    await trio.aclose_forcefully(stream)
                    continue
                self._pending += 1
                nursery.start_soon(self._receive, stream)

    async def _receive(self, stream: trio.SocketStream) -> None:
        try:
            with self._boundary.guard("an incoming connection"):
                await self._introduce(stream)
        finally:
            self._pending -= 1

    async def _introduce(self, stream: trio.SocketStream) -> None:
        try:
            with trio.fail_after(HANDSHAKE_SECONDS):
                theirs, rest = await receive_handshake(stream)
            welcome = self._find(theirs.info_hash)
            if welcome is None:
                raise PeerError("asks for a torrent that we do not have")
            host, port = stream.socket.getpeername()[:2]
            await welcome(stream, Address(_plain(host), port), theirs, rest)
        except (trio.TooSlowError, PeerError, ProtocolError, OSError, trio.BrokenResourceError):
            await trio.aclose_forcefully(stream)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise


def _plain(host: str) -> str:
    """An IPv4 address as such, although it came in through an IPv6 socket."""
    return host.removeprefix("::ffff:") if "." in host else host
