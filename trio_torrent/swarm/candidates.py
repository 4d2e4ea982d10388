"""Whom to connect to next. One pool for all addresses, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Set
from random import Random

import attrs

from trio_torrent.address import Address

# Against those who name thousands, and for the sake of routers; libtorrent's `max_peerlist_size`, and its cap of old.
MOST_KNOWN = 3000
MOST_HALF_OPEN = 30

# After the n-th failure in a row an address rests n minutes, and after the third it is given up (libtorrent's
# `min_reconnect_time` and `max_failcount`).
REST_SECONDS = 60.0
MOST_FAILURES = 3


@attrs.define(eq=False)
class _Known:
    address: Address
    failures: int = 0
    not_before: float = 0.0
    for_good: bool = False  # no use trying again: it is ourselves, or lied, or has what we have


class Candidates:
    """Every known address is waiting, being dialled (half-open), taken (in its handshake or joined), or given up."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._known: dict[Address, _Known] = {}
        self._waiting: dict[Address, _Known] = {}
        self._half_open: set[Address] = set()
        self._taken: set[Address] = set()

    def __len__(self) -> int:
        """How many addresses are known."""
        return len(self._known)

    @property
    def half_open(self) -> int:
        """Dials that have not been answered."""
        return len(self._half_open)

    @property
    def busy(self) -> int:
        """Connections that are up or on their way."""
        return len(self._half_open) + len(self._taken)

    def add(self, addresses: Iterable[Address], banned: Set[Address]) -> None:
        """These may be worth dialling; those that were given up get one more try, and make room if there is none.

        Those that are banned or one too many are passed over.
        """
        addresses = [address for address in dict.fromkeys(addresses) if address not in banned]
        for address in addresses:
            self._reconsider(address)
        fresh = [address for address in addresses if address not in self._known]
        self._make_room(len(fresh))
        self._random.shuffle(fresh)
        for address in fresh[: MOST_KNOWN - len(self._known)]:
            self._known[address] = self._waiting[address] = _Known(address)

    def _reconsider(self, address: Address) -> None:
        """It may have been our own line that was down, or the peer may not have been up yet."""
        known = self._known.get(address)
        if known is not None and known.failures >= MOST_FAILURES and not known.for_good and not self._is_busy(address):
            known.failures = MOST_FAILURES - 1
            self._waiting[address] = known

    def _make_room(self, wanted: int) -> None:
        """The given-up make room for the new."""
        excess = len(self._known) + wanted - MOST_KNOWN
        if excess > 0:
            idle = [a for a in self._known if a not in self._waiting and not self._is_busy(a)]
            for address in idle[:excess]:
                del self._known[address]

    def _is_busy(self, address: Address) -> bool:
        return address in self._half_open or address in self._taken

    def next(self, now: float, *, room: int) -> list[Address]:
        """The addresses to dial now, when `room` more connections are welcome; they count as half-open."""
        room = min(room, MOST_HALF_OPEN - len(self._half_open))
        if room <= 0 or not self._waiting:
            return []
        ready = [known.address for known in self._waiting.values() if known.not_before <= now][:room]
        for address in ready:
            del self._waiting[address]
            self._half_open.add(address)
        return ready

    def connected(self, address: Address) -> None:
        """A dial was answered."""
        self._half_open.discard(address)
        self._taken.add(address)

    def arrived(self, address: Address) -> None:
        """A peer has come by itself, from this address; if it is known as one that listens, it need not be dialled."""
        self._waiting.pop(address, None)
        self._taken.add(address)

    def succeeded(self, address: Address) -> None:
        """The peer behind the address is the right kind."""
        if (known := self._known.get(address)) is not None:
            known.failures = 0

    def failed(self, address: Address, now: float, *, for_good: bool = False) -> None:
        """A dial, a handshake or a connection came to nothing."""
        self._half_open.discard(address)
        self._taken.discard(address)
        known = self._known.get(address)
        if known is None:
            return
        known.for_good = known.for_good or for_good
        known.failures = MOST_FAILURES if for_good else known.failures + 1
        if known.failures < MOST_FAILURES:
            known.not_before = now + REST_SECONDS * known.failures
            self._waiting[address] = known
