"""Finding the nodes nearest to an id, by asking ever nearer ones (BEP 5, "overview").

A few questions are under way at a time. One that takes longer than answers usually do is left to itself and another
node is asked meanwhile: it holds up nothing, and if it comes after all it still counts. The lookup is over when the
nearest nodes have all answered and named none that is nearer.

Nodes whose id does not suit their address (BEP 42) are asked like others, but they do not count as the nearest, within
limits: it takes `K` that suit, or twice as many of any kind. So 8 forged ids around a target hide nothing.
"""

from __future__ import annotations

import enum
from bisect import insort
from collections.abc import Iterable
from operator import attrgetter

import attrs

from .endpoint import ip_of, is_usable
from .messages import Contact, Reply
from .node_id import ID_BITS, distance, suits

K = 8  # nodes that a lookup is after (BEP 5)
WIDE = 2 * K  # of any kind, where those whose ids suit are few
ALPHA = 5  # questions under way (libtorrent's dht_search_branching)
MAX_ASKED = 100  # nodes in one lookup: a long one takes 40, and whoever invents nodes shall not keep us busy
MAX_CANDIDATES = 200  # the nearest are kept
MAX_NAMED = 16  # nodes taken from one reply: 8 in proper ones

_UNKNOWN = 1 << ID_BITS  # the distance of a node whose id we do not know: farther than any


class _State(enum.Enum):
    NEW = enum.auto()
    ASKED = enum.auto()
    LATE = enum.auto()
    ANSWERED = enum.auto()
    FAILED = enum.auto()


@attrs.define(eq=False)
class _Candidate:
    distance: int
    contact: Contact
    suits: bool
    state: _State = _State.NEW
    token: bytes | None = None


_by_distance = attrgetter("distance")


@attrs.frozen
class Nearest:
    """A node that a lookup ended at, and the token that it gave for writing."""

    contact: Contact
    token: bytes | None


class Lookup:
    """One search for the nodes nearest to `target`. The caller asks whom `next` names, and tells what came of it."""

    def __init__(
        self, target: bytes, start: Iterable[Contact], *, own_id: bytes, allow_local: bool = False, alpha: int = ALPHA
    ) -> None:
        self.target = target
        self._own_id = own_id
        self._allow_local = allow_local
        self._alpha = alpha
        self._ranked: list[_Candidate] = []  # the nearest first
        self._by_place: dict[bytes, _Candidate] = {}
        self.asked: int = 0
        self.answered: int = 0
        for contact in start:
            self._add(contact)

    def next(self) -> Contact | None:
        """Whom to ask now; None if we have to wait, or are done."""
        if self.asked >= MAX_ASKED or self._under_way() >= self._alpha:
            return None
        for candidate in self._window():
            if candidate.state is _State.NEW:
                candidate.state = _State.ASKED
                self.asked += 1
                return candidate.contact
        return None

    @property
    def done(self) -> bool:
        """Whether nobody is left to be asked or waited for."""
        window = self._window()
        states = {candidate.state for candidate in window}
        if _State.ASKED in states or (_State.NEW in states and self.asked < MAX_ASKED):
            return False
        return self._is_full(window) or not any(c.state in (_State.ASKED, _State.LATE) for c in self._ranked)

    def replied(self, contact: Contact, reply: Reply, named: Iterable[Contact]) -> bool:
        """An answer, and the nodes in it. Whether it is from whom we asked."""
        candidate = self._known(contact)
        if candidate is None or candidate.state not in (_State.ASKED, _State.LATE):
            return False
        if candidate.contact.id and reply.id != candidate.contact.id:
            candidate.state = _State.FAILED  # who named it to us lied, or it has restarted
            return False
        if not candidate.contact.id:
            self._identify(candidate, reply.id)
        candidate.state, candidate.token = _State.ANSWERED, reply.token
        self.answered += 1
        for at, other in enumerate(named):
            if at == MAX_NAMED:
                break
            self._add(other)
        return True

    def late(self, contact: Contact) -> None:
        """The answer takes longer than usual."""
        candidate = self._known(contact)
        if candidate is not None and candidate.state is _State.ASKED:
            candidate.state = _State.LATE

    def failed(self, contact: Contact) -> None:
        """There will be no answer, or it was an error."""
        candidate = self._known(contact)
        if candidate is not None and candidate.state in (_State.ASKED, _State.LATE):
            candidate.state = _State.FAILED

    def nearest(self) -> list[Nearest]:
        """Those that a value belongs to: the nearest that answered, and the nearest of those whose id suits."""
        answered = [candidate for candidate in self._ranked if candidate.state is _State.ANSWERED]
        suiting = [candidate for candidate in answered if candidate.suits][:K]
        chosen = answered[:K] + [candidate for candidate in suiting if candidate not in answered[:K]]
        return [Nearest(c.contact, c.token) for c in chosen]

    def _known(self, contact: Contact) -> _Candidate | None:
        candidate = self._by_place.get(self._place(contact))
        return candidate if candidate is not None and candidate.contact.endpoint == contact.endpoint else None

    def _place(self, contact: Contact) -> bytes:
        """One node for each address, lest one liar be many."""
        return contact.endpoint if self._allow_local else ip_of(contact.endpoint)

    def _add(self, contact: Contact) -> None:
        if contact.id == self._own_id or not is_usable(contact.endpoint, allow_local=self._allow_local):
            return
        place = self._place(contact)
        if place in self._by_place:
            return
        how_far = distance(contact.id, self.target) if contact.id else _UNKNOWN
        if len(self._ranked) >= MAX_CANDIDATES and not self._forget_farthest(how_far):
            return
        candidate = _Candidate(how_far, contact, bool(contact.id) and suits(contact.id, ip_of(contact.endpoint)))
        self._by_place[place] = candidate
        insort(self._ranked, candidate, key=_by_distance)

    def _forget_farthest(self, how_far: int) -> bool:
        """Make room for one that is nearer than the last who was not asked."""
        for at in range(len(self._ranked) - 1, -1, -1):
            candidate = self._ranked[at]
            if candidate.distance <= how_far:
                return False
            if candidate.state in (_State.NEW, _State.FAILED):
                del self._ranked[at]
                del self._by_place[self._place(candidate.contact)]
                return True
        return False

    def _identify(self, candidate: _Candidate, node_id: bytes) -> None:
        """A node that we knew by its address alone has told its id."""
        self._ranked = [other for other in self._ranked if other is not candidate]
        candidate.contact = Contact(node_id, candidate.contact.endpoint)
        candidate.distance = distance(node_id, self.target)
        candidate.suits = suits(node_id, ip_of(candidate.contact.endpoint))
        insort(self._ranked, candidate, key=_by_distance)

    def _window(self) -> list[_Candidate]:
        """The nearest that may still matter: as many as it takes for `K` that suit, and not more than `WIDE`."""
        window: list[_Candidate] = []
        suiting = 0
        for candidate in self._ranked:
            if candidate.state in (_State.FAILED, _State.LATE):
                continue
            window.append(candidate)
            suiting += candidate.suits
            if suiting == K or len(window) == WIDE:
                break
        return window

    def _is_full(self, window: list[_Candidate]) -> bool:
        answered = [candidate for candidate in window if candidate.state is _State.ANSWERED]
        return len(answered) == WIDE or sum(candidate.suits for candidate in answered) >= K

    def _under_way(self) -> int:
        return sum(candidate.state is _State.ASKED for candidate in self._ranked)
