"""Which blocks to ask for next.

Things to consider when choosing; look at them again when changing anything here:

1. What somebody is waiting to read comes first, by its deadline, from all who can give it (`urgent`); and what is late
   is asked of several. It is fetched although nobody else wants it, as long as it is waited for (`demand`).
2. The rarest piece of the highest priority: it is the first to be lost when its owners leave, and the best to have for
   trade. Or, where the order matters to the user (`sequential`), the first.
3. Of pieces equally rare, finish what is begun: a piece counts, is written and can be served only when its last block
   has come. But a seed is not asked to finish what others could give: with one seed and 20 leechers that came to 1.6
   copies sent by the seed before everyone had everything, against 1.2.
4. The very first pieces are common ones, which come quickly: with nothing to give, nobody gives to us.
5. What a peer finds easy to give (it said so, or it gives runs).
6. Hold few bytes that are not written (`budget`).
7. At the end, when every block has been asked of someone, ask others too, so that the slowest peer does not decide;
   and likewise when slow peers hold up so many pieces that no other may be begun.
8. A piece that came out wrong is fetched again from one peer alone, so that it is known who lied.

A piece that is wanted is in exactly one state: waiting (in `availability`), in flight (in `_partials`), verifying, or
had; or it is held back, as long as nobody could tell whether it is right. A block of a piece in flight is in exactly
one: missing, asked of at least one peer, or arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from random import Random

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire.messages import Request

from .availability import WORST_RANK, Availability
from .budget import Budget
from .copies import Copies, Helper
from .demand import Demand
from .events import PeerId
from .partial import Partial
from .urgent import ANYONE, Giver, Urgent

# Pieces that are chosen for being common, before the rarest are (libtorrent's `initial_picker_threshold`).
COMMON_FIRST = 4

# Pieces that a reader waits for may be begun although this many are in flight more than the budget has room for.
URGENT_PIECES = 2

# Blocks of a piece that is so old are asked of a second peer, when pieces in flight leave no room for another.
HELD_UP_SECONDS = 2.0
MOST_LATE = 4  # pieces that are looked at for this in one turn, the oldest or most urgent ones

# Where there are laggards, others help with what a reader needs so soon after it would be late.
LEAD_SECONDS = 2.0


class Picker:
    """Knows the state of every piece and block; `have` is shared with the scheduler, and changed by `demand` alone."""

    def __init__(self, geometry: Geometry, have: Bitfield, random: Random) -> None:
        self._geometry = geometry
        self.have = have
        self.demand: Demand = Demand(have, random, self._is_idle)
        self.lacking: Bitfield = self.demand.lacking
        self.availability: Availability = self.demand.availability
        self.urgent: Urgent = self.demand.urgent
        self.sequential = False
        self._partials: dict[int, Partial] = {}
        self._open: dict[int, Partial] = {}  # those with missing blocks, the oldest first
        self._verifying: dict[int, Partial] = {}
        self._budget = Budget(geometry.piece_length)
        self._suspect: set[int] = set()  # pieces that came out wrong
        self.has_laggards = False  # among those who give; the caller's to say
        self._copies = Copies(self._partials)

    def __repr__(self) -> str:
        return (
            f"<Picker {self.have.count}/{self.have.size} had, {len(self._verifying)} verifying, "
            f"{len(self._partials)} in flight, {len(self.availability)} waiting>"
        )

    # -- asking ------------------------------------------------------------------------------------------------------

    def pick(
        self,
        peer: PeerId,
        pieces: Bitfield,
        room: int,
        now: float,
        *,
        hints: Iterable[int] = (),
        giver: Giver = ANYONE,
    ) -> list[Request]:
        """Up to `room` missing blocks that a peer with these pieces can give; they count as asked of it.

        `hints` are pieces that are easy for the peer to give.
        """
        picked: list[Request] = []
        if self.urgent:
            self._pick_urgent(peer, pieces, room, now, picked, giver)
        elif self.is_full:
            return picked
        while len(picked) < room:
            fresh = self._next(pieces, hints) if self._budget.admits() else None
            for partial in self._useful(peer, pieces, room - len(picked), fresh):
                self._take(peer, partial, room, picked)
            if fresh is None or len(picked) >= room:
                break
            self._take(peer, self._begin(fresh, peer, now), room, picked)
        return picked

    def _pick_urgent(
        self, peer: PeerId, pieces: Bitfield, room: int, now: float, picked: list[Request], giver: Giver
    ) -> None:
        for piece in self.urgent:
            if len(picked) >= room:
                return
            if piece not in pieces or not self.is_missing(piece):
                continue
            most = self.urgent.most(piece, self._geometry.block_count(piece), giver, now)
            partial = self._open.get(piece)
            if partial is None and most and self._budget.admits(URGENT_PIECES):
                partial = self._begin(piece, peer, now)
            if partial is not None and partial.only in (None, peer):
                self._take(peer, partial, min(room, len(picked) + (most if partial.only is None else room)), picked)

    def _useful(self, peer: PeerId, pieces: Bitfield, room: int, fresh: int | None) -> list[Partial]:
        """Pieces that are begun and no worse than the one that could be, with so many blocks that the peer can give."""
        rank = self.availability.rank
        worst = WORST_RANK if fresh is None or self._in_order else rank(fresh)
        useful: list[Partial] = []
        for partial in self._open.values():
            if room <= 0:
                break
            if fresh is not None and partial.piece in self.urgent:
                continue  # the peer has had its share
            if partial.piece in pieces and partial.only in (None, peer) and rank(partial.piece) <= worst:
                useful.append(partial)
                room -= len(partial.missing)
        return useful

    @property
    def _in_order(self) -> bool:
        """It does not matter how rare a piece is."""
        return self.sequential or self.have.count < COMMON_FIRST

    def _next(self, pieces: Bitfield, hints: Iterable[int]) -> int | None:
        if self.sequential:
            return self.availability.first(pieces)
        common = self.have.count < COMMON_FIRST
        best = self.availability.commonest(pieces) if common else self.availability.rarest(pieces)
        if best is not None:
            least = self.availability.priority(best)
            for piece in hints:
                if self.availability.waits(piece) and piece in pieces and self.availability.priority(piece) >= least:
                    return piece
        return best

    def _begin(self, piece: int, peer: PeerId, now: float) -> Partial:
        self.availability.take(piece)
        only = peer if piece in self._suspect else None
        size, content = self._geometry.piece_size(piece), self._geometry.content_size(piece)
        partial = Partial.begin(piece, size, now, content=content, only=only)
        self._partials[piece] = self._open[piece] = partial
        self._budget.began(partial.size)
        return partial

    def _take(self, peer: PeerId, partial: Partial, room: int, picked: list[Request]) -> None:
        partial.take(peer, room, picked)
        if not partial.missing:
            del self._open[partial.piece]

    def pick_again(self, helper: Callable[[], Helper], room: int, now: float) -> list[Request]:
        """Up to `room` blocks that others were asked for already, and that the helper would bring sooner.

        None as long as there is something else to ask for, but for what is late for a reader, or what holds up too
        much.
        """
        if self.is_endgame:
            return self._copies.pick(helper(), room)
        self._copies.redraw()
        late = self.late(now)
        if self.is_held_up and not self._open:
            oldest = islice(self._partials.values(), MOST_LATE)
            late += [partial.piece for partial in oldest if now - partial.begun > HELD_UP_SECONDS]
        return self._copies.pick_from(late, helper(), room) if late else []

    def late(self, now: float) -> list[int]:
        """The first pieces that are late for a reader, or will be if laggards are to bring them."""
        return self.urgent.late(now + LEAD_SECONDS if self.has_laggards else now)[:MOST_LATE]

    @property
    def is_endgame(self) -> bool:
        """Every block that is wanted has been asked of somebody."""
        return not self._open and not len(self.availability)

    @property
    def is_full(self) -> bool:
        """There is nothing new to ask of anybody until pieces are written, although some wait."""
        return not self._open and bool(len(self.availability)) and not self._budget.admits()

    @property
    def is_held_up(self) -> bool:
        """Too many pieces are in flight for another; they wait for peers, not for the disk."""
        return not self._budget.admits() and not self._budget.waits_for_disk

    # -- what became of it -------------------------------------------------------------------------------------------

    def arrived(
        self, peer: PeerId, giver: Address, piece: int, offsets: Sequence[int]
    ) -> tuple[Sequence[tuple[int, Sequence[PeerId]]], bool]:
        """Blocks of a piece that were asked of a peer have come: which of them were asked of whom else, and if the
        piece is whole. A whole piece is verifying from here on.
        """
        partial = self._partials[piece]
        partial.arrived(offsets, giver)
        copies = self._copies.settle(peer, piece, offsets) if self._copies else ()
        if partial.asked or partial.missing:
            return copies, False
        del self._partials[piece]
        self._verifying[piece] = partial
        self._budget.whole(partial.size)
        return copies, True

    def claim(self, peer: PeerId, piece: int, offset: int) -> bool:
        """A peer brings a block that it is not asked for any more: it counts as asked again, if nobody else is and it
        may come from anybody.
        """
        partial = self._open.get(piece)
        if partial is None or partial.only is not None or offset not in partial.missing:
            return False
        partial.missing.remove(offset)
        partial.asked[offset] = peer
        if not partial.missing:
            del self._open[piece]
        return True

    def release(self, peer: PeerId, piece: int, offset: int) -> bool:
        """A peer will not send what it was asked for; whether the piece is given up with it.

        Of a piece that is fetched from one peer alone (`exclusive`), it must be all that was asked of the peer.
        """
        partial = self._partials.get(piece)
        if partial is None or offset not in partial.asked:
            return False
        if partial.only == peer:
            self._restart(partial)
            return True
        if self._copies and (other := self._copies.leave(peer, piece, offset)) is not None:
            partial.asked[offset] = other
            return False
        del partial.asked[offset]
        partial.missing.append(offset)
        self._open.setdefault(piece, partial)
        return False

    def abandon(self, peer: PeerId) -> list[int]:
        """The peer gives nothing for now: the pieces that were to come from it alone wait again, for anybody."""
        alone = [partial for partial in self._partials.values() if partial.only == peer]
        for partial in alone:
            self._restart(partial)
        return [partial.piece for partial in alone]

    def give_up(self, piece: int) -> None:
        """Forget what came of a piece in flight, of which nothing is asked any more."""
        self._restart(self._partials[piece])

    def _restart(self, partial: Partial) -> None:
        """What came of the piece is of no use: it waits again, if it is wanted."""
        del self._partials[partial.piece]
        self._open.pop(partial.piece, None)
        self._budget.gave_up(partial.size)
        self.demand.put(partial.piece)

    def verified(self, piece: int) -> Partial:
        """The piece is had."""
        partial = self._verifying.pop(piece)
        self._budget.settled(partial.size)
        self._suspect.discard(piece)
        self.demand.meet(piece)
        return partial

    def failed(self, piece: int) -> Partial:
        """The piece was wrong; it waits again, for one giver."""
        partial = self._verifying.pop(piece)
        self._budget.settled(partial.size)
        self._suspect.add(piece)
        self.demand.put(piece)
        return partial

    def acquit(self, piece: int) -> None:
        """Whoever made the piece wrong is known: it may come from anybody."""
        self._suspect.discard(piece)

    # -- questions ---------------------------------------------------------------------------------------------------

    def is_missing(self, piece: int) -> bool:
        """Some block of the piece is wanted and was not asked of anybody."""
        return piece in self._open or self.availability.waits(piece)

    def in_the_way(self) -> list[int]:
        """The pieces in flight to give up where there is no memory for what a reader waits for: those of which nothing
        was asked or has come, or else the one of which the least has.
        """
        others = [partial for partial in self._partials.values() if partial.piece not in self.urgent]
        if not others or self._budget.has_room(URGENT_PIECES):
            return []
        bare = [partial.piece for partial in others if not (partial.asked or partial.givers)]
        return bare or [min(others, key=lambda partial: len(partial.givers)).piece]

    def _is_idle(self, piece: int) -> bool:
        return piece not in self._partials and piece not in self._verifying

    def is_in_flight(self, piece: int) -> bool:
        """Blocks of the piece are asked for, or have come."""
        return piece in self._partials

    def alone(self) -> list[tuple[Partial, PeerId]]:
        """The pieces that come from one peer alone, and from which."""
        return [(partial, partial.only) for partial in self._partials.values() if partial.only is not None]

    def exclusive(self, piece: int) -> bool:
        """The piece is being fetched from one peer alone."""
        partial = self._partials.get(piece)
        return partial is not None and partial.only is not None

    def is_suspect(self, piece: int) -> bool:
        """The piece came out wrong before."""
        return piece in self._suspect

    def askers(self, piece: int, offset: int) -> Sequence[PeerId]:
        """Of whom a block in flight was asked and has not come."""
        return self._copies.askers(piece, offset)

    @property
    def partials(self) -> Iterable[Partial]:
        """The pieces in flight."""
        return self._partials.values()

    @property
    def verifying(self) -> frozenset[int]:
        """The pieces that the disk has."""
        return frozenset(self._verifying)
