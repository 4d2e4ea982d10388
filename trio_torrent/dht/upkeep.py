"""What a routing table needs next: the network itself, signs of life, nodes for its free places (BEP 5).

One thing at a time, so that a full table costs a few dozen bytes a second.
"""

from __future__ import annotations

from random import Random
from typing import TypeAlias

import attrs

from .messages import Ask, Contact, FindNode, Ping
from .node_id import random_id
from .table import RETRY, SPREAD_BITS, K, Table

TICK = 1.0  # seconds between two chores
HASTE = 0.1  # seconds between them while we know few: who begins together with others finds them sooner
FEW = 8 * K  # nodes
MAX_TICK = 60.0  # and at most, when there is none
FIRST_RETRY, MAX_RETRY = 15.0, 900.0  # seconds until we try again to find the network, doubled each time


@attrs.frozen
class Check:
    """Ask this node this."""

    contact: Contact
    ask: Ask


@attrs.frozen
class Seek:
    """Look for the nodes nearest to an id."""

    target: bytes


Chore: TypeAlias = Check | Seek


class Upkeep:
    """Decides about chores, and when to look for one again."""

    def __init__(self, random: Random, now: float) -> None:
        self._random = random
        self._retry = FIRST_RETRY
        self._retry_at = now

    def start_over(self, now: float) -> None:
        """There is somebody new to find the network by: try it at once."""
        self._retry, self._retry_at = FIRST_RETRY, now

    def join(self, table: Table, now: float) -> Seek:
        """Look for ourselves: that finds our neighbours, and tells them that we are here."""
        self._retry_at = now + self._retry
        self._retry = min(2 * self._retry, MAX_RETRY)
        return Seek(table.own_id)

    def next(self, table: Table, now: float) -> Chore | None:
        """The most urgent one; it counts as done."""
        if len(table) < K and now >= self._retry_at:
            return self.join(table, now)
        if (heard_of := table.take_awaited()) is not None:
            return Check(heard_of, Ping())
        due = table.next_due()
        if due is not None and due.due <= now:
            due.due = now + RETRY
            near = random_id(self._random, prefix=due.number, bits=SPREAD_BITS)
            return Check(due.contact, FindNode(near))  # a ping that also brings news
        target = table.stale_target(now, self._random)
        return Seek(target) if target is not None else None

    def soon(self, table: Table, now: float) -> float:
        """When to look if there is something to do."""
        return now + (HASTE if len(table) < FEW else TICK)

    def look_again(self, table: Table, now: float, *, is_idle: bool) -> float:
        """When there may be another."""
        if not is_idle:
            return self.soon(table, now)
        due = table.next_due()
        return max(now + TICK, min(now + MAX_TICK, due.due if due is not None else self._retry_at))
