"""Whom to serve: the fastest who want something, and one more to find out (BEP 3, "choking and optimistic unchoking").

Reciprocation is what makes a swarm work: we serve those who serve us best. As that would never try anyone new, one slot
is given at random. A seed gets nothing back, so it looks at who takes the most: data goes where it moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs

from .events import PeerId

RECHOKE_SECONDS = 10.0  # BEP 3: long enough for TCP to reach its rate
OPTIMISTIC_SECONDS = 30.0  # BEP 3: every third time
SLOTS = 8  # libtorrent's `unchoke_slots_limit`
NEW_PEER_SECONDS = 60.0  # BEP 3: new peers are three times as likely to be tried
NEW_PEER_FAVOUR = 3


@attrs.frozen
class Candidate:
    """All that the choker may know of an interested peer."""

    peer: PeerId
    rate: float  # bytes a second: what they give us, or what we give them when we have everything
    age: float  # seconds since they came


def choose_unchoked(
    candidates: Sequence[Candidate], *, optimistic: PeerId | None, slots: int = SLOTS
) -> frozenset[PeerId]:
    """The fastest interested peers, and the optimistic one."""
    others = [candidate for candidate in candidates if candidate.peer != optimistic]
    fastest = sorted(others, key=lambda candidate: -candidate.rate)
    chosen = {candidate.peer for candidate in candidates if candidate.peer == optimistic}
    return frozenset(chosen | {candidate.peer for candidate in fastest[: slots - len(chosen)]})


def choose_optimistic(candidates: Sequence[Candidate], *, unchoked: frozenset[PeerId], random: Random) -> PeerId | None:
    """One interested peer at random out of those who are choked; None if there is none."""
    choked = [candidate for candidate in candidates if candidate.peer not in unchoked]
    if not choked:
        return None
    weights = [NEW_PEER_FAVOUR if candidate.age < NEW_PEER_SECONDS else 1 for candidate in choked]
    return random.choices(choked, weights)[0].peer
