"""The way to our door: connections that bring what they are asked for and no more, and a real reception behind it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import cast

import trio

from tests.simnet import Host, Network
from trio_torrent.address import Address
from trio_torrent.net.listen import Reception

AT_ONCE = 64 * 1024  # bytes that are handed on in one go: a link copies what it carries


class Portions(trio.abc.Stream):
    """A stream that holds to `max_bytes`, and knows who is at its other end, as those of sockets do."""

    def __init__(self, stream: trio.abc.Stream, address: Address) -> None:
        self._stream = stream
        self._address = address
        self._rest = b""

    @property
    def socket(self) -> Portions:
        """For what is asked of a socket."""
        return self

    def getpeername(self) -> tuple[str, int]:
        return self._address.host, self._address.port

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = self._rest or bytes(await self._stream.receive_some())
        size = len(data) if max_bytes is None else max_bytes
        self._rest = data[size:]
        return data[:size]

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        for start in range(0, len(data), AT_ONCE):
            await self._stream.send_all(memoryview(data)[start : start + AT_ONCE])

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Road(Network):
    """A network whose connections come in portions."""

    def connect_from(self, host: Host) -> Callable[[Address], Awaitable[trio.abc.Stream]]:
        """How this host connects to others."""
        connect = super().connect_from(host)

        async def connect_in_portions(address: Address) -> trio.abc.Stream:
            return Portions(await connect(address), address)

        return connect_in_portions


class Door:
    """A listener whose visitors come by road."""

    def __init__(self) -> None:
        self._come, self._came = trio.open_memory_channel[Portions](math.inf)

    async def __aenter__(self) -> Door:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._came.close()

    async def accept(self) -> Portions:
        return await self._came.receive()

    async def arrive(self, stream: trio.abc.Stream, address: Address) -> None:
        """For `Network.listen`: somebody stands before the door."""
        await self._come.send(Portions(stream, address))

    async def serve(self, reception: Reception) -> None:
        """Let the reception see to those who come."""
        await reception.serve(cast(trio.SocketListener, self))
