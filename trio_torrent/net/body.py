"""Bodies of HTTP responses, inflated as they come and never beyond a limit."""

from __future__ import annotations

import zlib

import httpx
import trio

# 32 + 15: zlib finds out by itself whether it is gzip's header or deflate's, and takes the largest window.
_INFLATED = {"": None, "identity": None, "gzip": 47, "x-gzip": 47, "deflate": 47}


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The body. What would make it longer than `limit` is neither inflated nor received.

    Raises ValueError if it is longer, damaged, or in an encoding that was not asked for.
    """
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
