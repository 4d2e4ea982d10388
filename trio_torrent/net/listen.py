"""Incoming connections: one port for all torrents; the handshake says for which one a stranger has come."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs
import trio

from trio_torrent.address import Address, plain, site
from trio_torrent.errors import PeerError, ProtocolError
from trio_torrent.swarm.shares import MOST_PENDING
from trio_torrent.wire.handshake import Handshake

from .boundary import Boundary
from .descriptors import SCARCE
from .handshaking import HANDSHAKE_SECONDS, receive_handshake

logger: logging.Logger = logging.getLogger("trio_torrent")

BACKLOG = 128  # connections that the kernel holds for us

# When there are no descriptors left, looking again at once would spin, and saying so each time would fill the log.
BREATHER_SECONDS = 0.25
COMPLAINT_SECONDS = 10.0

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


def own_addresses(listeners: list[trio.SocketListener]) -> frozenset[Address]:
    """Where we would reach ourselves, as far as this machine knows."""
    addresses = set()
    for listener in listeners:
        host, port = listener.socket.getsockname()[:2]
        addresses.add(Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port))
    return frozenset(addresses)


@attrs.define(eq=False)
class _Stranger:
    site: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)


class _Hall:
    """Strangers who have not said what they want, or wait for those whom they want to see.

    Who means well says so at once; who is still here when the hall is full has had more time than all who came after.
    So the one that came first goes, of the site that has sent the most: a flood turns out its own.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sites: dict[str, dict[_Stranger, None]] = {}  # in the order in which they came
        self._count = 0

    def enter(self, stranger: _Stranger) -> None:
        if self._count >= self._most:
            self.make_room()
        self._sites.setdefault(stranger.site, {})[stranger] = None
        self._count += 1

    def leave(self, stranger: _Stranger) -> None:
        strangers = self._sites.get(stranger.site, {})
        if stranger in strangers:
            self._count -= 1
            del strangers[stranger]
            if not strangers:
                del self._sites[stranger.site]

    def make_room(self) -> None:
        if self._sites:
            crowd = max(self._sites.values(), key=len)
            stranger = next(iter(crowd))
            self.leave(stranger)
            stranger.scope.cancel()


class Reception:
    """Accepts connections, and hands them to their torrents. At most `pending` of them may be in their handshake."""

    def __init__(self, find: Find, boundary: Boundary, *, pending: int = MOST_PENDING) -> None:
        self._find = find
        self._boundary = boundary
        self._hall = _Hall(pending)
        self._quiet_until = -math.inf

    async def serve(self, listener: trio.SocketListener) -> None:
        """Accept for ever. Being short of descriptors slows it down, and nothing else stops it."""
        async with trio.open_nursery() as nursery, listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno in SCARCE:  # else the stranger left while we were opening the door
                        await self._make_do(error)
                    continue
                nursery.start_soon(self._open, stream)

    async def _make_do(self, error: OSError) -> None:
        """Those at the door wait in the kernel, until somebody has left."""
        now = trio.current_time()
        if now >= self._quiet_until:
            self._quiet_until = now + COMPLAINT_SECONDS
            logger.warning("cannot take more connections now: %s", error.strerror)
        self._hall.make_room()
        await trio.sleep(BREATHER_SECONDS)

    async def _open(self, stream: trio.SocketStream) -> None:
        try:
            host, port = stream.socket.getpeername()[:2]
        except OSError:  # has left already
            await trio.aclose_forcefully(stream)
        else:
            await self.receive(stream, plain(Address(host, port)))

    async def receive(self, stream: trio.abc.Stream, address: Address) -> None:
        """Hear what a stranger wants, and hand the stream over or close it."""
        stranger = _Stranger(site(address.host))
        self._hall.enter(stranger)
        try:
            with self._boundary.guard("an incoming connection"), stranger.scope:
                await self._introduce(stream, address)
        finally:
            self._hall.leave(stranger)

    async def _introduce(self, stream: trio.abc.Stream, address: Address) -> None:
        try:
            with trio.fail_after(HANDSHAKE_SECONDS):
                theirs, rest = await receive_handshake(stream)
            welcome = self._find(theirs.info_hash)
            if welcome is None:
                raise PeerError("asks for a torrent that we do not have")
            await welcome(stream, address, theirs, rest)
        except (trio.TooSlowError, PeerError, ProtocolError, OSError, trio.BrokenResourceError):
            await trio.aclose_forcefully(stream)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
