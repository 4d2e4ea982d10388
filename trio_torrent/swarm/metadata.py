"""Getting the info dictionary from peers, any of whom may lie (BEP 9).

Nobody knows how long it is but by what peers say, and no part of it can be verified before all of it is there. So those
who name the same length fill one *draft* together. A complete draft is hashed, and read by nobody before it matches.
If it does not, whoever gave all of it lied, and is convicted. If several gave, each of them is a suspect and goes on
alone, from what it gave already, all of them at the same time: the honest ones need no longer than they would without
the liars, and the liars convict themselves. So do the others, if there is room: where there is one liar there are more,
and what they give together would be spoiled again and again.

Who does not answer costs nothing where somebody else does: once every piece of a draft is asked for, those who have
nothing to do are asked for what others owe, two for each piece after half a second, four after a second, and so on.
"""

from __future__ import annotations

import attrs

from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.wire.ut_metadata import MAX_METADATA, MetadataData, metadata_piece_size, metadata_pieces

from .events import PeerId

# Requests at one peer: at first, which is libtorrent's number, and at the most. Each piece that comes earns one more:
# some peers answer in rounds of seconds, and then it is the number that counts. Transmission 3 collects what it has to
# say for two seconds, and adds a piece of this every half second. Eight pieces are 128 KiB on their way, and few enough
# for everybody's queue (libtorrent's has 1024 places, Transmission's 64).
OUTSTANDING = 2
MOST_OUTSTANDING = 8

# For an answer, before the piece is asked of others and the peer for another. It is taken all the same when it comes,
# and not asked of the same peer again for some time.
REQUEST_SECONDS = 5.0
AGAIN_SECONDS = 3 * REQUEST_SECONDS
MOST_SILENCES = 3  # rounds of requests without an answer, after which a peer rests

# Those who refuse have not got it themselves yet, or will not give more. The rest doubles with each refusal in a row.
FIRST_REST_SECONDS = 5.0
REST_SECONDS = 60.0  # at the most; libtorrent's back-off

# How many may be asked for one piece doubles in this time.
DOUBLING_SECONDS = 0.5
MOST_DOUBLINGS = 16  # past which there is no limit

# Bytes of drafts that are being filled. Most info dictionaries have less than a hundredth of it, so a draft for each
# connected peer has room; of the largest, two.
MOST_AT_WORK = 2 * MAX_METADATA


@attrs.define(eq=False)
class _Wanted:
    """A piece that somebody was asked for."""

    since: float
    askers: set[PeerId]

    def has_room(self, now: float) -> bool:
        """One more may be asked."""
        doublings = int((now - self.since) / DOUBLING_SECONDS)
        return doublings > MOST_DOUBLINGS or len(self.askers) < 1 << doublings


@attrs.define(eq=False)
class _Draft:
    """An info dictionary that may be the right one: of each piece, it is open, wanted or here."""

    size: int
    alone: bool = False  # a suspect fills it, and nobody else
    open: set[int] = attrs.field(factory=set)
    wanted: dict[int, _Wanted] = attrs.field(factory=dict)
    pieces: dict[int, bytes] = attrs.field(factory=dict)
    givers: dict[int, PeerId] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.open = set(range(metadata_pieces(self.size))) - self.pieces.keys()

    @property
    def held(self) -> int:
        """Bytes that are here."""
        return sum(map(len, self.pieces.values()))

    @property
    def complete(self) -> bool:
        """Nothing is missing."""
        return not self.open and not self.wanted

    def ask(self, piece: int, peer: PeerId, now: float) -> None:
        """The peer is asked for it."""
        self.open.discard(piece)
        self.wanted.setdefault(piece, _Wanted(now, set())).askers.add(peer)

    def let_go(self, piece: int, peer: PeerId) -> None:
        """The peer will not give it, or not soon."""
        wanted = self.wanted.get(piece)
        if wanted is None or peer not in wanted.askers:
            return
        wanted.askers.remove(peer)
        if not wanted.askers:
            del self.wanted[piece]
            self.open.add(piece)

    def take(self, piece: int, data: bytes, peer: PeerId) -> None:
        """It is here now."""
        self.open.discard(piece)
        self.wanted.pop(piece, None)
        self.pieces[piece] = data
        self.givers[piece] = peer

    def of(self, peer: PeerId) -> _Draft:
        """What a suspect gave of it, to be completed by nobody else."""
        pieces = {piece: data for piece, data in self.pieces.items() if self.givers[piece] == peer}
        return _Draft(self.size, True, pieces=pieces, givers=dict.fromkeys(pieces, peer))

    def forget(self) -> None:
        """Give its memory back."""
        self.open |= self.pieces.keys()
        self.pieces.clear()
        self.givers.clear()


