"""Who may stay when there is no room for all.

A torrent's places are few, and strangers take them by coming. So nobody keeps a place by having come first: who wants
nothing and has nothing for us makes room for whoever comes, and who has long been idle for whoever ranks higher (BEP
40). Of the useless, those go first who are many at one site: a flood drives out itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from .events import PeerId

# That come in from one public host (a /64 of IPv6). A household or an office behind one address has a few clients in
# the same swarm; libtorrent allows one. Hosts of local networks have no such limit: they are machines that we share.
MOST_FROM_A_SITE = 4

# Of all places, for peers that we have chosen ourselves. What comes in can be anybody's, in any number.
DIALLED_SHARE = 0.3

# Without a block between us for so long, a peer may be exchanged for one that ranks higher.
INACTIVE_SECONDS = 60.0


@attrs.frozen
class Guest:
    """All that matters of a connected peer for whether it stays."""

    peer: PeerId
    site: str | None  # None for hosts of the local network
    incoming: bool
    useful: bool  # it has what we lack, or wants what we have
    active: bool  # something has passed between us lately
    rank: int  # the more the better
    since: float


@attrs.frozen
class Verdict:
    """It may stay, perhaps in another's place; or not, and why."""

    refusal: str | None = None
    instead_of: PeerId | None = None


def incoming_places(places: int, *, others_wait: bool) -> int:
    """How many of the places those who come in may take; all of them, if there is nobody to be dialled."""
    return places - int(places * DIALLED_SHARE) if others_wait else places


def admit(newcomer: Guest, guests: Sequence[Guest], *, places: int, incoming: int, crowded: bool = False) -> Verdict:
    """Whether the newcomer may join the guests, who have so many places, and those that come in so many of them.

    When `crowded`, it may only take the place of another.
    """
    came_in = [guest for guest in guests if guest.incoming]
    neighbours = [guest for guest in guests if newcomer.site is not None and guest.site == newcomer.site]
    if newcomer.incoming and len(neighbours) >= MOST_FROM_A_SITE:
        return _exchange(newcomer, neighbours, "too many connections from its host")
    if newcomer.incoming and len(came_in) >= incoming:
        return _exchange(newcomer, came_in, "too many connections")
    if crowded or len(guests) >= places:
        verdict = _exchange(newcomer, guests, "too many connections")
        if verdict.refusal and not newcomer.incoming and len(came_in) > incoming:
            return Verdict(instead_of=least(came_in))
        return verdict
    return Verdict()


def least(guests: Iterable[Guest]) -> PeerId | None:
    """Whom to part with first, if with anybody: the useless, the idle, the lowest in rank."""
    guests = list(guests)
    useless = _most_useless(guests)
    if useless is not None or not guests:
        return useless
    return min(guests, key=lambda guest: (guest.active, guest.rank)).peer


def _exchange(newcomer: Guest, guests: Sequence[Guest], refusal: str) -> Verdict:
    if (useless := _most_useless(guests)) is not None:
        return Verdict(instead_of=useless)
    lower = [guest for guest in guests if not guest.active and guest.rank < newcomer.rank]
    return Verdict(instead_of=least(lower)) if lower else Verdict(refusal=refusal)


def _most_useless(guests: Iterable[Guest]) -> PeerId | None:
    """The one that has been useless for longest, at the site that has the most of them."""
    useless = [guest for guest in guests if not guest.useful]
    crowds = Counter(guest.site for guest in useless)
    useless.sort(key=lambda guest: (-crowds[guest.site], guest.since))
    return useless[0].peer if useless else None
