"""A web server in memory, for virtual time: real httpx at our end, a script for each request at the other."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import httpcore
import trio
import trio.testing

from trio_torrent.net.http import Http, make_http

ADDRESS = "93.184.216.34"  # of every host, where a test does not say otherwise
CHUNK = 16 * 1024


@attrs.frozen
class Asked:
    """One request as it came."""

    host: str
    target: str  # path and query, as sent
    headers: Mapping[str, str]  # by lower-case names
    connection: int  # the number of the connection that it came on

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def range(self) -> tuple[int, int] | None:
        """First byte, and one past the last."""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return (int(found[1]), int(found[2]) + 1) if found else None


Script = Callable[[Asked, trio.abc.Stream], Awaitable[None]]
"""Answers one request. When it returns, the connection is kept; it may close the stream itself."""


def head(status: str, headers: Mapping[str, object] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


def says(status: str, headers: Mapping[str, object] | None = None, body: bytes = b"") -> Script:
    """Always the same answer."""

    async def script(asked: Asked, stream: trio.abc.Stream) -> None:
        await stream.send_all(head(status, {"Content-Length": len(body), **(headers or {})}) + body)

    return script


def keeps(files: Mapping[str, bytes], *, ranges: bool = True, rate: float = float("inf")) -> Script:
    """A proper server with these files, by path; `rate` is bytes a second."""

    async def script(asked: Asked, stream: trio.abc.Stream) -> None:
        data = files.get(asked.path)
        if data is None:
            await says("404 Not Found", body=b"no such file")(asked, stream)
            return
        if ranges and asked.range is not None:
            start, end = asked.range
            if start >= len(data):
                await says("416 Range Not Satisfiable", {"Content-Range": f"bytes */{len(data)}"})(asked, stream)
                return
            body = data[start:end]
            where = {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(data)}"}
            await stream.send_all(head("206 Partial Content", {"Content-Length": len(body), **where}))
        else:
            body = data
            await stream.send_all(head("200 OK", {"Content-Length": len(body)}))
        for at in range(0, len(body), CHUNK):
            await trio.sleep(CHUNK / rate)
            await stream.send_all(body[at : at + CHUNK])

    return script


def in_turn(*scripts: Script) -> Script:
    """One after the other, the last one for ever."""
    waiting = list(scripts)

    async def script(asked: Asked, stream: trio.abc.Stream) -> None:
        chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        await chosen(asked, stream)

    return script


class Web(httpcore.AsyncNetworkBackend):
    """Every host of the world, each with a script; `requests` has what was asked, in order."""

    def __init__(self, nursery: trio.Nursery, hosts: Mapping[str, Script]) -> None:
        """Hosts are named without their `.example`."""
        self._nursery = nursery
        self.hosts = {f"{name}.example": script for name, script in hosts.items()}
        self.addresses: dict[str, str] = {}  # by host, where it is not `ADDRESS`
        self.requests: list[Asked] = []
        self.connections = 0
        self.down = False  # nobody can be reached

    async def lookup(self, name: str) -> Sequence[str]:
        return [self.addresses.get(name, ADDRESS)]

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise httpcore.ConnectError("connection refused")
        ours, theirs = trio.testing.memory_stream_pair()
        self.connections += 1
        self._nursery.start_soon(self._serve, theirs, self.connections)
        return _Stream(ours)

    async def _serve(self, stream: trio.abc.Stream, number: int) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                data = b""
                while True:
                    while b"\r\n\r\n" not in data:
                        more = await stream.receive_some()
                        if not more:
                            return
                        data += bytes(more)
                    request, _, data = data.partition(b"\r\n\r\n")
                    asked = _parse(request, number)
                    self.requests.append(asked)
                    await self.hosts[asked.host](asked, stream)

    def http(self, *, allow_local: bool = False) -> Http:
        """What asks these hosts."""
        return make_http(user_agent="test/1", allow_local=allow_local, lookup=self.lookup, network=self)


def _parse(request: bytes, number: int) -> Asked:
    first, *lines = request.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Asked(headers["host"].partition(":")[0], first.split(" ")[1], headers, number)


class _Stream(httpcore.AsyncNetworkStream):
    """A stream of trio's as httpcore wants it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None