@attrs.define(eq=False)
class _Giver:
    """A peer that says it has the info dictionary."""

    peer: PeerId
    draft: _Draft
    asked: dict[int, float] = attrs.field(factory=dict)  # piece: since when
    overdue: dict[int, float] = attrs.field(factory=dict)  # piece: until when it is not asked for again
    allowed: int = OUTSTANDING  # requests at a time
    rests_until: float = 0.0
    refusals: int = 0  # in a row, as are silences
    silences: int = 0

    def is_free(self, now: float) -> bool:
        """It may be asked for something."""
        return len(self.asked) < self.allowed and now >= self.rests_until

    def choose(self, now: float) -> int | None:
        """What to ask it for."""
        shut = self.asked.keys() | self.overdue.keys()
        if fresh := self.draft.open - shut:
            return min(fresh)
        owed = self.draft.wanted.items()
        shared = [(len(wanted.askers), piece) for piece, wanted in owed if piece not in shut and wanted.has_room(now)]
        return min(shared)[1] if shared else None


class MetadataFetch:
    """Decides which piece to ask of whom; `info` is the result. `due` says what to ask for now."""

    def __init__(self, info_hashes: InfoHashes) -> None:
        self._info_hashes = info_hashes
        self._givers: dict[PeerId, _Giver] = {}
        self._drafts: list[_Draft] = []
        self._spoiled: set[int] = set()  # sizes of drafts that were wrong: as many as there were liars
        self.info: bytes | None = None
        self.received: int = 0  # bytes of pieces, good or bad

    def __repr__(self) -> str:
        return f"<MetadataFetch {len(self._drafts)} drafts, {len(self._givers)} givers>"

    @property
    def givers(self) -> int:
        """How many connected peers say that they have it."""
        return len(self._givers)

    @property
    def held(self) -> int:
        """Bytes of pieces that are kept."""
        return sum(draft.held for draft in self._drafts)

    # -- what peers say ----------------------------------------------------------------------------------------------

    def offered(self, peer: PeerId, size: int) -> None:
        """The peer has an info dictionary of so many bytes. What it says of the size later does not count."""
        if peer not in self._givers and 0 < size <= MAX_METADATA:
            self._givers[peer] = _Giver(peer, self._draft_of(size))

    def _draft_of(self, size: int) -> _Draft:
        """The one that all fill together who are not suspects, or one for a newcomer alone."""
        alone = size in self._spoiled and sum(draft.size for draft in self._drafts) + size <= MOST_AT_WORK
        for draft in self._drafts:
            if draft.size == size and not draft.alone and not alone:
                return draft
        self._drafts.append(_Draft(size, alone))
        return self._drafts[-1]

    def came(self, peer: PeerId, message: MetadataData) -> frozenset[PeerId]:
        """A piece has come: who is convicted by it, of a wrong size or of wrong content."""
        giver, piece = self._givers.get(peer), message.piece
        if giver is None or not (piece in giver.asked or piece in giver.overdue):
            return frozenset()
        draft = giver.draft
        giver.asked.pop(piece, None)
        giver.overdue.pop(piece, None)
        if message.total_size != draft.size or len(message.data) != metadata_piece_size(draft.size, piece):
            draft.let_go(piece, peer)
            return frozenset([peer])
        giver.refusals = giver.silences = 0
        giver.allowed = min(MOST_OUTSTANDING, giver.allowed + 1)
        self.received += len(message.data)
        if piece not in draft.pieces:  # else another was quicker
            draft.take(piece, bytes(message.data), peer)
        return self._judge(draft) if draft.complete else frozenset()

    def refused(self, peer: PeerId, piece: int, now: float) -> None:
        """The peer will not give the piece."""
        giver = self._givers.get(peer)
        if giver is None or piece not in giver.asked:
            return
        self._lose(giver, piece)
        giver.rests_until = now + min(REST_SECONDS, FIRST_REST_SECONDS * 2.0**giver.refusals)
        giver.refusals += 1
        giver.allowed = OUTSTANDING

    def left(self, peer: PeerId) -> None:
        """The peer is gone."""
        if (giver := self._givers.pop(peer, None)) is not None:
            for piece in list(giver.asked):
                self._lose(giver, piece)
            if all(other.draft is not giver.draft for other in self._givers.values()):
                self._drafts.remove(giver.draft)
            self._spoiled &= {draft.size for draft in self._drafts}

    def _lose(self, giver: _Giver, piece: int) -> None:
        del giver.asked[piece]
        giver.draft.let_go(piece, giver.peer)

    # -- whether it is right -----------------------------------------------------------------------------------------

    def _judge(self, draft: _Draft) -> frozenset[PeerId]:
        whole = b"".join([draft.pieces[piece] for piece in range(metadata_pieces(draft.size))])
        givers = frozenset(draft.givers.values())
        if self._info_hashes.matches(whole):
            self.info = whole
            self._drafts, self._givers = [], {}
            return frozenset()
        self._drafts.remove(draft)
        self._spoiled.add(draft.size)
        for giver in self._givers.values():
            if giver.draft is draft:
                giver.draft = self._after(draft, giver, is_suspect=giver.peer in givers)
        return givers if len(givers) == 1 else frozenset()

    def _after(self, draft: _Draft, giver: _Giver, *, is_suspect: bool) -> _Draft:
        """What a giver of a wrong draft fills from now on."""
        if not is_suspect:
            return self._draft_of(draft.size)
        self._drafts.append(draft.of(giver.peer))
        return self._drafts[-1]

    # -- whom to ask -------------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[tuple[PeerId, int]]:
        """The peers to be asked now, and for which piece; they count as asked."""
        for giver in self._givers.values():
            self._expire(giver, now)
        at_work = self._at_work(now)
        requests = []
        for giver in self._givers.values():
            while giver.draft in at_work and giver.is_free(now) and (piece := giver.choose(now)) is not None:
                giver.asked[piece] = now
                giver.draft.ask(piece, giver.peer, now)
                requests.append((giver.peer, piece))
        return requests

    def _expire(self, giver: _Giver, now: float) -> None:
        late = [piece for piece, since in giver.asked.items() if now - since > REQUEST_SECONDS]
        for piece in late:
            self._lose(giver, piece)
            giver.overdue[piece] = now + AGAIN_SECONDS
        if late:
            giver.silences += 1
            giver.allowed = OUTSTANDING
        if giver.silences >= MOST_SILENCES:
            giver.silences, giver.rests_until = 0, now + REST_SECONDS
        for piece in [piece for piece, until in giver.overdue.items() if now >= until]:
            del giver.overdue[piece]

    def _at_work(self, now: float) -> list[_Draft]:
        """The drafts that there is room for: those of the living first, and then the small ones."""
        living = {id(giver.draft) for giver in self._givers.values() if now >= giver.rests_until}
        at_work: list[_Draft] = []
        room = MOST_AT_WORK
        for draft in sorted(self._drafts, key=lambda draft: (id(draft) not in living, draft.size)):
            room -= draft.size
            if room >= 0:
                at_work.append(draft)
            elif draft.pieces and self.held > MOST_AT_WORK:
                draft.forget()
        return at_work
