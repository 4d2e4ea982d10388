"""A UDP tracker that follows a script, on a real socket of the loopback interface."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

CONNECT, ANNOUNCE, SCRAPE, ERROR = range(4)
ID = 0x1122334455667788
PEER = b"\x01\x02\x03\x04\x1a\xe1"


@attrs.frozen
class Heard:
    """A request as it came."""

    action: int
    transaction: bytes
    connection: int
    data: bytes = attrs.field(repr=False)

    def reply(self, body: bytes = b"", *, action: int | None = None) -> bytes:
        """An answer to it, or another action in the same transaction."""
        return (self.action if action is None else action).to_bytes(4) + self.transaction + body


Script = Callable[[Heard], Sequence[bytes]]
"""The datagrams that a request is answered with."""


def answer(*peers: bytes, interval: int = 900) -> bytes:
    """The body of an answer to an announce: 3 leechers, 4 seeders."""
    return struct.pack(">III", interval, 3, 4) + b"".join(peers)


def good(heard: Heard) -> Sequence[bytes]:
    """What a tracker should say."""
    match heard.action:
        case 0:
            return [heard.reply(ID.to_bytes(8))]
        case 1:
            return [heard.reply(answer(PEER))]
        case _:
            return [heard.reply(struct.pack(">III", 4, 5, 3) * ((len(heard.data) - 16) // 20))]


@attrs.define
class UdpTracker:
    """What it was asked, at which times, and where it is."""

    script: Script
    socket: trio.socket.SocketType
    host: str
    heard: list[Heard] = attrs.field(factory=list)
    times: list[float] = attrs.field(factory=list)
    from_ports: list[int] = attrs.field(factory=list)

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    def url(self, path: str = "/announce") -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"udp://{host}:{self.port}{path}"

    @property
    def actions(self) -> list[int]:
        return [heard.action for heard in self.heard]

    async def serve(self) -> None:
        while True:
            data, address = await self.socket.recvfrom(65536)
            connection, action, transaction = struct.unpack_from(">QI4s", data)
            heard = Heard(action, transaction, connection, data)
            self.heard.append(heard)
            self.times.append(trio.current_time())
            self.from_ports.append(address[1])
            for datagram in self.script(heard):
                await self.socket.sendto(datagram, address)


@asynccontextmanager
async def udp_tracker(script: Script = good, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[UdpTracker]:
    """Serves for the length of the block."""
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind((host, port))
        tracker = UdpTracker(script, socket, host)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tracker.serve)
            yield tracker
            nursery.cancel_scope.cancel()
