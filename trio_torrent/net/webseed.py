"""A web seed as the scheduler sees it: a peer that has everything, never chokes, wants nothing and hears nothing.

It has no connection of its own. What is asked of it becomes GETs (`wire.webseed` decides which), each carried out by
one of a few lanes; what comes of their bodies is said as a peer would say it. Where it fails, it leaves; whether it
comes again is for `client.webseeds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

import trio

from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.events import Event, Left, PeerId, Received
from trio_torrent.wire.extended import ExtendedHandshake, encode_extended
from trio_torrent.wire.messages import Bitfield as HasPieces
from trio_torrent.wire.messages import KeepAlive, Landed, Message, Piece, Request, Suggest, Unchoke
from trio_torrent.wire.ut_metadata import MetadataData
from trio_torrent.wire.web_answers import LacksError, WebSeedError, read_answer
from trio_torrent.wire.web_transfer import Transfer
from trio_torrent.wire.web_urls import Get, Source
from trio_torrent.wire.webseed import Orders

from .boundary import Boundary
from .inbox import post
from .lane import Answer, Lane, OpenLane

# Connections to one web seed: Transmission's number. On a link with some delay two keep the server busy, and where
# files are small all four are of use.
LANES = 4

# What it may be asked for at once: all that the scheduler ever asks of one peer. A server forgets nothing.
QUEUE = 1000

# A GET for little waits so long for more to be asked for: where the disk is what is slow, that comes piece by piece.
GATHER_SECONDS = 0.002

SIGN_OF_LIFE_SECONDS = 60.0  # half of what the scheduler takes for dead


class WebSeedConnection:
    """The tasks of one web seed, and what they are told to do. `pieces` are those that it has."""

    def __init__(
        self,
        peer: PeerId,
        source: Source,
        pieces: Bitfield,
        *,
        open_lane: OpenLane,
        boundary: Boundary,
        gave: Callable[[int], None],
    ) -> None:
        self.id = peer
        self.error: WebSeedError | None = None  # its own; None if it was sent away
        self.for_good: bool = False  # sent away, never to be used again
        self.lacks: int | None = None  # the resource that it has not got
        self._pieces = pieces
        self._source = source
        self._orders = Orders(source)
        self._open_lane = open_lane
        self._boundary = boundary
        self._gave = gave
        self._asks = 0
        self._turn = trio.Lock()  # of the lane that takes the next transfer
        self._news = trio.Event()
        self._scope = trio.CancelScope()
        self._reason = "stopped"

    @property
    def reason(self) -> str:
        """Why it ended, in words."""
        return self._reason

    # -- commands ----------------------------------------------------------------------------------------------------

    def send(self, messages: Sequence[Message]) -> None:
        """A web server hears nothing."""

    def ask(self, requests: Sequence[Request], place: Callable[[Request], memoryview] | None) -> None:
        """Get blocks, for the places given; without any they come with data of their own."""
        self._asks += 1
        self._orders.expect(requests, place)
        self._wake()

    def withdraw(self, requests: Sequence[Request], *, tell: bool = True) -> None:
        """Take back requests and their places. A body that nobody wants is left when more of it comes."""
        self._orders.forget(requests)

    def serve(self, requests: Sequence[Request]) -> None:
        """It asks for nothing."""

    def unserve(self, requests: Sequence[Request] | None) -> None:
        """Nor has it asked."""

    def serve_hashes(self, read: object) -> None:
        """Nor for hashes."""

    def serve_metadata(self, number: int, data: MetadataData) -> None:
        """Nor for the info dictionary."""

    def know(self, pieces: int) -> None:
        """It comes when that is known."""

    def drop(self, reason: str, *, for_good: bool = False) -> None:
        """End it all. From here on, nothing of it lands anywhere."""
        self._reason = reason
        self.for_good = for_good
        self._orders.forget_all()
        self._scope.cancel()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    # -- tasks -------------------------------------------------------------------------------------------------------

    async def run(self, inbox: trio.MemorySendChannel[Event]) -> None:
        """Get what is asked for until something fails; then say so."""
        lanes = [self._open_lane() for _ in range(LANES)]
        try:
            with self._scope, self._boundary.guard("a web seed"):
                await self._work(lanes, inbox)
        finally:
            self._orders.forget_all()
            for lane in lanes:
                await lane.aclose()
        await inbox.send(Left(self.id, self._reason))

    async def _work(self, lanes: Sequence[Lane], inbox: trio.MemorySendChannel[Event]) -> None:
        try:
            async with trio.open_nursery() as nursery:
                await self._introduce(lanes[0], inbox)
                for lane in lanes:
                    nursery.start_soon(self._serve_lane, lane, inbox)
                while True:
                    await trio.sleep(SIGN_OF_LIFE_SECONDS)
                    await inbox.send(Received(self.id, (KeepAlive(),), self._asks))
        except* WebSeedError as group:
            self.error = _first(group)
            self._reason = str(self.error)

    async def _introduce(self, lane: Lane, inbox: trio.MemorySendChannel[Event]) -> None:
        """It has everything and does not choke. One that sends whole files only would have them asked for in order."""
        in_order = (Suggest(0),) if await self._sends_all(lane) else ()
        itself = encode_extended(ExtendedHandshake(reqq=QUEUE, upload_only=True))
        await inbox.send(Received(self.id, (itself, HasPieces(bytes(self._pieces)), *in_order, Unchoke())))

    async def _sends_all(self, lane: Lane) -> bool:
        """Ask for one byte, before a peer's worth is asked for: whether it sends the whole file instead."""
        probe = self._source.probe(next(iter(self._pieces)))
        if probe is None:
            return False
        try:
            async with lane.get(probe.get.url, probe.get.headers) as answer:
                if len(await self._read_head(probe.get, answer)) > 1:
                    return True
                if len(await answer.read()) != 1 or await answer.read():  # to the end: the connection can be kept
                    raise WebSeedError("sends other bytes than were asked for")
                return False
        except LacksError:
            self.lacks = probe.resource
            raise

    async def _read_head(self, get: Get, answer: Answer) -> range:
        said = await answer.read() if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else b""
        return read_answer(get, answer.status, answer.headers, said)

    async def _serve_lane(self, lane: Lane, inbox: trio.MemorySendChannel[Event]) -> None:
        while True:
            async with self._turn:
                transfer = await self._next(inbox)
            await self._carry_out(transfer, lane, inbox)

    async def _next(self, inbox: trio.MemorySendChannel[Event]) -> Transfer:
        while True:
            news = self._news  # what is asked for while we report counts, too
            if self._orders.are_due and self._orders.may_grow:
                await self._gather()
            if (transfer := self._orders.next()) is not None:
                return transfer
            await self._report(inbox)  # what is but padding needs no GET
            await news.wait()

    async def _gather(self) -> None:
        with trio.move_on_after(GATHER_SECONDS):
            while self._orders.may_grow:
                await self._news.wait()

    async def _carry_out(self, transfer: Transfer, lane: Lane, inbox: trio.MemorySendChannel[Event]) -> None:
        try:
            async with lane.get(transfer.get.url, transfer.get.headers) as answer:
                if self._orders.answered(transfer, await self._read_head(transfer.get, answer)):
                    await self._receive(transfer, answer, inbox)
        except LacksError:
            self.lacks = transfer.resource
            raise
        finally:
            self._orders.end(transfer)
            self._wake()

    async def _receive(self, transfer: Transfer, answer: Answer, inbox: trio.MemorySendChannel[Event]) -> None:
        """Read the body as long as it is wanted; to its very end if it can be, so that the connection can be kept."""
        while transfer.is_wanted or not transfer.missing:
            if answer.lands:
                count = await answer.receive_into(transfer.buffers)
                self._orders.received(transfer, count)
            else:
                data = await answer.read()
                count = len(data)
                self._orders.feed(transfer, data)
            if not count:
                if transfer.missing:
                    raise WebSeedError("ended before all was sent")
                return
            await self._report(inbox)

    async def _report(self, inbox: trio.MemorySendChannel[Event]) -> None:
        if blocks := self._orders.taken():
            self._gave(sum(map(_size, blocks)))
            await post(inbox, Received(self.id, blocks, self._asks))


def _size(told: Landed | Piece) -> int:
    return len(told.data) if isinstance(told, Piece) else sum([request.length for request in told.requests])


def _first(group: BaseExceptionGroup[WebSeedError]) -> WebSeedError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
