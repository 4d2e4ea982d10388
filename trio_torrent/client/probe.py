"""A guided tour of the protocol: from the announce to one block, from the first peer that answers.

The steps of a download, one after the other and with a word after each, by the same parts that the engine uses.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from random import Random

import attrs
import trio

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import PeerError, ProtocolError, TrackerError
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.net.asking import Trackers
from trio_torrent.net.dial import dial, in_words
from trio_torrent.net.handshaking import shake_hands
from trio_torrent.net.receive import Receive, receiver
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode
from trio_torrent.wire.connection import Connection
from trio_torrent.wire.handshake import FAST, Handshake

from .client import make_peer_id
from .settings import Settings
from .tour import Found, Probed, Reached, Report, Step
from .web import Web

# A choking peer lets others have their turn for ten seconds, and tries newcomers every thirty (BEP 3).
UNCHOKE_SECONDS = 60.0
ANSWER_SECONDS = 30.0  # for what a peer should send at once
STOP_SECONDS = 5.0  # to tell the tracker that we are gone
SECOND_ANSWER_SECONDS = 1.0  # for IPv6 when IPv4 has answered, or the other way round


@attrs.frozen(eq=False)
class _Peer:
    address: Address
    stream: trio.SocketStream
    theirs: Handshake
    early: bytes


async def probe(
    metainfo: Metainfo,
    *,
    piece: int = 0,
    offset: int = 0,
    length: int = 128,
    peers: Iterable[Address] = (),
    settings: Settings | None = None,
    report: Report,
) -> Probed:
    """Fetch one block of `length` bytes from the first peer that answers, telling `report` of each step.

    With `peers`, nothing is announced. Raises TrackerError if nobody names any peer, PeerError if none of them is of
    use, ProtocolError if the chosen one breaks the protocol, ValueError if there is no such block.
    """
    settings = settings or Settings()
    if not 0 <= piece < metainfo.geometry.pieces:
        raise ValueError(f"there is no piece {piece}: the torrent has {metainfo.geometry.pieces}")
    if not 0 < length <= 1 << 14 or not 0 <= offset <= metainfo.geometry.piece_size(piece) - length:
        raise ValueError(f"piece {piece} has no block of {length} bytes at {offset}")
    ours = Handshake(metainfo.info_hashes.wire, make_peer_id(Random(secrets.randbits(128))), FAST)
    addresses = list(peers)
    if not addresses:
        report(Step.ANNOUNCING)
        addresses = await _announce(metainfo, ours.peer_id, settings, report)
    else:
        report(Found(len(addresses), None))
    report(Step.PROBING)
    peer = await _first(addresses, ours, settings, report)
    async with peer.stream:
        return await _Tour(metainfo, peer, ours, report).take(wire.Request(piece, offset, length))


async def _announce(metainfo: Metainfo, peer_id: bytes, settings: Settings, report: Report) -> list[Address]:
    """Ask one tracker after the other; say goodbye at once, as we do not stay."""
    said = Announce(
        info_hash=metainfo.info_hashes.wire,
        peer_id=peer_id,
        port=settings.port or 6881,
        uploaded=0,
        downloaded=0,
        left=metainfo.geometry.size,
        event=AnnounceEvent.STARTED,
        key=secrets.randbits(32),
        numwant=50,
        tracker_id=None,
    )
    errors = []
    trackers = Web(settings, Random(secrets.randbits(128))).trackers()
    for url in [url for tier in metainfo.trackers for url in tier]:
        try:
            answers = await _ask(trackers, url, said)
        except TrackerError as error:
            errors.append(str(error))
            continue
        tracker_id = next((answer.tracker_id for answer in answers if answer.tracker_id), None)
        stopped = attrs.evolve(said, event=AnnounceEvent.STOPPED, numwant=0, tracker_id=tracker_id)
        with trio.move_on_after(STOP_SECONDS), suppress(TrackerError):  # it forgets us by itself
            await _ask(trackers, url, stopped)
        found = list(dict.fromkeys(peer for answer in answers for peer in answer.peers))
        report(Found(len(found), url))
        if found:
            return found
    raise TrackerError("; ".join(errors) or "no tracker knows a peer")


async def _ask(trackers: Trackers, url: str, said: Announce) -> list[Answer]:
    """What it says over IPv4 and over IPv6; the second answer is not waited for long. Raises TrackerError."""
    answers: list[Answer] = []
    with trio.CancelScope() as asking:

        async def heard(answer: Answer) -> None:
            answers.append(answer)
            asking.deadline = trio.current_time() + SECOND_ANSWER_SECONDS

        await trackers.announce(url, said, heard)
    return answers


async def _first(addresses: Sequence[Address], ours: Handshake, settings: Settings, report: Report) -> _Peer:
    """Dial all at once; the first that answers the handshake wins, and the others are let go."""
    found: list[_Peer] = []

    async def attempt(address: Address) -> None:
        stream = None
        try:
            stream = await dial(address, interface=settings.interface)
            theirs, early = await shake_hands(stream, ours)
            if found:
                return
            found.append(_Peer(address, stream, theirs, early))
            stream = None
            report(Reached(address, theirs.peer_id, None))
            nursery.cancel_scope.cancel()
        except (PeerError, ProtocolError) as error:
            report(Reached(address, None, str(error)))
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(attempt, address)
    if not found:
        raise PeerError("no peer answered")
    return found[0]


class _Tour:
    """The conversation with one peer, step by step."""

    def __init__(self, metainfo: Metainfo, peer: _Peer, ours: Handshake, report: Report) -> None:
        self._pieces = metainfo.geometry.pieces
        self._peer = peer
        self._report = report
        fast, v2 = peer.theirs.fast and ours.fast, not metainfo.has_v1
        connection = Connection(pieces=self._pieces, fast=fast, v2=v2)
        self._heard = list(connection.receive(peer.early))
        self._receive: Receive = receiver(peer.stream, connection)
        self._have = Bitfield(self._pieces)

    async def take(self, request: wire.Request) -> Probed:
        """All the steps."""
        try:
            return await self._steps(request)
        except (OSError, trio.BrokenResourceError) as error:
            raise PeerError(f"{self._peer.address}: {in_words(error)}") from error

    async def _steps(self, request: wire.Request) -> Probed:
        await self._next(ANSWER_SECONDS, "bitfield", wire.Bitfield, wire.HaveAll, wire.HaveNone, wire.Have)
        probed = Probed(self._peer.address, self._peer.theirs.peer_id, self._have)
        self._report(probed)
        self._report(Step.SAYING_INTERESTED)
        await self._peer.stream.send_all(encode(wire.Interested()))
        self._report(Step.WAITING_FOR_UNCHOKE)
        await self._next(UNCHOKE_SECONDS, "unchoke", wire.Unchoke)
        if request.piece not in self._have:
            raise PeerError(f"{self._peer.address} does not have piece {request.piece}")
        self._report(Step.REQUESTING)
        await self._peer.stream.send_all(encode(request))
        self._report(Step.WAITING_FOR_PIECE)
        block = await self._next(ANSWER_SECONDS, "block", wire.Piece, wire.Reject, wire.Choke)
        if not isinstance(block, wire.Piece):
            raise PeerError(f"{self._peer.address} refused the request")
        if (block.piece, block.offset, len(block.data)) != (request.piece, request.offset, request.length):
            raise ProtocolError(f"{self._peer.address} sent another block than asked for")
        return attrs.evolve(probed, block=block)

    async def _next(self, seconds: float, name: str, *kinds: type[wire.Message]) -> wire.Heard:
        """The next message of these kinds; of the others, those that tell of pieces are noted."""
        with trio.move_on_after(seconds):
            while True:
                while self._heard:
                    message = self._heard.pop(0)
                    self._note(message)
                    if isinstance(message, kinds):
                        return message
                messages = await self._receive()
                if messages is None:
                    raise PeerError(f"{self._peer.address} closed the connection instead of sending the {name}")
                self._heard += messages
        raise PeerError(f"{self._peer.address} sent no {name} within {seconds:g} s")

    def _note(self, message: wire.Heard) -> None:
        match message:
            case wire.Bitfield(bits):
                self._have = Bitfield.from_bytes(bits, self._pieces)
            case wire.HaveAll():
                self._have = Bitfield.full(self._pieces)
            case wire.Have(piece):
                self._have.add(piece)
            case _:
                pass
