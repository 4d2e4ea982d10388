"""Giving pieces: what we say we have, whom we unchoke, and what we answer.

Every request of a peer that speaks BEP 6 gets exactly one answer. What is refused here is rejected here. What is
accepted becomes a `Serve`, and from then on the connection answers: with the block, or with a reject when it is told to
`Unserve` before the block was on its way. A request that is repeated while it waits is the same request.

We do not suggest pieces (BEP 6): superseeding does what that was meant for, most clients pass over it, and the kernel
knows better than we do what is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire import messages as wire
from trio_torrent.wire.messages import Cancel, Reject, Request

from .allowed_fast import ALLOWED_FAST, allowed_fast_set
from .choker import Choker
from .commands import Command, Send, Serve, Unserve
from .events import PeerId
from .peers import Peer
from .rates import Meter
from .superseed import Superseed, Telling

MOST_QUEUED = 2000  # requests waiting from one peer; libtorrent's `max_allowed_in_request_queue`
MOST_ASKED = 32 * 1024  # bytes in one request: 16 KiB is the rule, some old clients ask for twice as much
MOST_BAD_REQUESTS = 300  # then the peer is dropped, as by libtorrent

# A peer may ask on until it knows that it is choked. libtorrent allows 2 s; but what we said before, blocks among it,
# may take a slow link longer than that, and to refuse costs little.
LATE_SECONDS = 30.0

# How often a piece is given for nothing, as in libtorrent: the first time may have gone wrong.
MOST_FOR_NOTHING = 3

# Newcomers that are offered pieces for nothing, in a minute. In a crowd of them, all asking for the same few pieces,
# there would be nothing left of a first seed's link for the others; and who comes again and again gets no more.
MOST_GUESTS = 4
GUEST_SECONDS = 60.0


class Serving:
    """The uploading half of the scheduler."""

    def __init__(
        self,
        geometry: Geometry,
        have: Bitfield,
        peers: Mapping[PeerId, Peer],
        do: Callable[[Command], None],
        *,
        random: Random,
        slots: int,
        now: float,
        info_hash: bytes = b"",
        superseed: bool = False,
    ) -> None:
        self._geometry = geometry
        self._have = have
        self._peers = peers
        self._do = do
        self._info_hash = info_hash
        self._choker = Choker(peers, random=random, slots=slots, now=now)
        self._superseed = Superseed(geometry, slots=slots, random=random) if superseed and have.complete else None
        self._guests: list[float] = []  # when each of the last was welcomed
        self.meter: Meter = Meter(now)
        self.wants_nothing: bool = have.complete
        """We have all that we want: then peers are served in turn. The scheduler's to change."""

    @property
    def upload_only(self) -> bool:
        """Whether to say that we want nothing (BEP 21); not as long as we seem to have nothing, either."""
        return self.wants_nothing and self._superseed is None

    # -- what we have ------------------------------------------------------------------------------------------------

    def opening(self, peer: Peer, *, told: bool = False) -> tuple[wire.Message, ...]:
        """What says which pieces we have; nothing, if we have none and the peer was `told` or does not speak BEP 6."""
        seems_empty = self._superseed is not None and not self._superseed.over
        shown = 0 if seems_empty else self._have.count
        if peer.fast and shown == self._have.size:
            return (wire.HaveAll(),)
        if shown:
            return (wire.Bitfield(bytes(self._have)),)
        return (wire.HaveNone(),) if peer.fast and not told else ()

    def joined(self, peer: Peer, now: float) -> None:
        """A peer is here, and our opening was said."""
        self._choker.joined(peer, now)
        if self._superseed is not None:
            self._tell(self._superseed.joined(peer.id, now))

    def opened(self, peer: Peer, now: float) -> None:
        """The peer has said what it has, all told: all, some or nothing."""
        if self._superseed is not None:
            self._tell(self._superseed.opened(peer.id, peer.pieces, now))
        elif peer.fast and not peer.allowed and not peer.upload_only and peer.pieces.count < ALLOWED_FAST:
            self._welcome(peer, now)

    def gained(self, peer: Peer, piece: int, now: float) -> None:
        """The peer has this piece now, too."""
        if self._superseed is not None:
            self._tell(self._superseed.gained(peer.id, piece, now))

    def _welcome(self, peer: Peer, now: float) -> None:
        """A starting peer that will have to wait for a slot gets a few pieces for nothing (BEP 6)."""
        self._guests = [since for since in self._guests if now - since < GUEST_SECONDS]
        if self._choker.has_room or len(self._guests) >= MOST_GUESTS:
            return
        chosen = allowed_fast_set(peer.address.host, self._info_hash, self._have.size)
        pieces = [piece for piece in chosen if piece in self._have and piece not in peer.pieces]
        if pieces:
            self._guests.append(now)
            peer.allowed = {piece: MOST_FOR_NOTHING * self._geometry.piece_size(piece) for piece in pieces}
            self._do(Send(peer.id, tuple(map(wire.AllowedFast, pieces))))

    def _tell(self, telling: Telling) -> None:
        for peer, pieces in telling.items():
            self._do(Send(peer, tuple(map(wire.Have, pieces))))

    # -- requests ----------------------------------------------------------------------------------------------------

    def requested(self, peer: Peer, requests: list[Request], now: float) -> None:
        """What the peer asked for in one chunk: serve it, or say no."""
        good, refused = [], []
        for request in requests:
            if request in peer.serving:
                continue  # said twice
            if self._takes(peer, request, now):
                peer.serving[request] = None  # at once: one chunk has room for more than may be queued
                good.append(request)
            else:
                refused.append(Reject(request.piece, request.offset, request.length))
        if refused and peer.fast:
            self._do(Send(peer.id, tuple(refused)))  # together: thousands of single ones would fill its outbox
        if good:
            self._do(Serve(peer.id, tuple(good)))

    def _takes(self, peer: Peer, request: Request, now: float) -> bool:
        if not self._is_sound(request) or not self._shows(peer, request.piece):
            peer.bad_requests += 1
            return False
        if len(peer.serving) >= MOST_QUEUED:
            return False
        return not peer.we_choke or self._gives_for_nothing(peer, request, now)

    def _is_sound(self, request: Request) -> bool:
        return (
            request.piece < self._geometry.pieces
            and request.piece in self._have
            and 0 < request.length <= MOST_ASKED
            and request.offset + request.length <= self._geometry.piece_size(request.piece)
        )

    def _shows(self, peer: Peer, piece: int) -> bool:
        return self._superseed is None or self._superseed.shows(peer.id, piece)

    def _gives_for_nothing(self, peer: Peer, request: Request, now: float) -> bool:
        left = peer.allowed.get(request.piece, 0) - request.length
        if left >= 0:
            peer.allowed[request.piece] = left
            return True
        peer.late_requests += now - self._choker.since(peer) >= LATE_SECONDS
        return False

    def complaint(self, peer: Peer) -> str | None:
        """Why the peer is a nuisance, if it is one."""
        if peer.bad_requests > MOST_BAD_REQUESTS:
            return "asks for what is not there"
        if peer.late_requests > MOST_BAD_REQUESTS:
            return "asks although it is choked"
        return None

    def cancelled(self, peer: Peer, cancel: Cancel) -> None:
        """The peer no longer needs a block."""
        request = Request(cancel.piece, cancel.offset, cancel.length)
        if request in peer.serving:
            del peer.serving[request]
            self._do(Unserve(peer.id, (request,)))

    def served(self, peer: Peer, requests: tuple[Request, ...], now: float) -> None:
        """These blocks are on the way."""
        count = 0
        for request in requests:
            peer.serving.pop(request, None)
            count += request.length
            if self._superseed is not None:
                self._tell(self._superseed.sent(peer.id, request.piece, request.length, now))
        peer.to_them.add(count, now)
        self.meter.add(count, now)

    # -- choking -----------------------------------------------------------------------------------------------------

    def interest_changed(self, peer: Peer, now: float) -> None:
        """A newcomer who wants something gets a free slot at once; a free slot waits for nobody's clock."""
        if peer.wants and peer.we_choke and self._choker.has_room:
            self._unchoke(peer, now)
        elif not peer.wants and not peer.we_choke:
            self._choke(peer, now)
            self._fill_slot(now)

    def left(self, peer: Peer, now: float) -> None:
        """A peer is gone; its slot is somebody else's."""
        self._choker.left(peer)
        if self._superseed is not None:
            self._superseed.left(peer.id)
        if not peer.we_choke:
            self._fill_slot(now)

    def tick(self, now: float) -> None:
        """Look again at who deserves a slot, when it is time."""
        if self._choker.end_round(now):
            self._rechoke(now)
        if self._superseed is not None:
            telling = self._superseed.tick(now)
            self._tell(telling)
            if self._superseed.over and not telling:
                self._superseed = None

    def _fill_slot(self, now: float) -> None:
        if self._choker.has_room and (peer := self._choker.next_in_line()) is not None:
            self._unchoke(peer, now)

    def _rechoke(self, now: float) -> None:
        chosen = self._choker.choose(now, seeding=self.wants_nothing)
        for peer in self._peers.values():
            if peer.id in chosen and peer.we_choke:
                self._unchoke(peer, now)
            elif peer.id not in chosen and not peer.we_choke:
                self._choke(peer, now)

    def _unchoke(self, peer: Peer, now: float) -> None:
        peer.we_choke = False
        peer.late_requests = 0
        self._choker.turned(peer, now)
        self._do(Send(peer.id, (wire.Unchoke(),)))

    def _choke(self, peer: Peer, now: float) -> None:
        """Its requests are gone, save those for what it may have for nothing (BEP 6)."""
        peer.we_choke = True
        self._choker.turned(peer, now)
        self._do(Send(peer.id, (wire.Choke(),)))  # first, so that rejects are not answered with new requests
        if not peer.allowed:
            peer.serving.clear()
            self._do(Unserve(peer.id))
        elif ended := tuple(request for request in peer.serving if request.piece not in peer.allowed):
            for request in ended:
                del peer.serving[request]
            self._do(Unserve(peer.id, ended))
