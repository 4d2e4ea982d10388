"""The addresses that a torrent knows: which ones may enter, and which ones go when there is no room.

Anyone may name addresses, thousands of them. So the pool has limits of several kinds, and in each the many make room
for the few: no source can drive out what the others have named, IPv6 cannot drive out IPv4, and no single host can be
named often enough to be flooded by us.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set

import attrs

from trio_torrent.address import Address, ip_of, is_local, is_peer, plain, site

# Against those who name thousands, and for the sake of routers; libtorrent's `max_peerlist_size`, and its cap of old.
MOST_KNOWN = 3000

# Of IPv4, and of IPv6; what remains is for the other.
MOST_OF_A_FAMILY = 2000

# Ports of one public host, lest whoever names them makes us knock on all of its doors. A household has a few clients;
# libtorrent keeps one. On local networks, whole swarms may share a host.
MOST_AT_A_SITE = 8

# Whoever names an address first answers for it in the pool; the next few are remembered with it.
MOST_SOURCES = 4

MOST_FAILURES = 3  # after which an address is given up (libtorrent's `max_failcount`)

USER = "the user"
"""The source that is trusted: what it names may be ourselves, and comes first."""


@attrs.define(eq=False, kw_only=True)
class Known:
    """One address, and our luck with it."""

    address: Address
    family: int  # 4 or 6; names count as IPv4
    site: str | None  # None where it does not matter
    sources: tuple[str, ...]  # the first one answers for it
    rank: int  # the more the better
    failures: int = 0
    refusals: int = 0  # that do not count as failures yet
    not_before: float = 0.0
    hurried: bool = False  # had only a moment to answer the last time
    for_good: bool = False  # no use trying again: it is ourselves, or lied, or has what we have
    trying: bool = False
    connections: int = 0

    @property
    def idle(self) -> bool:
        """Neither connected nor on the way."""
        return not self.trying and not self.connections

    @property
    def given_up(self) -> bool:
        """Not to be dialled any more."""
        return self.for_good or self.failures >= MOST_FAILURES

    @property
    def waiting(self) -> bool:
        """To be dialled, at once or after a rest."""
        return self.idle and not self.given_up

    @property
    def standing(self) -> tuple[bool, bool]:
        """Who comes before all others: whoever was not silent when we called, then whom the user named."""
        return not self.hurried, USER in self.sources


class Pool:
    """Addresses by where they are. `own` are ours, and `rank` says whom we prefer (more is better)."""

    def __init__(self, rank: Callable[[Address], int], own: Set[Address] = frozenset()) -> None:
        self._rank = rank
        self._own = own
        self._known: dict[Address, Known] = {}
        self._families: Counter[int] = Counter()
        self._sources: Counter[str] = Counter()
        self._sites: dict[str, list[Known]] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def named(self) -> dict[str, int]:
        """How many of them each source has named first."""
        return dict(self._sources)

    def get(self, address: Address) -> Known | None:
        """What we know of it."""
        return self._known.get(address)

    def waiting(self) -> list[Known]:
        """Those that may be dialled, now or later."""
        return [known for known in self._known.values() if known.waiting]

    def add(self, addresses: Iterable[Address], source: str, banned: Set[Address]) -> None:
        """These may be worth dialling. Those that are banned, impossible or one too many are passed over."""
        spare: _Spare | None = None
        for known in sorted(self._fresh(addresses, source, banned), key=lambda known: known.rank, reverse=True):
            if not self._make_room_at_site(known):
                continue
            if self._is_full(known.family):
                spare = spare or _Spare(self._known, self._sources)
                if (victim := spare.instead_of(known, any_family=not self._family_is_full(known.family))) is None:
                    continue
                self._remove(victim)
            self._insert(known)

    def rank_anew(self) -> None:
        """Whom we prefer has changed."""
        for known in self._known.values():
            known.rank = self._rank(known.address)

    def disown(self, sources: Set[str]) -> None:
        """Give up what nobody but these has named."""
        for known in self._known.values():
            known.for_good |= sources >= {*known.sources}

    def _fresh(self, addresses: Iterable[Address], source: str, banned: Set[Address]) -> list[Known]:
        fresh: dict[Address, Known] = {}
        for address in map(plain, addresses):
            if (known := self._known.get(address)) is not None:
                known.sources = _with(known.sources, source)
            elif address in fresh or address in banned or not is_peer(address):
                continue
            elif address not in self._own or source == USER:
                fresh[address] = self._make(address, source)
        return list(fresh.values())

    def _make(self, address: Address, source: str) -> Known:
        ip = ip_of(address.host)
        return Known(
            address=address,
            family=4 if ip is None else ip.version,
            site=None if is_local(address.host) or source == USER else site(address.host),
            sources=(source,),
            rank=self._rank(address),
        )

    def _make_room_at_site(self, newcomer: Known) -> bool:
        neighbours = self._sites.get(newcomer.site or "", ())
        if len(neighbours) < MOST_AT_A_SITE:
            return True
        for known in neighbours:
            if known.idle and known.given_up:
                self._remove(known)
                return True
        return False

    def _family_is_full(self, family: int) -> bool:
        return self._families[family] >= MOST_OF_A_FAMILY

    def _is_full(self, family: int) -> bool:
        return len(self._known) >= MOST_KNOWN or self._family_is_full(family)

    def _insert(self, known: Known) -> None:
        self._known[known.address] = known
        self._families[known.family] += 1
        self._sources[known.sources[0]] += 1
        if known.site is not None:
            self._sites.setdefault(known.site, []).append(known)

    def _remove(self, known: Known) -> None:
        del self._known[known.address]
        self._families[known.family] -= 1
        self._sources[known.sources[0]] -= 1
        if not self._sources[known.sources[0]]:
            del self._sources[known.sources[0]]
        if known.site is not None:
            self._sites[known.site].remove(known)
            if not self._sites[known.site]:
                del self._sites[known.site]


class _Spare:
    """Whom to part with: the given-up, then the least of the source that has named the most."""

    def __init__(self, known: Mapping[Address, Known], sources: Mapping[str, int]) -> None:
        self._known = known
        self._sources = sources
        self._stacks: dict[int, list[Known]] = {4: [], 6: []}
        for one in known.values():
            if one.idle and (one.given_up or one.sources[0] != USER):
                self._stacks[one.family].append(one)
        for stack in self._stacks.values():
            stack.sort(key=lambda one: (one.given_up, sources[one.sources[0]], one.hurried, -one.rank))

    def instead_of(self, newcomer: Known, *, any_family: bool) -> Known | None:
        """One that goes for the newcomer's sake; None if all have as good a right to stay."""
        families = (newcomer.family, 10 - newcomer.family) if any_family else (newcomer.family,)
        for family in families:
            stack = self._stacks[family]
            while stack and stack[-1].address not in self._known:
                stack.pop()  # it made room at its site
            if stack and self._yields(stack[-1], newcomer.sources[0]):
                return stack.pop()
        return None

    def _yields(self, one: Known, source: str) -> bool:
        return one.given_up or source == USER or self._sources[one.sources[0]] > self._sources[source] + 1


def _with(sources: tuple[str, ...], source: str) -> tuple[str, ...]:
    if source in sources or (len(sources) >= MOST_SOURCES and source != USER):
        return sources
    return (*sources, source)
