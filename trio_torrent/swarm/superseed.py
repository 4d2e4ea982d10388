"""Seeding what nobody else has yet, with each piece sent about once (BEP 16).

An ordinary seed says that it has everything, and peers take what they like: until each piece is out there, it may send
some of them many times. Here we seem to have nothing, and tell each peer of two pieces that we tell nobody else of. It
is told of another when one of its two was seen at somebody else: so a piece is passed on before we send more, and those
who pass on the fastest get the most. BEP 16 has one piece at a time; with two, one is fetched while the other is passed
on (libtorrent's number, too), and our link is not idle meanwhile.

That nobody gets more before it has passed on the last makes a crowd faster (in simulated ones by a twentieth, and by a
fifth if a third of them give nothing), but who cannot reach the others must not starve. So we wait a little only, and
not at all if there are so few peers that each has a slot.

Many clients do not say that they have a piece to those who have it, so we count what we send, too.

It is over when every piece has been seen at two peers; then they learn of all the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TypeAlias

import attrs

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry

from .events import PeerId

OFFERS = 2
ENOUGH = 2  # peers at which a piece was seen: if one of them leaves, the piece does not

# How long a piece may take to be seen at somebody else once a peer has it: in three rounds of choking, whoever
# serves at all has tried somebody new.
PASSING_SECONDS = 30.0

# How long a peer may take to fetch a piece: it may not want it, or have no slot of ours. That is six turns of a seed.
PATIENCE_SECONDS = 120.0

# When it is over, peers learn of the other pieces by this many `have`s a second: it is too late for a bitfield, and an
# outbox has no room for 100,000 messages at once.
HAVES_AT_ONCE = 1000

Telling: TypeAlias = Mapping[PeerId, Sequence[int]]
"""Who is to be told that we have which pieces."""


@attrs.define(eq=False)
class _Record:
    """What a peer has, and what it was told."""

    pieces: Bitfield
    told: Bitfield
    since: float  # when it was last told of something, or would have been
    offers: dict[int, float] = attrs.field(factory=dict)  # its own pieces, and since when it knows of them or has them
    unsent: dict[int, int] = attrs.field(factory=dict)  # bytes of them that we have not sent
    hoped: set[int] = attrs.field(factory=set)  # told of, and not had yet


class Superseed:
    """Decides what each peer is told of."""

    def __init__(self, geometry: Geometry, *, slots: int, random: Random) -> None:
        self._geometry = geometry
        self._slots = slots
        pieces = geometry.pieces
        self._everything = Bitfield.full(pieces)
        self._records: dict[PeerId, _Record] = {}
        self._owners: dict[int, set[PeerId]] = {}  # by piece: whose offer it is
        self._seen = [0] * pieces  # peers that have it
        self._short = pieces  # pieces that were seen at fewer peers than is enough
        self._known = [0] * pieces  # peers that have it, or may be about to
        order = random.sample(range(pieces), pieces)
        self._pools: tuple[dict[int, None], ...] = (dict.fromkeys(order), {})  # known to none; known to one
        self.over: bool = not pieces
        """The swarm has everything: we can be a seed like others. It stays so, whoever leaves."""

    def shows(self, peer: PeerId, piece: int) -> bool:
        """Whether the peer was told of the piece."""
        record = self._records.get(peer)
        return record is None or piece in record.told

    # -- peers come, gain pieces, go ---------------------------------------------------------------------------------

    def joined(self, peer: PeerId, now: float) -> Telling:
        """A peer is here, and may have anything. When it is over already, it learns of everything elsewhere."""
        size = self._everything.size
        if not self.over:
            self._records[peer] = _Record(Bitfield(size), Bitfield(size), now)
        return self._offer_all(self._records.keys() & {peer}, now)

    def opened(self, peer: PeerId, pieces: Bitfield, now: float) -> Telling:
        """A peer has these pieces, all told."""
        record = self._records.get(peer)
        return {} if record is None else self._gained(peer, record, pieces - record.pieces, now)

    def gained(self, peer: PeerId, piece: int, now: float) -> Telling:
        """A peer has this piece now, too."""
        record = self._records.get(peer)
        return {} if record is None else self._gained(peer, record, (piece,), now)

    def sent(self, peer: PeerId, piece: int, size: int, now: float) -> Telling:
        """So many bytes of the piece are on their way to a peer: if that is all of it, the peer has it."""
        record = self._records.get(peer)
        if record is None or piece not in record.unsent:
            return {}
        record.unsent[piece] -= size
        return {} if record.unsent[piece] > 0 else self._gained(peer, record, (piece,), now)

    def _gained(self, peer: PeerId, record: _Record, pieces: Iterable[int], now: float) -> Telling:
        """Whoever passed one of them on is told of another."""
        served: dict[PeerId, None] = {}
        for piece in pieces:
            if record.pieces.add(piece):
                self._see(record, piece)
                record.unsent.pop(piece, None)
                if piece in record.offers:
                    record.offers[piece] = now
                served.update(dict.fromkeys(self._passed_on(peer, piece)))
        return {} if self.over else self._offer_all(served, now)

    def _see(self, record: _Record, piece: int) -> None:
        self._seen[piece] += 1
        self._short -= self._seen[piece] == ENOUGH
        self.over = self.over or not self._short
        if piece in record.hoped:
            record.hoped.remove(piece)
        else:
            self._know(piece, 1)

    def _passed_on(self, peer: PeerId, piece: int) -> list[PeerId]:
        """Whose offer has come to its end, now that the peer has the piece."""
        owners = self._owners.get(piece, ())
        no_wait = self._seen[piece] >= ENOUGH or len(self._records) <= self._slots
        ended = [owner for owner in owners if no_wait or owner != peer]
        for owner in ended:
            self._end(owner, piece)
        return ended

    def left(self, peer: PeerId) -> None:
        """A peer is gone, and what it alone had is lost; but one that is complete goes on without us."""
        record = self._records.pop(peer, None)
        if record is None:
            return
        for piece in record.offers:
            self._disown(peer, piece)
        for piece in record.hoped:
            self._know(piece, -1)
        if not record.pieces.complete:
            for piece in record.pieces:
                self._short += self._seen[piece] == ENOUGH
                self._seen[piece] -= 1
                self._know(piece, -1)

    # -- offers ------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> Telling:
        """What has taken too long is offered to others; those who have room for an offer get one."""
        if self.over:
            return {peer: pieces for peer, record in self._records.items() if (pieces := self._reveal(record))}
        for peer, record in self._records.items():
            self._lose_patience(peer, record, now)
        return self._offer_all(self._records, now)

    def _lose_patience(self, peer: PeerId, record: _Record, now: float) -> None:
        for piece, since in list(record.offers.items()):
            if now - since < (PASSING_SECONDS if piece in record.pieces else PATIENCE_SECONDS):
                continue
            self._end(peer, piece)
            if piece in record.hoped:
                record.hoped.remove(piece)
                self._know(piece, -1)

    def _offer_all(self, peers: Iterable[PeerId], now: float) -> Telling:
        return {peer: pieces for peer in peers if (pieces := self._offer(peer, self._records[peer], now))}

    def _offer(self, peer: PeerId, record: _Record, now: float) -> list[int]:
        offered = []
        while len(record.offers) < OFFERS and (piece := self._next_for(record, now)) is not None:
            record.offers[piece] = record.since = now
            record.unsent[piece] = self._geometry.piece_size(piece)
            record.told.add(piece)
            record.hoped.add(piece)
            self._owners.setdefault(piece, set()).add(peer)
            self._know(piece, 1)
            offered.append(piece)
        return offered

    def _next_for(self, record: _Record, now: float) -> int | None:
        """What the fewest know of; or anything, if those who know of the rest have passed on none of it for so long."""
        for pool in self._pools:
            for piece in pool:
                if piece not in record.told and piece not in record.pieces:
                    return piece
        if now - record.since < PATIENCE_SECONDS:
            return None
        record.since = now
        return next(iter(self._everything - record.told - record.pieces), None)

    def _end(self, peer: PeerId, piece: int) -> None:
        del self._records[peer].offers[piece]
        self._disown(peer, piece)

    def _disown(self, peer: PeerId, piece: int) -> None:
        owners = self._owners[piece]
        owners.remove(peer)
        if not owners:
            del self._owners[piece]

    def _know(self, piece: int, more: int) -> None:
        """So many more peers know of the piece."""
        known = self._known[piece]
        self._known[piece] = known + more
        for pool, count in zip(self._pools, (0, 1), strict=True):
            if count == known:
                del pool[piece]
            if count == known + more:
                pool[piece] = None

    def _reveal(self, record: _Record) -> list[int]:
        """The next of all that the peer does not know of yet."""
        rest = iter(self._everything - record.told - record.pieces)
        pieces = [piece for piece, _ in zip(rest, range(HAVES_AT_ONCE), strict=False)]
        for piece in pieces:
            record.told.add(piece)
        return pieces
