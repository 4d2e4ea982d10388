"""Searches under way: whom each asks next, what it makes of the answers, and when it is over (BEP 5).

A search walks towards its target, by a `Lookup`; at the end it may write to the nodes that it has found there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from .endpoint import Family
from .lookup import Lookup
from .messages import Ask, Contact, Failure, Reply
from .searches import Search


@attrs.define(eq=False)
class Walk:
    """A search under way."""

    search: Search
    lookup: Lookup
    is_own: bool = False  # for the table, and nobody else waits for it
    writing: int = -1  # writes without an answer yet; -1 before there are any


class Asker(Protocol):
    """Sends a query for a walk; whether it could be sent. What becomes of it is told to `late` and `answered`."""

    def __call__(self, contact: Contact, ask: Ask, now: float, *, walk: Walk, is_write: bool = False) -> bool: ...


class Walking:
    """All walks of one node. `over` is told of each that was for the table."""

    def __init__(self, family: Family, ask: Asker, over: Callable[[Search, float], None]) -> None:
        self._family = family
        self._ask = ask
        self._over = over
        self._walks: list[Walk] = []
        self._news: dict[Search, None] = {}

    def __len__(self) -> int:
        return len(self._walks)

    @property
    def own(self) -> int:
        """How many are for the table."""
        return sum(walk.is_own for walk in self._walks)

    def begin(self, walk: Walk, now: float) -> None:
        """Ask the first nodes."""
        self._walks.append(walk)
        self._advance(walk, now)

    def abandon(self, search: Search) -> None:
        """Nobody waits for it any more."""
        self._walks = [walk for walk in self._walks if walk.search is not search]
        search.done = True

    def news(self) -> list[Search]:
        """The searches that have something new, or are done; each is given once for what it has."""
        news, self._news = list(self._news), {}
        return news

    def late(self, walk: Walk, contact: Contact, now: float) -> None:
        """A node takes long to answer: others may be asked meanwhile."""
        if walk in self._walks:
            walk.lookup.late(contact)
            self._advance(walk, now)

    def answered(self, walk: Walk, contact: Contact, message: Reply | Failure | None, now: float) -> None:
        """A question of this walk was answered, or never will be."""
        if walk not in self._walks:
            return  # abandoned
        search, lookup = walk.search, walk.lookup
        if not isinstance(message, Reply):
            lookup.failed(contact)
        elif lookup.replied(contact, message, message.contacts(self._family)):
            search.heard(Contact(message.id, contact.endpoint), message)
            if not walk.is_own:
                self._news[search] = None
        self._advance(walk, now)

    def written(self, walk: Walk, message: Reply | Failure | None, now: float) -> None:
        """A node has taken what the walk wrote, or refused it, or never will say."""
        if walk not in self._walks:
            return  # abandoned
        walk.writing -= 1
        if isinstance(message, Reply):
            walk.search.written += 1
        elif message is not None:
            walk.search.refused.append(message)
        self._advance(walk, now)

    def _advance(self, walk: Walk, now: float) -> None:
        """Ask whom the lookup wants asked; when it is over, write; when that is over, too, say so."""
        search, lookup = walk.search, walk.lookup
        while walk.writing < 0 and (contact := lookup.next()) is not None:
            if not self._ask(contact, search.ask, now, walk=walk):
                lookup.failed(contact)
        search.asked, search.answered = lookup.asked, lookup.answered
        if walk.writing < 0 and lookup.done:
            writes = search.writes(lookup.nearest())
            walk.writing = sum([self._ask(contact, ask, now, walk=walk, is_write=True) for contact, ask in writes])
        if walk.writing == 0:
            self._finish(walk, now)

    def _finish(self, walk: Walk, now: float) -> None:
        self._walks.remove(walk)
        walk.search.done = True
        if walk.is_own:
            self._over(walk.search, now)
        else:
            self._news[walk.search] = None
