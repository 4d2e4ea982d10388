"""One guarded GET, for trackers and whatever else a torrent names by URL.

A torrent's URLs come from strangers, and so do the answers. What is held here:

- **Where it goes.** Each connection is made to an address that was looked up and checked, never to a name, so no second
  look-up can lead elsewhere. An address that is not global (this host, the local network) is contacted only as the
  caller's `Local` says, and never after a redirect from a global one. A redirect is a new request with all its checks.
- **How long it takes.** One deadline for everything from the look-up to the last byte; httpx's own are per operation.
- **How much it costs.** The body is read raw and inflated here, piece by piece, since httpx would inflate 266 bytes to
  a gigabyte; beyond the limit the connection is closed.
- **What it leaves behind.** Each request has a client of its own: no cookie, connection or password goes from one
  request to the next, and no proxy is taken from the environment. Only the TLS context is shared, as loading the
  certificates takes 30 ms.

Everything raises TrackerError, in one line that names the host but not the path, which may hold a passkey.
"""

from __future__ import annotations

import enum
import ipaddress
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias

import httpcore
import httpx
import trio

from trio_torrent.errors import TrackerError
from trio_torrent.tracker.http import readable

MAX_URL = 8192  # characters: common servers take no longer request line
MAX_REDIRECTS = 5  # libtorrent's limit too; a browser's 20 are for logins
MAX_REQUESTS = 100  # under way at once, each with a socket. Others wait, and their time does not run
MAX_LOOKUPS = 50  # threads that wait for DNS, where a dead name server keeps one for up to 30 s
MAX_ADDRESSES = 8  # of one host that are tried
NEXT_ADDRESS = 0.25  # seconds until a host's next address is tried beside the one before (RFC 8305, section 5)
ANNOUNCE_PATH = "/announce"  # little but a tracker has such a path; libtorrent's guard goes by it too

Lookup: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]  # host name to IP addresses, or OSError

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for what is no TLS: httpx wants a context all the same

# 32 + 15: zlib finds out by itself whether it is gzip's header or deflate's, and takes the largest window.
_INFLATED = {"": None, "identity": None, "gzip": 47, "x-gzip": 47, "deflate": 47}

# The last 4 bytes are the IPv4 address that a gateway connects to (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Local(enum.Enum):
    """Whether a request may go to an address that is not global, such as 127.0.0.1 or 192.168.0.1."""

    NEVER = enum.auto()
    ANNOUNCE = enum.auto()  # only at a path that ends in /announce
    ALWAYS = enum.auto()


class Http:
    """Gets bodies by URL. Made by `open_http`."""

    def __init__(
        self,
        *,
        user_agent: str,
        allow_local: bool,
        context: ssl.SSLContext | None,
        lookup: Lookup,
        network: httpcore.AsyncNetworkBackend,
        interface: str | None,
    ) -> None:
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "close"}
        self._allow_local = allow_local
        self._context = context
        self._lookup = lookup
        self._network = network
        self._interface = interface
        self._places = trio.CapacityLimiter(MAX_REQUESTS)

    async def get(self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER) -> bytes:
        """The body of `url`: at most `limit` bytes when inflated, within `seconds` from start to end.

        At most five redirects are followed. Raises TrackerError for whatever goes wrong, the status not being 200
        included.
        """
        target = _parse(url)
        async with self._places:
            try:
                with trio.fail_after(seconds):
                    return await self._follow(target, limit, Local.ALWAYS if self._allow_local else local)
            except trio.TooSlowError:
                raise TrackerError(f"{_host(target)}: no complete answer within {seconds:g} s") from None

    async def _follow(self, url: httpx.URL, limit: int, local: Local) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            guard = _Guard(url, local, self._lookup, self._network, self._interface)
            outcome = await self._request(url, guard, limit)
            if isinstance(outcome, bytes):
                return outcome
            if guard.went_out and not self._allow_local:
                local = Local.NEVER
            url = outcome
        raise TrackerError(f"{_host(url)}: more than {MAX_REDIRECTS} redirects")

    async def _request(self, url: httpx.URL, guard: _Guard, limit: int) -> bytes | httpx.URL:
        """The body, or where it is said to be."""
        transport = _GuardedTransport(self._context_for(url), guard)
        client = httpx.AsyncClient(transport=transport, headers=self._headers, timeout=None, trust_env=False)
        try:
            async with client, client.stream("GET", url) as response:
                if response.has_redirect_location:
                    return _parse(response.headers["location"], url)
                if response.status_code != HTTPStatus.OK:
                    raise TrackerError(f"{_host(url)}: answered {_status(response.status_code)}")
                return await _read(response, limit)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise TrackerError(f"{_host(url)}: {_reason(error)}") from error
        finally:
            await guard.aclose()

    def _context_for(self, url: httpx.URL) -> ssl.SSLContext:
        """The certificates are loaded for the first https request: most torrents have plain trackers."""
        if url.scheme != "https":
            return _TRUSTS_NOBODY
        if self._context is None:
            self._context = httpx.create_ssl_context(trust_env=False)
        return self._context


