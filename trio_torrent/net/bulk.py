"""HTTP/1.1 for much at a time: heads by h11, and bodies that the kernel puts where they belong.

httpcore takes each chunk of a body through h11 and four generators and copies it three times: 0.7 s of CPU a gigabyte,
which is more than it takes to hash it. So where a server is asked for much, httpx has this transport instead. A body
whose length is known is left in the socket for whoever takes it: as `response.extensions[BODY]` it tells when it can be
received straight into memory, and does so. What came with the head, what is encrypted, and what has no known length
comes in chunks, as ever.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeAlias

import h11
import httpcore
import httpx
import trio

from .guard import Way

BODY = "body"  # the extension of a response that has a `SizedBody`

MAX_HEAD = 100 * 1024  # bytes, as in httpcore
READ_HEAD = 4 * 1024  # bytes: heads are shorter as a rule, and what comes of the body with them is copied
READ_BODY = 256 * 1024  # bytes, where it comes in chunks

Buffers: TypeAlias = Callable[[], Sequence[memoryview]]
"""Where the next bytes go, asked for when they are there."""


class BulkTransport(httpx.AsyncBaseTransport):
    """One connection to one origin, kept from one request to the next while both sides can."""

    def __init__(self, context: ssl.SSLContext, way: Way) -> None:
        self._context = context
        self._way = way
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and read the head of the answer, whose body must be closed before the next."""
        http = h11.Connection(h11.CLIENT, MAX_HEAD)
        try:
            with _as_httpx_has_them():
                stream = self._stream or await self._connect(request.url)
                await stream.write(_said(http, request))
                head = await _read_head(http, stream)
        except BaseException:
            await self.aclose()
            raise
        headers = list(head.headers.raw_items())
        if (length := _length(head)) is None:
            return httpx.Response(head.status_code, headers=headers, stream=_ParsedBody(http, stream, self.aclose))
        socket = stream.get_extra_info("socket") if request.url.scheme == "http" and hasattr(os, "readv") else None
        body = SizedBody(length, http.trailing_data[0], stream, socket, self.aclose, keeps=_keeps(head))
        return httpx.Response(head.status_code, headers=headers, stream=body, extensions={BODY: body})

    async def _connect(self, url: httpx.URL) -> httpcore.AsyncNetworkStream:
        host, encrypted = url.raw_host.decode("ascii"), url.scheme == "https"
        self._stream = await self._way.open(host, url.port or (443 if encrypted else 80))
        if encrypted:
            self._context.set_alpn_protocols(["http/1.1"])
            self._stream = await self._stream.start_tls(self._context, host)
        return self._stream

    async def aclose(self) -> None:
        """Close the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with trio.CancelScope(shield=True):  # a plain socket: this does not wait
                await stream.aclose()


class SizedBody(httpx.AsyncByteStream):
    """A body whose length is known: of `missing` bytes, the first of which came `early`."""

    def __init__(
        self,
        missing: int,
        early: bytes,
        stream: httpcore.AsyncNetworkStream,
        socket: trio.socket.SocketType | None,
        close: Callable[[], Awaitable[None]],
        *,
        keeps: bool,
    ) -> None:
        self._missing = missing
        self._early = early[:missing]
        self._stream = stream
        self._socket = socket
        self._close = close
        self._keeps = keeps and len(early) <= missing

    @property
    def lands(self) -> bool:
        """Its next bytes can be had by `receive_into`."""
        return self._socket is not None and self._missing > 0 and not self._early

    async def receive_into(self, buffers: Buffers, patience: float) -> int:
        """Fill these, which have room for no more than the rest of the body; with how many bytes, 0 if it broke off.

        Raises OSError, and TooSlowError if there are none for `patience` seconds. A fast server's are there already:
        then others have their turn, but nobody is woken up.
        """
        assert self._socket is not None
        await trio.lowlevel.checkpoint()
        while True:
            try:
                count = os.readv(self._socket.fileno(), buffers())
            except BlockingIOError:
                with trio.fail_after(patience):
                    await trio.lowlevel.wait_readable(self._socket)
                continue
            self._missing -= count
            return count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._missing:
            chunk, self._early = self._early, b""
            with _as_httpx_has_them():
                chunk = chunk or await self._stream.read(min(READ_BODY, self._missing))
            if not chunk:
                raise httpx.RemoteProtocolError("peer closed connection in the midst of a body")
            self._missing -= len(chunk)
            yield chunk

    async def aclose(self) -> None:
        """No more of it is wanted. What is unread costs the connection."""
        if self._missing or not self._keeps:
            await self._close()


class _ParsedBody(httpx.AsyncByteStream):
    """A body of which only h11 can tell where it ends."""

    def __init__(
        self, http: h11.Connection, stream: httpcore.AsyncNetworkStream, close: Callable[[], Awaitable[None]]
    ) -> None:
        self._http = http
        self._stream = stream
        self._close = close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await trio.lowlevel.checkpoint()  # one receive may bring chunks of a byte by the thousand
            with _as_httpx_has_them():
                event = await _next_event(self._http, self._stream, READ_BODY)
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)

    async def aclose(self) -> None:
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            await self._close()


def _said(http: h11.Connection, request: httpx.Request) -> bytes:
    head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
    return (http.send(head) or b"") + (http.send(h11.EndOfMessage()) or b"")


async def _read_head(http: h11.Connection, stream: httpcore.AsyncNetworkStream) -> h11.Response:
    while not isinstance(event := await _next_event(http, stream, READ_HEAD), h11.Response):
        pass  # "100 Continue" and the like
    return event


async def _next_event(http: h11.Connection, stream: httpcore.AsyncNetworkStream, size: int) -> Any:  # noqa: ANN401
    while (event := http.next_event()) is h11.NEED_DATA:
        data = await stream.read(size)
        if not data and http.their_state is h11.SEND_RESPONSE:
            raise httpx.RemoteProtocolError("disconnected without an answer")
        http.receive_data(data)
    return event


def _length(head: h11.Response) -> int | None:
    """Bytes of the body, where that is said and true (RFC 9112, section 6.3). That it is a number h11 has seen to."""
    headers = dict(head.headers)
    if b"transfer-encoding" in headers or head.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return None
    return int(headers[b"content-length"]) if b"content-length" in headers else None


def _keeps(head: h11.Response) -> bool:
    """The server keeps the connection (RFC 9112, section 9.3)."""
    options = b",".join(value for name, value in head.headers if name == b"connection").lower().split(b",")
    return head.http_version >= b"1.1" and b"close" not in [option.strip() for option in options]


@contextmanager
def _as_httpx_has_them() -> Iterator[None]:
    """Errors of what lies below, as a transport should raise them."""
    try:
        yield
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error)) from error
    except h11.ProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
