"""Blocks that are asked of several peers at once, and which blocks to treat so next: the endgame.

What is left at the end of a download is asked of whoever would bring it sooner than those who were asked, and the first
copy settles it. Sooner is what counts: ten slow peers that ask each other's blocks only throw bytes away, and keep the
fast one out.

The blocks stand in a line, each of them once; a peer is given what it can from the head of it, so the cost of a turn
does not grow with what is outstanding. A line that has run out is drawn up anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from trio_torrent.bitfield import Bitfield
from trio_torrent.wire.messages import Request

from .events import PeerId
from .partial import Partial

# One block is asked of so many peers at once, and of more only if they would be much sooner: a third copy rarely comes
# first.
MOST_ASKERS = 3

# To be asked, too, a peer must be expected to bring the block in this part of the time that it takes the others; and in
# that part, when the block is asked of many already.
SOONER = 1 / 1.5
MUCH_SOONER = 1 / 4

# Blocks of the line that are looked at in one turn.
MOST_CONSIDERED = 64

_Key = tuple[int, int]  # piece, offset
_Line = OrderedDict[_Key, None]


@attrs.frozen
class Helper:
    """A peer that has time, and the narrow questions about it and the others."""

    peer: PeerId
    pieces: Bitfield
    seconds: float  # until one more block would have come from it
    seconds_of: Callable[[PeerId], float]  # until all has come that was asked of another


class Copies:
    """Of whom each block in flight was asked, where that is more than one peer."""

    def __init__(self, partials: Mapping[int, Partial]) -> None:
        self._partials = partials
        self._several: dict[_Key, list[PeerId]] = {}
        self._line: _Line = OrderedDict()

    def __len__(self) -> int:
        """How many blocks are asked of several peers."""
        return len(self._several)

    # -- whom to ask, too --------------------------------------------------------------------------------------------

    def pick(self, helper: Helper, room: int) -> list[Request]:
        """Up to `room` blocks, of all in flight, that were asked of others; they count as asked of the helper, too."""
        if not self._line:
            late_first = self._drawn_up(self._partials.values())[::-1]  # asked for last, they would come last
            self._line = OrderedDict.fromkeys(late_first)
        return self._from(self._line, helper, room)

    def redraw(self) -> None:
        """There is something else to ask for: what is in flight at the end may be something else, too."""
        self._line.clear()

    def pick_from(self, pieces: Iterable[int], helper: Helper, room: int) -> list[Request]:
        """The same from these pieces only, in their order."""
        partials = [self._partials[piece] for piece in pieces if piece in self._partials]
        return self._from(OrderedDict.fromkeys(self._drawn_up(partials)), helper, room)

    def _drawn_up(self, partials: Iterable[Partial]) -> list[_Key]:
        return [(partial.piece, offset) for partial in partials if partial.only is None for offset in partial.asked]

    def _from(self, line: _Line, helper: Helper, room: int) -> list[Request]:
        again: list[Request] = []
        for _ in range(min(len(line), MOST_CONSIDERED)):
            if len(again) >= room:
                break
            key, _ = line.popitem(last=False)
            askers = self._rivals(key)
            if not askers:
                continue  # it has come
            if not self._is_of_use(helper, key, askers):
                line[key] = None
                continue
            self._several[key] = [*askers, helper.peer]
            again.append(self._partials[key[0]].request(key[1]))
        return again

    def _is_of_use(self, helper: Helper, key: _Key, askers: Sequence[PeerId]) -> bool:
        if helper.peer in askers or key[0] not in helper.pieces:
            return False
        margin = SOONER if len(askers) < MOST_ASKERS else MUCH_SOONER
        return helper.seconds < margin * min(map(helper.seconds_of, askers))

    def _rivals(self, key: _Key) -> Sequence[PeerId]:
        """Of whom the block was asked; nobody if it has arrived, or is to come from one peer alone."""
        partial = self._partials.get(key[0])
        return self.askers(*key) if partial is not None and partial.only is None else ()

    def askers(self, piece: int, offset: int) -> Sequence[PeerId]:
        """Of whom a block was asked that has not come."""
        if (several := self._several.get((piece, offset))) is not None:
            return several
        first = self._partials[piece].asked.get(offset)
        return () if first is None else (first,)

    # -- what became of it -------------------------------------------------------------------------------------------

    def settle(self, peer: PeerId, piece: int, offsets: Iterable[int]) -> list[tuple[int, Sequence[PeerId]]]:
        """These blocks have come from this peer: which of them were asked of whom else."""
        return [(offset, others) for offset in offsets if (others := self._others(peer, piece, offset))]

    def _others(self, peer: PeerId, piece: int, offset: int) -> list[PeerId]:
        return [asker for asker in self._several.pop((piece, offset), ()) if asker != peer]

    def leave(self, peer: PeerId, piece: int, offset: int) -> PeerId | None:
        """The peer will not send the block: one of the others of whom it was asked, if there is any."""
        others = self._others(peer, piece, offset)
        if len(others) > 1:
            self._several[piece, offset] = others
        if others and self._line:
            self._line[piece, offset] = None  # it may be asked of one more again
        return others[0] if others else None
