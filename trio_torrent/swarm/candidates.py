"""Whom to connect to next. One pool for all addresses, wherever they come from.

Most addresses that one is told of are of no use: their owners have gone, or sit behind a router that swallows what
comes. A few dozen of those must not keep us from the good ones for as long as TCP would try. So while others wait, an
address gets a moment to answer, a *glance*; whoever misses it goes to the end of the queue, where it gets a proper
*look*. And looks never take all the places, lest a newcomer find them taken by the hopeless.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from itertools import chain, islice, zip_longest
from random import Random

import attrs

from trio_torrent.address import Address

from .events import Failure
from .mirror import Mirror
from .pool import MOST_FAILURES, USER, Known, Pool
from .priority import Ranking

# Attempts at once, from the dial to the end of the handshake: as many as a torrent usually has places for, and some.
# How many of them may be half-open is for the client (`shares`).
MOST_TRYING = 60
MOST_LOOKS = MOST_TRYING // 4

# Of what a stranger names in one go, the first ones are looked at: each takes some 30 µs, and all else waits. Trackers
# name 200 as a rule, peers 50 (BEP 11).
MOST_AT_ONCE = 500

# Dials for each free place. About every fourth address answers in an ordinary swarm.
ATTEMPTS_PER_PLACE = 4

# For the connection, and again for the handshake. A distant peer on a bad line answers within a second, unless the
# first packet was lost: that one is sent again after just a second (RFC 6298).
GLANCE_SECONDS = 1.0
LOOK_SECONDS = 15.0  # libtorrent's `peer_connect_timeout`

# After the n-th failure in a row an address rests n minutes (libtorrent's `min_reconnect_time`).
REST_SECONDS = 60.0

# Whom the user names may be starting up, or comparing its files: refused, it is tried again after 1, 2, 4 ... 32 s, all
# together as long as one rest, before refusals count; and it is never given up, for nobody else may name it. Only while
# such are few, as many as may be half-open: the user's link may be a stranger's making, and name thousands of others'
# doors for us to knock on.
SOON_SECONDS = 1.0
MOST_SOON = 6
MOST_EAGER = 30

# When a dial failed for want of descriptors or places of our own, others would fail likewise.
SHORTAGE_SECONDS = 5.0

# A moment is good enough to notice whose rest is over: ordering 3000 addresses takes a millisecond.
ORDER_SECONDS = 1.0


@attrs.frozen
class Attempt:
    """Dial this address, and give it so many seconds to connect, and again to shake hands."""

    address: Address
    seconds: float


class Candidates:
    """Every known address is waiting, being tried (until it has joined or failed), connected, or given up."""

    def __init__(self, random: Random, *, mirror: Mirror | None = None, own: Set[Address] = frozenset()) -> None:
        self._mirror = mirror or Mirror()
        self._seen_at = self._mirror.addresses
        self.rank: Ranking = Ranking(self._mirror, random.randbytes(16))
        self._pool = Pool(self.rank, own)
        self._trying: set[Address] = set()
        self._looks: set[Address] = set()
        self._unknown: Counter[Address] = Counter()  # connections from addresses that nobody has named
        self._order: list[Known] = []  # whom to try, the last one first
        self._order_until = 0.0
        self._short_until = 0.0

    def __len__(self) -> int:
        """How many addresses are known."""
        return len(self._pool)

    @property
    def named(self) -> dict[str, int]:
        """How many of the known addresses each source has named first."""
        return self._pool.named

    @property
    def trying(self) -> int:
        """Attempts under way."""
        return len(self._trying)

    @property
    def hope(self) -> bool:
        """Whether there is anybody who is being tried, or is to be tried now or after a rest."""
        return bool(self._trying) or bool(self._pool.waiting())

    @property
    def wait(self) -> bool:
        """Whether there is anybody left to try."""
        return bool(self._order)

    def add(self, addresses: Iterable[Address], source: str, banned: Set[Address]) -> None:
        """These may be worth dialling; those that were given up get one more try, and make room if there is none.

        Those that are banned or one too many are passed over, and what is no peer's address. Whom the user names is
        dialled without a rest.
        """
        addresses = list(addresses if source == USER else islice(addresses, MOST_AT_ONCE))
        for address in addresses:
            self._reconsider(address, at_once=source == USER)
        self._pool.add(addresses, source, banned)
        for address in list(self._unknown):
            if (known := self._pool.get(address)) is not None:
                known.connections = self._unknown.pop(address)
        self._order_until = 0.0

    def _reconsider(self, address: Address, *, at_once: bool) -> None:
        """It may have been our own line that was down, or the peer may not have been up yet."""
        known = self._pool.get(address)
        if known is None or not known.idle or known.for_good:
            return
        known.failures = min(known.failures, MOST_FAILURES - 1)
        if at_once:
            known.not_before, known.refusals = 0.0, 0

    # -- whom to try -------------------------------------------------------------------------------------------------

    def next(self, now: float, *, free: int) -> list[Attempt]:
        """Whom to try now, when `free` more connections are welcome."""
        slots = min(MOST_TRYING, ATTEMPTS_PER_PLACE * free) - len(self._trying)
        if slots <= 0 or now < self._short_until:
            return []
        if now >= self._order_until:
            self._put_in_order(now)
        others_wait = len(self._order) > slots
        attempts: list[Attempt] = []
        while self._order and len(attempts) < slots:
            known, may_look = self._order[-1], len(self._looks) < MOST_LOOKS
            if known.hurried and not may_look:
                break  # so are all behind it
            self._order.pop()
            if known.waiting:
                attempts.append(self._try(known, look=known.hurried or (may_look and not others_wait)))
        return attempts

    def _try(self, known: Known, *, look: bool) -> Attempt:
        known.trying = True
        self._trying.add(known.address)
        if look:
            self._looks.add(known.address)
        return Attempt(known.address, LOOK_SECONDS if look else GLANCE_SECONDS)

    def _put_in_order(self, now: float) -> None:
        """The best first, and IPv4 and IPv6 by turns."""
        if self._seen_at != self._mirror.addresses:
            self._seen_at = self._mirror.addresses
            self._pool.rank_anew()
        ready = sorted((known for known in self._pool.waiting() if known.not_before <= now), key=lambda k: k.rank)
        families = [[known for known in reversed(ready) if known.family == family] for family in (6, 4)]
        by_turns = [known for known in chain.from_iterable(zip_longest(*families)) if known is not None]
        self._order = sorted(by_turns, key=lambda known: known.standing, reverse=True)[::-1]
        self._order_until = now + ORDER_SECONDS

    # -- what came of it ---------------------------------------------------------------------------------------------

    def joined(self, address: Address) -> None:
        """A peer is there, dialled or by itself, from this address; meanwhile it need not be dialled."""
        self._end_attempt(address)
        if (known := self._pool.get(address)) is not None:
            known.connections += 1
        else:
            self._unknown[address] += 1

    def succeeded(self, address: Address) -> None:
        """The peer behind the address is the right kind."""
        if (known := self._pool.get(address)) is not None:
            known.failures = known.refusals = 0
            known.hurried = False

    def left(self, address: Address, now: float, *, for_good: bool = False) -> None:
        """A connection that had joined is over."""
        if (known := self._pool.get(address)) is not None:
            known.connections -= 1
            self._count_failure(known, now, for_good=for_good)
        else:
            self._unknown[address] -= 1
            self._unknown += Counter()  # without those that are none

    def recall(self) -> None:
        """We want something again: those we parted with because we did not may be called at once."""
        for known in self._pool.waiting():
            known.not_before = 0.0
        self._order_until = 0.0

    def retell(self, address: Address) -> None:
        """A connection that had joined will join once more, under another roof."""
        if (known := self._pool.get(address)) is not None:
            known.connections -= 1
        else:
            self._unknown[address] -= 1
            self._unknown += Counter()

    def disown(self, sources: Set[str]) -> None:
        """Addresses that nobody else has named are not to be dialled any more."""
        self._pool.disown(sources)

    def is_disowned(self, address: Address) -> bool:
        """Nobody else has named it."""
        return (known := self._pool.get(address)) is not None and known.for_good

    def failed(self, address: Address, now: float, why: Failure) -> None:
        """An attempt came to nothing. Neither our own shortage nor a glance that was too short is held against it."""
        known, looked = self._pool.get(address), address in self._looks
        if known is None or not known.trying:
            return
        self._end_attempt(address)
        if why is Failure.SHORTAGE:
            self._short_until = now + SHORTAGE_SECONDS
        elif why is Failure.LATE and not looked:
            known.hurried = True
        elif why is Failure.REFUSED and self._may_be_starting(known):
            known.not_before = now + SOON_SECONDS * 2**known.refusals
            known.refusals += 1
        else:
            self._count_failure(known, now, for_good=why is Failure.FOR_GOOD)

    def _may_be_starting(self, known: Known) -> bool:
        return known.refusals < MOST_SOON and self._is_the_users(known)

    def _is_the_users(self, known: Known) -> bool:
        """The user has named it, and few others."""
        return USER in known.sources and self._pool.named.get(USER, 0) <= MOST_EAGER

    def _end_attempt(self, address: Address) -> None:
        self._trying.discard(address)
        self._looks.discard(address)
        if (known := self._pool.get(address)) is not None:
            known.trying = False

    def _count_failure(self, known: Known, now: float, *, for_good: bool) -> None:
        known.for_good = known.for_good or for_good
        known.failures += 1
        known.not_before = now + REST_SECONDS * known.failures
        if self._is_the_users(known):
            known.failures = min(known.failures, MOST_FAILURES - 1)
