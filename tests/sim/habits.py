"""How peers behave, and misbehave: each is our own scheduler, with its commands carried out less than faithfully."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire.messages import Request

from .store import MARKS, RIGHT

Lies = Callable[[Request, int, Random], bool]
"""Whether to lie about this block, when the same peer has asked for so many blocks of the piece."""


@attrs.frozen
class Habits:
    """What a peer does where others could not tell at once."""

    name: str = "honest"
    unchokes: bool = True
    answers: bool = True  # requests, when it has unchoked
    lies: Lies | None = None
    dials: bool = True

    @property
    def honest(self) -> bool:
        """It never sends a wrong block."""
        return self.lies is None

    def mark(self, request: Request, asked: int, random: Random) -> int:
        """The content of its answer."""
        return random.randrange(1, MARKS) if self.lies is not None and self.lies(request, asked, random) else RIGHT


HONEST = Habits()
QUIET = Habits("quiet", dials=False)
FREE_RIDER = Habits("free rider", unchokes=False)
CHOKER = Habits("choker", unchokes=False)
SNUBBER = Habits("snubber", answers=False)
LIAR = Habits("liar", lies=lambda request, asked, random: True)
SOMETIMES = Habits("liar, 5 %", lies=lambda request, asked, random: random.random() < 0.05)


def sharer(geometry: Geometry) -> Habits:
    """Lies only where somebody else may be blamed: in pieces of which it was not asked for everything."""
    return Habits("liar, shared", lies=lambda request, asked, random: asked < geometry.block_count(request.piece))
