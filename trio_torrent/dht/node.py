"""A node of the mainline DHT, of one family, without a socket or a clock (BEP 5, 32, 42, 43).

    node.receive(datagram, sender, now)     what came
    node.datagrams()                        what is to be sent, and where
    node.deadline, node.wake(now)           when it wants to be woken, and what it does then
    node.begin(search, now), node.news()    a lookup of ours, and which ones have something new

Everything that a stranger sends ends in one of four places: the door (too many messages), `serving` (queries), a
transaction of ours (answers; whatever matches none is dropped unread) or nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random

import attrs

from . import signing
from .endpoint import Endpoint, Family, ip_of, is_usable, to_address
from .items import Verify
from .krpc import KrpcError, decode, encode_failure, encode_query, encode_reply
from .limits import Door, Lately, Quota
from .lookup import Lookup
from .messages import AnnouncePeer, Ask, Contact, Failure, FindNode, Get, Ping, Put, Query, Reply
from .node_id import Mirror, id_for, random_id, suits
from .options import Options
from .patience import Patience
from .searches import Search
from .serving import AMPLIFICATION, MAX_ANSWER, MAX_ITEM_ANSWER, Serving
from .status import Counters, NodeStatus
from .table import K, Table
from .upkeep import TICK, Check, Chore, Seek, Upkeep
from .walking import Walk, Walking

PROOF_SECONDS = 900.0  # that an address counts as its sender's own after it has received something from us
MAX_PROVEN = 5000  # addresses of which we remember it
MAX_UNDER_WAY = 2000  # queries of ours; each is known by 2 bytes
MAX_HELD = 100  # answers that wait for a proof of the address
MAX_ROUTERS = 20
TRANSACTION_LENGTH = 2  # bytes (BEP 5)
PING_LENGTH = 65  # bytes of our ping, of 56 by BEP 5 and our version

EXPIRE_SECONDS = 60.0  # between looks for what is stored and out of date
LINE_DOWN = 300.0  # seconds without a word from anybody: then it is our own line, and nobody is forgotten for it
MAX_FILLING = 3  # lookups at a time that fill the table


@attrs.frozen(eq=False)
class _Asked:
    """A query of ours without an answer yet."""

    contact: Contact  # its id may be empty: not known
    at: float
    walk: Walk | None = None
    is_write: bool = False
    held: Query | None = None  # whose answer waits for this


class Node:
    """See the module. `random` must be a SystemRandom outside tests: ids and tokens shall not be guessed."""

    def __init__(
        self,
        family: Family,
        *,
        random: Random,
        now: float,
        options: Options | None = None,
        node_id: bytes | None = None,
        verify: Verify = signing.verify,
    ) -> None:
        self.family = family
        self.options: Options = options or Options()
        self.counters: Counters = Counters()
        self.external: bytes | None = None  # our address, as others see it
        self.sibling: Node | None = None  # the node of the other family, if there is one
        self._random = random
        node_id = node_id or random_id(random)
        self.table: Table = Table(node_id, now, allow_local=self.options.allow_local)
        self.serving: Serving = Serving(family, node_id, self._packed, verify, random=random, now=now)
        self._door = Door(self.options.message_rate)
        self._quota = Quota(self.options.answer_rate, now)
        self._proven = Lately(PROOF_SECONDS, MAX_PROVEN)
        self._mirror = Mirror()
        self._patience = Patience()
        self.routers: list[Endpoint] = []  # whom to ask when nobody is known
        self._asked: dict[bytes, _Asked] = {}
        self._held = 0
        self._walking = Walking(family, self._ask, self._filled)
        self._filling: list[bytes] = []  # targets of lookups to come, that fill the table
        self._last_heard = now
        self._upkeep = Upkeep(random, now)
        self._expired_at = now
        self._out: list[tuple[bytes, Endpoint]] = []
        self._order = count()
        self._timers: list[tuple[float, int, Callable[[float], None]]] = []
        self._chores_at = 0.0
        self._plan_chores(now + TICK)

    @property
    def id(self) -> bytes:
        """Our own."""
        return self.table.own_id

    # -- the world ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, sender: Endpoint, now: float) -> None:
        """A datagram came. Whatever it is, nothing is raised."""
        if len(sender) != self.family or sender[-2:] == b"\0\0" or not self._door.admits(self._place(sender), now):
            self.counters.dropped += 1
            return
        try:
            message = decode(data)
        except KrpcError as error:
            self._refuse(error, sender, len(data), now)
            return
        match message:
            case Query():
                self._queried(message, sender, len(data), now)
            case Reply() | Failure():
                self._answered(message, sender, now)

    def datagrams(self) -> list[tuple[bytes, Endpoint]]:
        """What is to be sent, and where; each is given once."""
        out, self._out = self._out, []
        return out

    def news(self) -> list[Search]:
        """The searches that have something new, or are done; each is given once for what it has."""
        return self._walking.news()

    @property
    def deadline(self) -> float:
        """When `wake` wants to be called."""
        return self._timers[0][0]

    def wake(self, now: float) -> None:
        """Do what is due."""
        while self._timers[0][0] <= now:
            heappop(self._timers)[2](now)

    def _at(self, when: float, what: Callable[[float], None]) -> None:
        heappush(self._timers, (when, next(self._order), what))

    def _place(self, endpoint: Endpoint) -> bytes:
        return self.table.place(endpoint)

    def status(self, now: float) -> NodeStatus:
        """A snapshot."""
        return NodeStatus(
            id=self.id,
            external=to_address(self.external + b"\0\0").host if self.external is not None else None,
            nodes=len(self.table),
            good=self.table.good(now),
            torrents=self.serving.peers.torrents,
            peers=len(self.serving.peers),
            items=len(self.serving.items),
            counters=attrs.evolve(self.counters),
        )

    # -- what we want -------------------------------------------------------------------------------------------------

    def begin(self, search: Search, now: float) -> None:
        """Start a search among the nodes that we know, and the routers if they are few."""
        self._walking.begin(Walk(search, self._lookup(search.target)), now)

    def abandon(self, search: Search) -> None:
        """Its results are of no use any more. Answers that are under way still count for the table."""
        self._walking.abandon(search)

    def _lookup(self, target: bytes) -> Lookup:
        start = [entry.contact for entry in self.table.closest(target, 2 * K)]
        if len(start) < K:
            start += [Contact(b"", router) for router in self.routers]
        return Lookup(target, start, own_id=self.id, allow_local=self.options.allow_local)

    def add_endpoint(self, endpoint: Endpoint, now: float) -> None:
        """There may be a node: a peer's `port` message or a torrent's `nodes` say so (BEP 5). It is pinged."""
        if len(endpoint) == self.family and is_usable(endpoint, allow_local=self.options.allow_local):
            known = self.table.placed(endpoint)
            if known is None or known.contact.endpoint != endpoint:
                self._ask(Contact(b"", endpoint), Ping(), now)

    def add_routers(self, routers: Iterable[Endpoint], now: float) -> None:
        """Nodes that know many others, and help whoever knows none. They are tried at once if we are one of those."""
        usable = (r for r in routers if len(r) == self.family and is_usable(r, allow_local=self.options.allow_local))
        self.routers = list(dict.fromkeys([*self.routers, *usable]))[-MAX_ROUTERS:]
        if len(self.table) < K and self.routers:
            self._upkeep.start_over(now)
            self._join(now)

    def restore(self, contacts: Iterable[Contact], now: float) -> None:
        """Nodes that we knew when we were last here."""
        for contact in contacts:
            if len(contact.endpoint) == self.family:
                self.table.restored(contact, now)
        self._join(now)

    # -- being asked --------------------------------------------------------------------------------------------------

    def _queried(self, query: Query, sender: Endpoint, size: int, now: float) -> None:
        self.counters.queries_in += 1
        if query.id == self.id:
            return
        is_new = not query.read_only and self.table.queried(Contact(query.id, sender), now)
        if is_new:
            self._hurry(now)
        if self.options.read_only:
            return
        if not self._quota.is_open(now):
            self.counters.dropped += 1
            return
        if self._proven.has(ip_of(sender), now):
            self._answer(query, sender, MAX_ITEM_ANSWER if isinstance(query.ask, Get) else MAX_ANSWER, now)
            return
        room = size * AMPLIFICATION - (PING_LENGTH if is_new else 0)  # it will be pinged, sooner or later
        if not query.read_only and self.serving.is_too_much(query, room) and self._held < MAX_HELD:
            self._held += self._ask(Contact(query.id, sender), Ping(), now, held=query)
            return
        self._answer(query, sender, min(room, MAX_ANSWER), now)

    def _answer(self, query: Query, sender: Endpoint, room: int, now: float) -> None:
        try:
            reply = encode_reply(self.serving.answer(query, sender, room, now))
        except KrpcError as error:
            error.transaction = query.transaction
            self._refuse(error, sender, room // AMPLIFICATION, now)
            return
        if isinstance(query.ask, AnnouncePeer | Put):
            self._proven.note(ip_of(sender), now)  # its token went there
        self._say(reply, sender)

    def _refuse(self, error: KrpcError, sender: Endpoint, size: int, now: float) -> None:
        self.counters.dropped += 1
        if error.transaction is None or self.options.read_only or not self._quota.is_open(now):
            return
        failure = encode_failure(Failure(error.transaction, error.code, str(error)))
        if len(failure) <= size * AMPLIFICATION:
            self._say(failure, sender)

    def _say(self, data: bytes, to: Endpoint) -> None:
        self._quota.spend(len(data))
        self.counters.answers_out += 1
        self.counters.answer_bytes += len(data)
        self._out.append((data, to))

    def _packed(self, family: Family, target: bytes, most: int, now: float) -> bytes:
        """Our nearest good nodes, for an answer."""
        node = self if family is self.family else self.sibling
        return b"".join([entry.packed for entry in node.table.closest_good(target, now, most)]) if node else b""

    # -- asking -------------------------------------------------------------------------------------------------------

    def _ask(
        self,
        contact: Contact,
        ask: Ask,
        now: float,
        *,
        walk: Walk | None = None,
        is_write: bool = False,
        held: Query | None = None,
    ) -> bool:
        """Send a query; whether it could be sent."""
        if len(self._asked) >= MAX_UNDER_WAY:
            return False
        transaction = self._random.randbytes(TRANSACTION_LENGTH)
        while transaction in self._asked:
            transaction = self._random.randbytes(TRANSACTION_LENGTH)
        self._asked[transaction] = asked = _Asked(contact, now, walk, is_write, held)
        query = Query(transaction, self.id, self._wanting(ask), self.options.read_only)
        self._out.append((encode_query(query), contact.endpoint))
        self.counters.queries_out += 1
        self._at(now + self._patience.late, partial(self._is_late, transaction, asked))
        return True

    def _wanting(self, ask: Ask) -> Ask:
        """While our sibling knows few nodes, whoever is asked for nodes is asked for its kind, too (BEP 32)."""
        if self.sibling is not None and isinstance(ask, FindNode) and len(self.sibling.table) < K:
            return attrs.evolve(ask, want=frozenset(Family))
        return ask

    def _answered(self, message: Reply | Failure, sender: Endpoint, now: float) -> None:
        asked = self._asked.get(message.transaction)
        if asked is None or asked.contact.endpoint != sender:
            self.counters.dropped += 1
            return
        del self._asked[message.transaction]
        self.counters.replies_in += 1
        self._last_heard = now
        self._patience.answered(now - asked.at)
        self._proven.note(ip_of(sender), now)
        if isinstance(message, Reply) and message.id != self.id:
            self._learn(message, asked, sender, now)
        self._release(asked, now, is_proven=True)
        self._tell_walk(asked, message, now)

    def _learn(self, reply: Reply, asked: _Asked, sender: Endpoint, now: float) -> None:
        """What any answer teaches, whatever it was asked for."""
        if asked.contact.id and asked.contact.id != reply.id:
            self.table.failed(asked.contact, now)
        was_alone = not len(self.table)
        self.table.replied(Contact(reply.id, sender), now)
        if was_alone and len(self.table):
            self._upkeep.start_over(now)
            self._hurry(now)
        for contact in reply.contacts(self.family)[:K]:
            self.table.heard_of(contact)
        if self.sibling is not None and len(self.sibling.table) < K:
            for contact in reply.contacts(self.sibling.family)[:K]:
                self.sibling.add_endpoint(contact.endpoint, now)
        if reply.ours is not None and len(reply.ours) == self.family:
            self._seen_as(ip_of(reply.ours), ip_of(sender), reply.ours, now)

    def _seen_as(self, ip: bytes, voter: bytes, endpoint: Endpoint, now: float) -> None:
        """Others see us at this address; when enough do, our id has to suit it (BEP 42)."""
        elected = self._mirror.voted(voter, ip)
        if elected is None or elected == self.external or not is_usable(elected + b"\0\1", allow_local=True):
            return
        self.external = elected
        if not suits(self.id, elected):
            self.table = self.table.moved(id_for(elected, self._random), now)
            self.serving.own_id = self.id
            self._join(now)

    def _is_late(self, transaction: bytes, asked: _Asked, now: float) -> None:
        if self._asked.get(transaction) is not asked:
            return
        self._at(asked.at + self._patience.give_up, partial(self._is_lost, transaction, asked))
        if asked.walk is not None and not asked.is_write:
            self._walking.late(asked.walk, asked.contact, now)

    def _is_lost(self, transaction: bytes, asked: _Asked, now: float) -> None:
        if self._asked.get(transaction) is not asked:
            return
        del self._asked[transaction]
        self.counters.timeouts += 1
        self._release(asked, now, is_proven=False)
        self.table.failed(asked.contact, now, may_go=now - self._last_heard < LINE_DOWN)
        self._tell_walk(asked, None, now)

    def _tell_walk(self, asked: _Asked, message: Reply | Failure | None, now: float) -> None:
        if asked.walk is None:
            return
        if asked.is_write:
            self._walking.written(asked.walk, message, now)
        else:
            self._walking.answered(asked.walk, asked.contact, message, now)

    def _release(self, asked: _Asked, now: float, *, is_proven: bool) -> None:
        """Somebody whose answer was held back has proven his address, or has not."""
        if asked.held is not None:
            self._held -= 1
            if is_proven:
                self._answer(asked.held, asked.contact.endpoint, MAX_ITEM_ANSWER, now)

    # -- the table ----------------------------------------------------------------------------------------------------

    def _join(self, now: float) -> None:
        self._do(self._upkeep.join(self.table, now), now)

    def _do(self, chore: Chore, now: float) -> None:
        match chore:
            case Check(contact, ask):
                self._ask(contact, ask, now)
            case Seek(target):
                self._filling.append(target)
                self._fill(now)

    def _fill(self, now: float) -> None:
        """Begin lookups that fill the table, a few at a time."""
        while self._filling and self._walking.own < MAX_FILLING:
            target = self._filling.pop(0)
            self._walking.begin(Walk(Search(target), self._lookup(target), is_own=True), now)

    def _filled(self, search: Search, now: float) -> None:
        if search.target == self.id:
            self._filling = self.table.targets(self._random)
        self._fill(now)

    def _plan_chores(self, when: float) -> None:
        self._chores_at = when
        self._at(when, partial(self._do_chores, when))

    def _do_chores(self, planned: float, now: float) -> None:
        if planned != self._chores_at:
            return  # they were done sooner
        if now - self._expired_at >= EXPIRE_SECONDS:
            self.serving.expire(now)
            self._expired_at = now
        chore = self._upkeep.next(self.table, now)
        if chore is not None:
            self._do(chore, now)
        self._plan_chores(self._upkeep.look_again(self.table, now, is_idle=chore is None))

    def _hurry(self, now: float) -> None:
        """There is something to do for the table."""
        soon = self._upkeep.soon(self.table, now)
        if self._chores_at > soon:
            self._plan_chores(soon)
