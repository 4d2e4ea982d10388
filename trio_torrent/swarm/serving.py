"""Giving pieces: whom we unchoke, and what we answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire.messages import Cancel, Choke, Reject, Request, Unchoke

from .choker import OPTIMISTIC_SECONDS, RECHOKE_SECONDS, Candidate, choose_optimistic, choose_unchoked
from .commands import Command, Send, Serve, Unserve
from .events import PeerId
from .peers import Peer
from .rates import Meter

MOST_QUEUED = 2000  # requests waiting from one peer; libtorrent's `max_allowed_in_request_queue`
MOST_ASKED = 32 * 1024  # bytes in one request: 16 KiB is the rule, some old clients ask for twice as much
MOST_BAD_REQUESTS = 300  # then the peer is dropped, as by libtorrent


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
    ) -> None:
        self._geometry = geometry
        self._have = have
        self._peers = peers
        self._do = do
        self._random = random
        self._slots = slots
        self._optimistic: PeerId | None = None
        self._next_rechoke = now + RECHOKE_SECONDS
        self._next_optimistic = now + OPTIMISTIC_SECONDS
        self.meter = Meter(now)

    # -- requests ----------------------------------------------------------------------------------------------------

    def requested(self, peer: Peer, requests: list[Request]) -> None:
        """What the peer asked for in one chunk: serve it, or say no."""
        good, refused = [], []
        for request in requests:
            if request in peer.serving:
                continue  # said twice
            if self._takes(peer, request):
                peer.serving[request] = None  # at once: one chunk has room for more than may be queued
                good.append(request)
            else:
                refused.append(Reject(request.piece, request.offset, request.length))
        if refused and peer.fast:
            self._do(Send(peer.id, tuple(refused)))  # together: thousands of single ones would fill its outbox
        if good:
            self._do(Serve(peer.id, tuple(good)))

    def _takes(self, peer: Peer, request: Request) -> bool:
        if not self._is_sound(request):
            peer.bad_requests += 1
            return False
        return not peer.we_choke and len(peer.serving) < MOST_QUEUED

    def _is_sound(self, request: Request) -> bool:
        return (
            request.piece < self._geometry.pieces
            and request.piece in self._have
            and 0 < request.length <= MOST_ASKED
            and request.offset + request.length <= self._geometry.piece_size(request.piece)
        )

    def is_nuisance(self, peer: Peer) -> bool:
        """The peer asked too often for what is not there."""
        return peer.bad_requests > MOST_BAD_REQUESTS

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
        peer.to_them.add(count, now)
        self.meter.add(count, now)

    # -- choking -----------------------------------------------------------------------------------------------------

    def interest_changed(self, peer: Peer, now: float) -> None:
        """A newcomer who wants something gets a free slot at once; a free slot waits for nobody's clock."""
        unchoked = sum(not other.we_choke for other in self._peers.values())
        if peer.interested and peer.we_choke and unchoked < self._slots:
            self._unchoke(peer)
        elif not peer.interested and not peer.we_choke:
            self._rechoke(now)

    def left(self, peer: Peer, now: float) -> None:
        """A peer is gone; its slot is somebody else's."""
        if not peer.we_choke:
            self._rechoke(now)

    def tick(self, now: float) -> None:
        """Look again at who deserves a slot, when it is time."""
        if now >= self._next_optimistic:
            self._next_optimistic = now + OPTIMISTIC_SECONDS
            self._choose_optimistic(now)
        if now >= self._next_rechoke:
            self._next_rechoke = now + RECHOKE_SECONDS
            self._rechoke(now)

    def _choose_optimistic(self, now: float) -> None:
        unchoked = frozenset(peer.id for peer in self._peers.values() if not peer.we_choke)
        self._optimistic = choose_optimistic(self._candidates(now), unchoked=unchoked, random=self._random)

    def _rechoke(self, now: float) -> None:
        chosen = choose_unchoked(self._candidates(now), optimistic=self._optimistic, slots=self._slots)
        for peer in self._peers.values():
            if peer.id in chosen and peer.we_choke:
                self._unchoke(peer)
            elif peer.id not in chosen and not peer.we_choke:
                self._choke(peer)

    def _candidates(self, now: float) -> list[Candidate]:
        seeding = self._have.complete
        return [
            Candidate(peer.id, (peer.to_them if seeding else peer.from_them).rate(now), now - peer.joined)
            for peer in self._peers.values()
            if peer.interested
        ]

    def _unchoke(self, peer: Peer) -> None:
        peer.we_choke = False
        self._do(Send(peer.id, (Unchoke(),)))

    def _choke(self, peer: Peer) -> None:
        peer.we_choke = True
        peer.serving.clear()
        self._do(Send(peer.id, (Choke(),)))
        self._do(Unserve(peer.id))
