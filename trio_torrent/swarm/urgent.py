"""What somebody waits to read: which pieces, by when, and how much of each to ask of one peer.

A reader gets nothing of a piece before all of it is there, so a piece is spread over all who give: three of them bring
it in a third of the time, where three pieces from one each would all come late. Each is asked for as large a part as it
brings of everything. A laggard would hold up the others' work, and is asked only for what it will bring in time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import attrs

from trio_torrent.metainfo.geometry import BLOCK_SIZE

# So long after its time a piece is late: then it is asked of whoever has it, and of several at once. A block that has
# not come half a second after it was needed is one that a reader has been waiting for.
URGENT_SECONDS = 0.5

# Whoever brings less than this part of what givers bring on the average is a laggard.
LAGGARD = 1 / 4


@attrs.frozen
class Giver:
    """What a peer does for readers."""

    part: float = 1.0  # of all that is given, from 0 to 1
    lags: bool = False
    pace: float = 0.0  # bytes a second
    owes: int = 0  # blocks that it was asked for


ANYONE = Giver()
"""Who gives while nobody reads, when it does not matter."""


def giver(pace: float, owes: int, *, all_paces: float, givers: int) -> Giver:
    """What a peer of this pace does, out of so many. One that has sent nothing yet is thought to be like the others."""
    mean = 1 / max(1, givers)
    if not pace or not all_paces:
        return Giver(mean, owes=owes)
    part = min(1.0, pace / all_paces)
    return Giver(part, part < mean * LAGGARD, pace, owes)


class Urgent:
    """The pieces that are waited for, the first one first."""

    def __init__(self, deadlines: Iterable[tuple[int, float]] = ()) -> None:
        self.replace(deadlines)

    def replace(self, deadlines: Iterable[tuple[int, float]]) -> None:
        """These, and no longer those before."""
        self._due = dict(sorted(deadlines, key=lambda deadline: deadline[1]))

    def __bool__(self) -> bool:
        return bool(self._due)

    def __iter__(self) -> Iterator[int]:
        return iter(self._due)

    def __contains__(self, piece: int) -> bool:
        return piece in self._due

    def discard(self, piece: int) -> None:
        """It is not waited for any more."""
        self._due.pop(piece, None)

    def due(self, now: float) -> list[int]:
        """Those that are needed by now."""
        return [piece for piece, when in self._due.items() if when <= now]

    def late(self, now: float) -> list[int]:
        """Those that somebody has waited for too long."""
        return self.due(now - URGENT_SECONDS)

    def most(self, piece: int, blocks: int, giver: Giver, now: float) -> int:
        """How many blocks of a piece to ask of a giver at once, of the `blocks` that it has."""
        fair = math.ceil(blocks * giver.part)
        left = self._due[piece] - now
        if not giver.lags or left < -URGENT_SECONDS:
            return fair
        in_time = int(max(0.0, left) * giver.pace / BLOCK_SIZE) - giver.owes
        return max(0, min(fair, in_time))
