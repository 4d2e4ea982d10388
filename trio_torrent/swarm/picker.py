"""Which blocks to ask for next.

Things to consider when choosing; look at them again when changing anything here:

1. Finish what is begun: a piece counts, is written and can be served only when its last block has come.
2. Begin the rarest piece: it is the first to be lost when its owners leave, and the best to have for trade.
3. Hold few bytes that are not written: pieces in flight and pieces being verified share one budget.
4. At the end, when every block has been asked of someone, ask others too, so that the slowest peer does not decide.
5. A piece that came out wrong is fetched again from one peer alone, so that it is known who lied.

A piece is in exactly one state: waiting (in `availability`), in flight (in `_partials`), verifying, or had. A block of
a piece in flight is in exactly one: missing, asked of at least one peer, or arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.wire.messages import Request

from .availability import Availability
from .events import PeerId

# Bytes in flight and being verified, at most: what a torrent may hold in memory (but always two pieces).
PIECE_BUDGET = 64 << 20

# Bytes being verified, after which no further piece is begun: more does not make the disk faster, it makes the
# buffers many and cold (measured: without this, 20 % more CPU and five times the memory).
UNWRITTEN_BUDGET = 8 << 20

# At the end, one block is asked of no more peers than this at once; the third copy rarely comes first.
MOST_ASKERS = 3


@attrs.define(eq=False)
class Partial:
    """A piece in flight."""

    piece: int
    size: int
    missing: list[int]  # offsets to ask for, the next one last
    asked: dict[int, int] = attrs.field(factory=dict)  # offset: of how many peers
    givers: dict[int, Address] = attrs.field(factory=dict)  # offset: who sent it; the blocks that have arrived
    only: PeerId | None = None  # fetched from this peer alone

    def block_length(self, offset: int) -> int:
        """Bytes of the block at `offset`."""
        return min(BLOCK_SIZE, self.size - offset)


def _offsets(size: int) -> list[int]:
    """Every block of a piece, the first one last."""
    return list(range(0, size, BLOCK_SIZE))[::-1]


class Picker:
    """Knows the state of every piece and block; `have` is shared with the scheduler and changed here alone."""

    def __init__(self, geometry: Geometry, have: Bitfield, random: Random) -> None:
        self._geometry = geometry
        self.have = have
        self.availability = Availability(geometry.pieces, (p for p in range(geometry.pieces) if p not in have), random)
        self._partials: dict[int, Partial] = {}
        self._open: dict[int, Partial] = {}  # those with missing blocks, the oldest first
        self._verifying: dict[int, Partial] = {}
        self._in_flight = 0  # bytes
        self._unwritten = 0  # bytes
        self._suspect: set[int] = set()  # pieces that came out wrong

    def __repr__(self) -> str:
        return (
            f"<Picker {self.have.count}/{self.have.size} had, {len(self._verifying)} verifying, "
            f"{len(self._partials)} in flight, {len(self.availability)} waiting>"
        )

    # -- asking ------------------------------------------------------------------------------------------------------

    def pick(self, peer: PeerId, pieces: Bitfield, room: int) -> list[Request]:
        """Up to `room` missing blocks that a peer with these pieces can give; they count as asked of it."""
        picked: list[Request] = []
        for partial in [partial for partial in self._open.values() if partial.piece in pieces]:
            if len(picked) >= room:
                return picked
            if partial.only is None or partial.only == peer:
                self._take(partial, room, picked)
        while len(picked) < room and self._may_begin():
            piece = self.availability.rarest(pieces)
            if piece is None:
                break
            self._take(self._begin(piece, peer), room, picked)
        return picked

    def pick_again(self, pieces: Bitfield, room: int, asked: Iterable[tuple[int, int]]) -> list[Request]:
        """Up to `room` blocks that others were asked for already: the endgame. None before it."""
        if self._open or len(self.availability):
            return []
        mine = set(asked)
        again = [
            (askers, partial, offset)
            for partial in self._partials.values()
            if partial.only is None and partial.piece in pieces
            for offset, askers in partial.asked.items()
            if askers < MOST_ASKERS and (partial.piece, offset) not in mine
        ]
        again.reverse()  # what was asked for last would come last
        again.sort(key=lambda choice: choice[0])
        for _, partial, offset in again[:room]:
            partial.asked[offset] += 1
        return [Request(partial.piece, offset, partial.block_length(offset)) for _, partial, offset in again[:room]]

    @property
    def is_full(self) -> bool:
        """There is nothing to ask of anybody until pieces are written, although some wait."""
        return not self._open and bool(len(self.availability)) and not self._may_begin()

    def _may_begin(self) -> bool:
        if self._unwritten >= UNWRITTEN_BUDGET and len(self._verifying) >= 2:
            return False
        piece = self._geometry.piece_length
        return self._in_flight + self._unwritten + piece <= max(PIECE_BUDGET, 2 * piece)

    def _begin(self, piece: int, peer: PeerId) -> Partial:
        self.availability.take(piece)
        size = self._geometry.piece_size(piece)
        partial = Partial(piece, size, _offsets(size), only=peer if piece in self._suspect else None)
        self._partials[piece] = self._open[piece] = partial
        self._in_flight += size
        return partial

    def _take(self, partial: Partial, room: int, picked: list[Request]) -> None:
        missing, asked, piece, last = partial.missing, partial.asked, partial.piece, partial.size - BLOCK_SIZE
        while missing and len(picked) < room:
            offset = missing.pop()
            asked[offset] = 1
            picked.append(Request(piece, offset, BLOCK_SIZE if offset <= last else partial.size - offset))
        if not missing:
            del self._open[piece]

    # -- what became of it -------------------------------------------------------------------------------------------

    def arrived(self, giver: Address, piece: int, offset: int) -> tuple[int, bool]:
        """A block that was asked for has come: of how many others it was asked, and if the piece is whole.

        A whole piece is verifying from here on.
        """
        partial = self._partials[piece]
        askers = partial.asked.pop(offset)
        partial.givers[offset] = giver
        if partial.asked or partial.missing:
            return askers - 1, False
        del self._partials[piece]
        self._verifying[piece] = partial
        self._in_flight -= partial.size
        self._unwritten += partial.size
        return askers - 1, True

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
        partial.asked[offset] -= 1
        if not partial.asked[offset]:
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

    def _restart(self, partial: Partial) -> None:
        """A suspect piece lost its only giver: what came of it cannot be mixed with another's."""
        del self._partials[partial.piece]
        self._open.pop(partial.piece, None)
        self._in_flight -= partial.size
        self.availability.put(partial.piece)

    def verified(self, piece: int) -> Partial:
        """The piece is had."""
        partial = self._verifying.pop(piece)
        self._unwritten -= partial.size
        self._suspect.discard(piece)
        self.have.add(piece)
        return partial

    def failed(self, piece: int) -> Partial:
        """The piece was wrong; it waits again, for one giver."""
        partial = self._verifying.pop(piece)
        self._unwritten -= partial.size
        self._suspect.add(piece)
        self.availability.put(piece)
        return partial

    # -- questions ---------------------------------------------------------------------------------------------------

    def exclusive(self, piece: int) -> bool:
        """The piece is being fetched from one peer alone."""
        partial = self._partials.get(piece)
        return partial is not None and partial.only is not None

    def is_suspect(self, piece: int) -> bool:
        """The piece came out wrong before."""
        return piece in self._suspect

    @property
    def partials(self) -> Iterable[Partial]:
        """The pieces in flight."""
        return self._partials.values()

    @property
    def verifying(self) -> frozenset[int]:
        """The pieces that the disk has."""
        return frozenset(self._verifying)
