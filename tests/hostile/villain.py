"""What a script can do: the scripted peer, with the vocabulary of misbehaviour."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable

import attrs
import trio

from tests.fakepeer import FakePeer
from tests.heard import messages
from trio_torrent.bitfield import Bitfield
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.errors import PeerError
from trio_torrent.net.handshaking import receive_handshake
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.handshake import EXTENDED, Handshake

from .scenery import BLOCK, HONEST_ID, PAYLOAD, VILLAIN_ID

MOMENT = 0.25  # virtual seconds: time for an answer, some round trips long
PORTION = 16 * 1024  # bytes of a flood that are said in one go

Visit = Callable[[], Awaitable["Villain"]]


@attrs.frozen
class Knowledge:
    """What a bad peer may know of the world."""

    our_id: Callable[[], bytes]  # our peer id, once the honest peer has been told it
    visit: Visit  # one more connection to us, from another port of the same host; without a handshake so far
    honest_id: bytes = HONEST_ID


class Villain(FakePeer):
    """One connection of a bad peer to us."""

    def __init__(
        self, stream: trio.abc.Stream, metainfo: Metainfo, *, knows: Knowledge, fast: bool, dialled: bool
    ) -> None:
        super().__init__(stream, metainfo, PAYLOAD, name=VILLAIN_ID, fast=fast)
        self.ours = attrs.evolve(self.ours, reserved=self.ours.reserved | EXTENDED)
        self.knows = knows
        self.fast = fast
        self.dialled = dialled
        self.theirs: Handshake | None = None

    # -- coming and going --------------------------------------------------------------------------------------------

    async def greet(self) -> Handshake:
        """Exchange handshakes, in the order that suits the side."""
        if self.dialled:
            theirs = await self._hear_handshake()
            await self.stream.send_all(bytes(self.ours))
            return theirs
        await self.stream.send_all(bytes(self.ours))
        return await self._hear_handshake()

    async def _hear_handshake(self) -> Handshake:
        try:
            self.theirs, early = await receive_handshake(self.stream)
        except PeerError as error:
            raise EOFError(str(error)) from None
        self._waiting += messages(self._connection.receive(early))
        return self.theirs

    async def __anext__(self) -> wire.Message:
        if self.theirs is None:  # the script has sent a handshake of its own making
            await self._hear_handshake()
        return await super().__anext__()

    async def visit(self, name: bytes | None = None) -> Villain:
        """Connect once more, as this peer or under another name, and exchange handshakes."""
        other = await self.knows.visit()
        other.ours = self.ours if name is None else attrs.evolve(self.ours, peer_id=name.ljust(20, b"-"))
        await other.greet()
        return other

    async def leave(self) -> None:
        """Close the connection."""
        await self.stream.aclose()

    async def listen(self) -> None:
        """Hear everything, to the end of the connection."""
        async for _ in self:
            pass

    async def listen_for(self, seconds: float) -> None:
        """Hear what comes in so much time."""
        with trio.move_on_after(seconds):
            await self.listen()

    async def ignore(self) -> None:
        """Read, and forget what it was, to the end of the connection."""
        while await self.stream.receive_some():
            pass

    # -- saying ------------------------------------------------------------------------------------------------------

    async def flood(self, messages: Iterable[wire.Message]) -> None:
        """Say all this as fast as it is taken, hearing nothing meanwhile."""
        pending = bytearray()
        for message in messages:
            pending += encode_all([message])
            if len(pending) >= PORTION:
                await self.stream.send_all(bytes(pending))
                pending.clear()
        await self.stream.send_all(bytes(pending))

    async def pour(self, data: bytes, times: int) -> None:
        """Send this over and over as fast as it is taken, hearing nothing meanwhile."""
        at_once = max(1, PORTION // len(data))
        for start in range(0, times, at_once):
            await self.stream.send_all(data * min(at_once, times - start))

    async def drip(self, data: bytes, *, seconds: float) -> None:
        """Send single bytes, so far apart."""
        for at in range(len(data)):
            await self.stream.send_all(data[at : at + 1])
            await trio.sleep(seconds)

    # -- asking and being asked --------------------------------------------------------------------------------------

    async def get_unchoked(self) -> None:
        """Become one of those who are served."""
        await self.say(wire.Interested())
        await self.wait_for(wire.Unchoke)

    async def tempt(self) -> None:
        """Unchoke, so that blocks are asked for. Nearly every piece is here: seeds part as friends in the end."""
        pieces = self.metainfo.geometry.pieces
        await self.say(wire.Bitfield(bytes(Bitfield(pieces, range(pieces - 1)))))
        await self.wait_for(wire.Interested)
        await self.say(wire.Unchoke())

    async def be_asked(self) -> wire.Request:
        """The next request."""
        request = await self.wait_for(wire.Request)
        assert isinstance(request, wire.Request)
        return request

    async def answer(self, reply: Callable[[wire.Request], Iterable[wire.Message]]) -> None:
        """Answer each request by these messages, to the end of the connection."""
        async for message in self:
            if isinstance(message, wire.Request):
                await self.say(*reply(message))

    async def trickle(self, *, every: float, lasts: float) -> None:
        """Answer in the order asked, one block in so many seconds, for a while."""
        with trio.move_on_after(lasts):
            async with trio.open_nursery() as nursery:
                owed, asked = trio.open_memory_channel[wire.Request](math.inf)
                nursery.start_soon(self._note_requests, owed)
                async for request in asked:
                    await trio.sleep(every)
                    await self.say(self.block(request))

    async def _note_requests(self, owed: trio.MemorySendChannel[wire.Request]) -> None:
        async with owed:
            async for message in self:
                if isinstance(message, wire.Request):
                    await owed.send(message)

    def wrong_block(self, request: wire.Request) -> wire.Piece:
        """An answer with one byte changed, the last one."""
        right = bytes(self.block(request).data)
        return wire.Piece(request.piece, request.offset, right[:-1] + bytes([right[-1] ^ 1]))


def block_of(piece: int, offset: int = 0, length: int = BLOCK) -> wire.Piece:
    """A block that has the right size and no sense."""
    return wire.Piece(piece, offset, bytes(length))
