"""How one request of HTTP connects: to a checked address of its host, or to the user's proxy.

httpcore asks a *network backend* to connect to a name; ours stand in that place. Each is for one request.
"""

from __future__ import annotations

import abc
import ssl
from collections.abc import Iterable
from typing import Any

import attrs
import httpcore
import httpx
import trio

from trio_torrent.errors import TrackerError

from .proxy import Proxy
from .reach import ANNOUNCE_PATH, Family, Local, Lookup, is_global, reach, refusal, sounds_local
from .socks import Conversation, ask_for_connection
from .wide import WideStream
from .words import in_one_line

NEXT_ADDRESS = 0.25  # seconds until a host's next address is tried beside the one before (RFC 8305, section 5)


@attrs.frozen
class Means:
    """What all requests connect by."""

    lookup: Lookup
    network: httpcore.AsyncNetworkBackend  # is only ever asked to connect to an IP address
    interface: str | None  # the local address to connect from
    proxy: Proxy | None

    async def connect(
        self, host: str, port: int, *, family: Family | None, may_stay: bool
    ) -> tuple[httpcore.AsyncNetworkStream, bool]:
        """A connection, and whether it may have led outside. Raises TrackerError or what httpcore does."""
        if family is None and self.interface is not None:
            family = Family.of(self.interface)
        addresses = await reach(host, self.lookup, family=family, may_stay=may_stay)
        stream = await _race(self.network, addresses, port, self.interface)
        return stream, any(is_global(address) for address in addresses)


class Way(httpcore.AsyncNetworkBackend, abc.ABC):
    """Connects one request. `went_out` tells whether it led to the world outside this machine and network."""

    def __init__(self, means: Means, url: httpx.URL, local: Local) -> None:
        announces = url.raw_path.partition(b"?")[0].endswith(ANNOUNCE_PATH.encode())
        self._may_stay = local is Local.ALWAYS or (local is Local.ANNOUNCE and announces)
        self._means = means
        self._stream: httpcore.AsyncNetworkStream | None = None
        self.went_out: bool = False

    @abc.abstractmethod
    async def _connect(self, host: str, port: int) -> None:
        """Set `_stream`, also where something fails afterwards."""

    async def open(self, host: str, port: int) -> httpcore.AsyncNetworkStream:
        """A connection. Raises TrackerError or what httpcore does."""
        await self._connect(host, port)
        assert self._stream is not None
        return self._stream

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:  # noqa: ANN401
        """Called by httpcore; its time-outs and socket options are not used here."""
        return WideStream(await self.open(host, port))

    def pool(self, context: ssl.SSLContext) -> httpcore.AsyncConnectionPool:
        """What sends the request."""
        return httpcore.AsyncConnectionPool(ssl_context=context, network_backend=self)

    async def aclose(self) -> None:
        """Close what httpcore does not when it is cancelled in the midst of TLS's handshake."""
        if self._stream is not None:
            with trio.CancelScope(shield=True):  # a plain socket: this does not wait
                await self._stream.aclose()


class Direct(Way):
    """To the host itself, over one family of addresses if that is wished."""

    def __init__(self, means: Means, url: httpx.URL, local: Local, family: Family | None) -> None:
        super().__init__(means, url, local)
        self._family = family

    async def _connect(self, host: str, port: int) -> None:
        connected = await self._means.connect(host, port, family=self._family, may_stay=self._may_stay)
        self._stream = connected[0]
        self.went_out: bool = connected[1]


class Detour(Way):
    """By way of the proxy, which looks the host up; so names that sound local stand for local addresses."""

    def __init__(self, means: Means, url: httpx.URL, local: Local, proxy: Proxy) -> None:
        super().__init__(means, url, local)
        self._target = url.raw_host.decode("ascii")
        self._proxy = proxy

    async def _connect(self, host: str, port: int) -> None:
        """An HTTP proxy is asked by what is sent; httpcore connects to it by its name."""
        self.went_out: bool = not sounds_local(self._target)
        if not self.went_out and not self._may_stay:
            raise refusal(self._target)
        proxy = self._proxy
        try:
            self._stream, _ = await self._means.connect(proxy.host, proxy.port, family=None, may_stay=True)
            if proxy.scheme == "socks5":
                await _converse(self._stream, ask_for_connection(proxy, host, port))
        except (httpcore.NetworkError, OSError) as error:
            raise TrackerError(f"the proxy {proxy.host}: {in_one_line(error)}") from error

    def pool(self, context: ssl.SSLContext) -> httpcore.AsyncConnectionPool:
        """An HTTP proxy is given whole URLs, or told to CONNECT; behind any other, all is as without one."""
        if self._proxy.scheme != "http":
            return super().pool(context)
        host = f"[{self._proxy.host}]" if ":" in self._proxy.host else self._proxy.host
        return httpcore.AsyncHTTPProxy(
            proxy_url=f"http://{host}:{self._proxy.port}",
            proxy_auth=None if self._proxy.user is None else (self._proxy.user, self._proxy.password),
            ssl_context=context,
            network_backend=self,
        )


async def _converse(stream: httpcore.AsyncNetworkStream, conversation: Conversation) -> None:
    step = next(conversation, None)
    try:
        while step is not None:
            if isinstance(step, bytes):
                await stream.write(step)
                step = next(conversation)
            else:
                step = conversation.send(await _exactly(stream, step))
    except StopIteration:
        return


async def _exactly(stream: httpcore.AsyncNetworkStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.read(count - len(data))
        if not more:
            raise TrackerError("the proxy closed the connection")
        data += more
    return data


async def _race(
    network: httpcore.AsyncNetworkBackend, addresses: Iterable[str], port: int, interface: str | None
) -> httpcore.AsyncNetworkStream:
    """Try one address after the other, each a moment after the one before; the first to connect wins (RFC 8305)."""
    errors: list[Exception] = []
    connected: list[httpcore.AsyncNetworkStream] = []

    async def attempt(address: str, failed: trio.Event) -> None:
        try:
            connected.append(await network.connect_tcp(address, port, local_address=interface, socket_options=()))
            nursery.cancel_scope.cancel()
        except httpcore.ConnectError as error:
            errors.append(error)
            failed.set()

    try:
        async with trio.open_nursery() as nursery:
            for address in addresses:
                failed = trio.Event()
                nursery.start_soon(attempt, address, failed)
                with trio.move_on_after(NEXT_ADDRESS):
                    await failed.wait()
        if not connected:
            raise errors[0]
        return connected.pop()
    finally:
        for spare in connected:  # two may connect in the same moment, or one in that of our own cancellation
            await spare.aclose()