@asynccontextmanager
async def open_http(
    *,
    user_agent: str,
    allow_local: bool = False,
    context: ssl.SSLContext | None = None,
    lookup: Lookup | None = None,
    network: httpcore.AsyncNetworkBackend | None = None,
    interface: str | None = None,
) -> AsyncIterator[Http]:
    """Something that gets, from the local address `interface` if given; `allow_local` lifts every restriction to global
    addresses.

    `context` replaces httpx's certificates, `lookup` the system's name service, and `network` real connections; what
    it is asked to connect to is always an IP address.
    """
    yield Http(
        user_agent=user_agent,
        allow_local=allow_local,
        context=context,
        lookup=lookup or partial(_look_up, trio.CapacityLimiter(MAX_LOOKUPS)),
        network=network or httpcore.TrioBackend(),
        interface=interface,
    )


async def _look_up(threads: trio.CapacityLimiter, host: str) -> Sequence[str]:
    """Ask the system, in a thread of our own: in trio's default ones, a slow disk would delay every look-up.

    A look-up cannot be stopped and hurts nobody, so it is left to itself when we no longer wait for it.
    """
    return await trio.to_thread.run_sync(_look_up_now, host, limiter=threads, abandon_on_cancel=True)


def _look_up_now(host: str) -> Sequence[str]:
    return [str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class _Guard(httpcore.AsyncNetworkBackend):
    """Connects one request, to an address that has been looked up and is allowed."""

    def __init__(
        self,
        url: httpx.URL,
        local: Local,
        lookup: Lookup,
        network: httpcore.AsyncNetworkBackend,
        interface: str | None,
    ) -> None:
        announces = url.raw_path.partition(b"?")[0].endswith(ANNOUNCE_PATH.encode())
        self._may_stay = local is Local.ALWAYS or (local is Local.ANNOUNCE and announces)
        self._lookup = lookup
        self._network = network
        self._interface = interface
        self._connection: httpcore.AsyncNetworkStream | None = None
        self.went_out = False  # it connected to a global address

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:  # noqa: ANN401
        """Called by httpcore; its time-outs and socket options are not used here."""
        addresses = await self._addresses(host)
        allowed = [address for address in addresses if self._may_stay or _is_global(address)][:MAX_ADDRESSES]
        if not allowed:
            raise TrackerError(
                f"{host} is on this machine or the local network, where only plain {ANNOUNCE_PATH} URLs are asked"
            )
        self.went_out = any(_is_global(address) for address in allowed)
        self._connection = await _connect(self._network, allowed, port, self._interface)
        return self._connection

    async def aclose(self) -> None:
        """Close what httpcore does not when it is cancelled in the midst of TLS's handshake."""
        if self._connection:
            with trio.CancelScope(shield=True):  # a plain socket: this does not wait
                await self._connection.aclose()

    async def _addresses(self, host: str) -> Sequence[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass  # a name
        try:
            return await self._lookup(host)
        except (OSError, UnicodeError) as error:  # the latter from the IDNA codec: an empty label, one too long
            raise TrackerError(f"{host}: cannot be looked up: {_reason(error)}") from error


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport with connections from the guard; there is no public way to hand it a backend."""

    def __init__(self, context: ssl.SSLContext, guard: _Guard) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=guard)


async def _connect(
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


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body. What would make it longer than `limit` is neither inflated nor received."""
    body = _Body(response.headers.get("content-encoding", "").strip().lower(), limit)
    # Left half-way, the generators inside httpx would be closed by the garbage collector, with a warning. Cancelled,
    # they end from the inside out and close the connection; hence also no error leaves the loop.
    with trio.CancelScope() as reading:
        async for chunk in response.aiter_raw():
            if not reading.cancel_called and not body.feed(chunk):
                reading.cancel()
    return body.finish()


class _Body:
    """A body in the making, inflated as it comes."""

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding not in _INFLATED:  # "gzip, gzip" is how 266 bytes become a gigabyte
            raise ValueError(f"answered in an encoding that was not asked for: {encoding}")
        window = _INFLATED[encoding]
        self._inflate = None if window is None else zlib.decompressobj(window)
        self._limit = limit
        self._received = 0
        self._body = bytearray()
        self._damaged = False

    def feed(self, chunk: bytes) -> bool:
        """Take what came; whether more is welcome."""
        self._received += len(chunk)
        try:
            self._body += self._inflate.decompress(chunk, self._room()) if self._inflate else chunk
        except zlib.error:
            self._damaged = True
        return not self._damaged and self._room() > 0 and self._received <= self._limit

    def finish(self) -> bytes:
        """The whole. Raises ValueError if it is longer than the limit, as received or inflated, or damaged."""
        if self._damaged:
            raise ValueError("the compressed answer is damaged")
        if self._room() <= 0 or self._received > self._limit:
            raise ValueError(f"the answer is longer than {self._limit} bytes")
        if self._inflate and not self._inflate.eof:
            raise ValueError("the compressed answer ends early")
        return bytes(self._body)

    def _room(self) -> int:
        """One byte more than allowed, by which too much shows; zlib takes 0 for "as much as you like"."""
        return self._limit + 1 - len(self._body)


def _parse(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """A URL that can be requested: its host is named, its port exists."""
    if len(text) > MAX_URL:
        raise TrackerError(f"a URL of {len(text)} characters is too long")
    try:
        url = base.join(text) if base else httpx.URL(text)
        host = url.host  # decoding a bad `xn--` name raises here, and not in the midst of things
    except (httpx.InvalidURL, ValueError) as error:
        raise TrackerError(f"not a URL: {_one_line(str(error))}") from error
    if url.scheme not in ("http", "https"):
        raise TrackerError(f"{url.scheme or 'no scheme'}: not supported, only http and https are")
    if not host or not 0 < (1 if url.port is None else url.port) < 65536:
        raise TrackerError("a URL without a host, or with an impossible port")
    return url


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _status(code: int) -> str:
    """With our own phrase for it: the server's is a stranger's text."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _is_global(address: str) -> bool:
    """Not of this host or a local network, nor an IPv6 address that leads to such an IPv4 address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or translated or ip
    return ip.is_global and not ip.is_multicast


def _reason(error: BaseException) -> str:
    """What lies at the bottom, on one line: httpx wraps httpcore's errors, and those wrap trio's and the system's."""
    while cause := _cause(error):
        error = cause
    match error:
        case ssl.SSLCertVerificationError():
            text = f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            text = f"TLS failed: {reason.lower().replace('_', ' ')}"
        case OSError(errno=int(code)) if not isinstance(error, socket.gaierror):  # whose numbers are its own
            text = os.strerror(code)
        case OSError(strerror=str(text)):
            pass
        case _:
            text = str(error)
    return _one_line(text) or type(error).__name__


def _one_line(text: str) -> str:
    return readable(text.encode(errors="replace"))


def _cause(error: BaseException) -> BaseException | None:
    """The context where there is no cause: httpcore raises `from None` what it has wrapped before."""
    return error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
