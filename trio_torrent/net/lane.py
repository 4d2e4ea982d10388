"""Many GETs, one after the other, over a connection that is kept: for web seeds.

What `net.http` holds is held here, too: each connection is made to an address that was looked up and checked, a
redirect is a new request with all its checks, and no cookie goes from one request to the next. Nor does a password:
that of a URL goes to that URL's host. There is no deadline for the whole, which may be large, but one for each wait.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeAlias

import httpx
import trio

from trio_torrent.errors import TrackerError
from trio_torrent.wire.web_answers import WebSeedError

from .bulk import BODY, Buffers, SizedBody
from .guard import Way
from .words import in_one_line

# From the look-up to the answer's headers, and then between chunks of its body (libtorrent's `urlseed_timeout` is 20).
# The first is less than what the scheduler waits for a first block, so that it is known who was slow.
ANSWER_SECONDS = 15.0
SILENCE_SECONDS = 20.0

MAX_REDIRECTS = 5  # as in `net.http`

_NETWORK_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, TrackerError)


class Answer:
    """What came: status, headers (names in any case), and a body to be read chunk by chunk."""

    def __init__(self, response: httpx.Response) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._chunks = response.aiter_raw()
        self._body: SizedBody | None = response.extensions.get(BODY)

    async def read(self) -> bytes:
        """The next chunk of the body as it was sent, packed or not; nothing at its end. Raises WebSeedError."""
        with _as_web_seed_errors(), trio.fail_after(SILENCE_SECONDS):
            return await anext(self._chunks, b"")

    @property
    def lands(self) -> bool:
        """The next bytes of the body can be had by `receive_into`, which is cheaper."""
        return self._body is not None and self._body.lands

    async def receive_into(self, buffers: Buffers) -> int:
        """Fill these, which have room for no more than the rest of the body; with how many bytes, 0 if it broke off.

        Raises WebSeedError.
        """
        assert self._body is not None
        with _as_web_seed_errors():
            return await self._body.receive_into(buffers, SILENCE_SECONDS)

    async def aclose(self) -> None:
        """Read no more. What was left unread costs the connection.

        Left half-way, the generators inside httpx would be closed by the garbage collector, with a warning. Cancelled,
        they end from the inside out.
        """
        with trio.CancelScope(shield=True) as ending:
            ending.cancel()
            with suppress(*_NETWORK_ERRORS):
                async for _ in self._chunks:
                    pass
        with trio.CancelScope(shield=True):
            await self._response.aclose()


class Lane:
    """One connection at a time. Made by `Http.lane`, which gives it the means."""

    def __init__(
        self,
        *,
        headers: Mapping[str, str],
        parse: Callable[[str, httpx.URL | None], httpx.URL],
        way: Callable[[httpx.URL], Way],
        transport: Callable[[httpx.URL, Way], httpx.AsyncBaseTransport],
    ) -> None:
        self._headers = headers
        self._parse = parse
        self._new_way = way
        self._new_transport = transport
        self._origin: tuple[str, bytes, int | None] | None = None
        self._transport: httpx.AsyncBaseTransport | None = None
        self._way: Way | None = None
        self._moved: tuple[str, httpx.URL] | None = None  # a URL, and where it led the last time

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """Ask, and follow redirects. Raises WebSeedError; what the status means is for the caller."""
        answer = await self._answer(url, headers)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _answer(self, url: str, headers: Mapping[str, str]) -> Answer:
        try:
            with trio.fail_after(ANSWER_SECONDS):
                return Answer(await self._follow(url, headers))
        except trio.TooSlowError:
            raise WebSeedError(f"no answer within {ANSWER_SECONDS:g} s") from None
        except _NETWORK_ERRORS as error:
            raise WebSeedError(in_one_line(error)) from error

    async def _follow(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """A redirect is remembered for the next part of the same file, until its end no longer gives one."""
        if self._moved is not None and self._moved[0] == url:
            response = await self._request(self._moved[1], headers)
            if response.is_success:
                return response
            await response.aclose()
        self._moved = None
        target = first = self._parse(url, None)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._request(target, headers)
            if not response.has_redirect_location:
                self._moved = (url, target) if target is not first and response.is_success else None
                return response
            await response.aclose()
            target = self._parse(response.headers["location"], target)
        raise WebSeedError(f"more than {MAX_REDIRECTS} redirects")

    async def _request(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """A server may close a kept connection at the very moment when it is used again: then over a new one."""
        kept = await self._connect_to(url)
        try:
            return await self._send(url, headers)
        except httpx.TransportError:
            if not kept:
                raise
        await self.aclose()
        await self._connect_to(url)
        return await self._send(url, headers)

    async def _send(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """Without a client of httpx: it would take a quarter of the time, and its cookies had to be forgotten."""
        assert self._transport is not None
        request = httpx.Request("GET", url, headers={**self._headers, **headers})
        if url.userinfo:
            request = next(httpx.BasicAuth(url.username, url.password).auth_flow(request))
        return await self._transport.handle_async_request(request)

    async def _connect_to(self, url: httpx.URL) -> bool:
        """Have a transport to the URL's origin; whether there was one."""
        origin = url.scheme, url.raw_host, url.port
        if origin == self._origin:
            return True
        await self.aclose()
        self._way = self._new_way(url)
        self._transport = self._new_transport(url, self._way)
        self._origin = origin
        return False

    async def aclose(self) -> None:
        """Close the connection."""
        transport, way = self._transport, self._way
        self._transport = self._way = self._origin = None
        with trio.CancelScope(shield=True):  # plain sockets: this does not wait
            if transport is not None:
                await transport.aclose()
            if way is not None:
                await way.aclose()


@contextmanager
def _as_web_seed_errors() -> Iterator[None]:
    try:
        yield
    except trio.TooSlowError:
        raise WebSeedError(f"silent for {SILENCE_SECONDS:g} s") from None
    except _NETWORK_ERRORS as error:
        raise WebSeedError(in_one_line(error)) from error


OpenLane: TypeAlias = Callable[[], Lane]
"""`Http.lane`."""
