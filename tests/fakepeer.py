"""A scripted peer: it speaks the protocol by hand, well or badly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from tests.heard import messages
from trio_torrent.address import Address
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.net.handshaking import receive_handshake
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.connection import Connection
from trio_torrent.wire.handshake import DHT, FAST, V2, Handshake


class FakePeer:
    """One connection, seen from the other side."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        metainfo: Metainfo,
        payload: bytes,
        *,
        name: bytes,
        fast: bool,
        v2: bool = False,
        dht: bool = False,
    ) -> None:
        self.stream = stream
        self.metainfo = metainfo
        self.payload = payload
        hashes = metainfo.info_hashes
        reserved = FAST * fast | V2 * v2 | DHT * dht
        self.ours = Handshake(hashes.v2_wire or b"" if v2 else hashes.wire, name.ljust(20, b"-"), reserved)
        self.theirs: Handshake | None = None
        self.heard: list[wire.Message] = []
        self._connection = Connection(pieces=metainfo.geometry.pieces, fast=fast, v2=v2)
        self._waiting: list[wire.Message] = []

    async def shake_hands(self) -> Handshake:
        """Answer the handshake of the other side."""
        self.theirs, early = await receive_handshake(self.stream)
        await self.stream.send_all(bytes(self.ours))
        self._waiting += messages(self._connection.receive(early))
        return self.theirs

    async def greet(self) -> Handshake:
        """Say ours first, as the one who dialled."""
        await self.stream.send_all(bytes(self.ours))
        theirs, early = await receive_handshake(self.stream)
        self._waiting += messages(self._connection.receive(early))
        return theirs

    async def say(self, *messages: wire.Message) -> None:
        """Say these."""
        await self.stream.send_all(encode_all(messages))

    async def say_all_pieces(self) -> None:
        """A full bitfield."""
        count = self.metainfo.geometry.pieces
        await self.say(wire.Bitfield((((1 << count) - 1) << -count % 8).to_bytes((count + 7) // 8)))

    def __aiter__(self) -> FakePeer:
        """What the other side says, to the end of the stream."""
        return self

    async def __anext__(self) -> wire.Message:
        while not self._waiting:
            data = await self.stream.receive_some()
            if not data:
                raise StopAsyncIteration
            self._waiting += messages(self._connection.receive(data))
        self.heard.append(self._waiting.pop(0))
        return self.heard[-1]

    async def wait_for(self, kind: type[wire.Message]) -> wire.Message:
        """The next message of a kind. EOFError if the other side leaves instead."""
        async for message in self:
            if isinstance(message, kind):
                return message
        raise EOFError(f"left without a {kind.__name__}")

    def block(self, request: wire.Request) -> wire.Piece:
        """The right answer to a request."""
        start = self.metainfo.geometry.piece_start(request.piece) + request.offset
        return wire.Piece(request.piece, request.offset, self.payload[start : start + request.length])

    async def serve(self) -> None:
        """Unchoke, and answer every request, to the end."""
        await self.say(wire.Unchoke())
        async for message in self:
            if isinstance(message, wire.Request):
                await self.say(self.block(message))


Script = Callable[[FakePeer], Awaitable[None]]


def handler(
    metainfo: Metainfo,
    payload: bytes,
    script: Script,
    *,
    name: bytes = b"-FAKE00-",
    fast: bool = False,
    v2: bool = False,
    dht: bool = False,
) -> Callable[[trio.abc.Stream, Address], Awaitable[None]]:
    """What a host of the network does with those who connect: shake hands, then follow the script."""

    async def handle(stream: trio.abc.Stream, address: Address) -> None:
        async with stream:
            peer = FakePeer(stream, metainfo, payload, name=name, fast=fast, v2=v2, dht=dht)
            try:
                await peer.shake_hands()
                await script(peer)
            except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
                pass  # the other side has left, as it may

    return handle
