"""One question to one UDP tracker, from the first datagram to the answer, as decisions (BEP 15).

An exchange is connecting, or asking, or it has its answer. It connects first, unless a connection is remembered, and
then asks. What brings nothing is sent again, each time after twice the time; what comes and is not the answer to the
last request is as if it had not come. Whoever carries an exchange out sends what `datagram` gives, waits until
`next_time` or for something to hand to `receive`, and gives up when he likes.

A remembered connection may be void although its minute is not over: trackers restart, and some bind it to the port
that we had. So an error, or silence, after such a one is no answer yet; the exchange connects anew.
"""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Generic, TypeVar

import attrs

from .announce import Refused
from .limits import readable
from .udp import HEAD, Action, Question, connect_request, read_connection, request

# BEP 15 begins with 15 seconds, of the times when lines were slow. Few round trips take one, and people are waiting.
RESEND_SECONDS = 2.0

CONNECTION_SECONDS = 60.0  # that a client may use a connection id for
MAX_CONNECTIONS = 500  # remembered: more trackers than that are not asked within a minute

T = TypeVar("T")


@attrs.frozen
class Connection:
    """What a tracker gave us to prove that we are where we say we are."""

    id: int
    until: float  # on the clock that `now` is from


class Exchange(Generic[T]):
    """Asks `question`; the answer is in `answer` when it has come."""

    def __init__(self, question: Question[T], *, connection: Connection | None, random: Random, now: float) -> None:
        self._question = question
        self._random = random
        self._fresh = False  # whether the connection is of this exchange
        self._enter(connection, now)
        self.answer: T | None = None

    def _enter(self, connection: Connection | None, now: float) -> None:
        """Connect if there is no connection, otherwise ask; at once."""
        self.connection = connection
        self._transaction = self._random.getrandbits(32)
        self._sent = 0
        self._send_at = now

    def next_time(self) -> float:
        """When to ask for the next `datagram`."""
        return self._send_at

    def datagram(self, now: float) -> bytes | None:
        """What to send now, if anything."""
        if now < self._send_at:
            return None
        if self.connection is not None and (now >= self.connection.until or (self._sent and not self._fresh)):
            self._enter(None, now)
        self._send_at = now + RESEND_SECONDS * 2**self._sent
        self._sent += 1
        if self.connection is None:
            return connect_request(self._transaction)
        return request(self.connection.id, self._transaction, self._question)

    def receive(self, data: bytes, now: float) -> None:
        """Take a datagram that came from the tracker. Raises Refused if it says no."""
        if len(data) < HEAD or int.from_bytes(data[4:HEAD]) != self._transaction:
            return
        action, body = int.from_bytes(data[:4]), data[HEAD:]
        if action == Action.ERROR:
            self._refused(body, now)
        elif self.connection is None:
            if action == Action.CONNECT and (found := read_connection(body)) is not None:
                self._fresh = True
                self._enter(Connection(found, now + CONNECTION_SECONDS), now)
        elif action == self._question.action:
            self.answer = self._question.read(body)

    def _refused(self, body: bytes, now: float) -> None:
        if self.connection is None or self._fresh:
            raise Refused(readable(body) or "refused without a reason")
        self._enter(None, now)


class Connections:
    """The connections of the last minute, by whatever tells one tracker's address from another's."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Connection] = {}  # the oldest first

    def find(self, key: Hashable, now: float) -> Connection | None:
        """A connection that is still good."""
        connection = self._known.get(key)
        return connection if connection is not None and now < connection.until else None

    def note(self, key: Hashable, connection: Connection | None) -> None:
        """Remember what an exchange ended with, or that it lost what it had."""
        self._known.pop(key, None)
        if connection is not None:
            self._known[key] = connection
        if len(self._known) > MAX_CONNECTIONS:
            del self._known[next(iter(self._known))]
