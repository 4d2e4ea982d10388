"""Finding peers of one torrent in the DHT, and being found: the task. `trio_torrent.dht.rounds` decides when.

All that it needs of a torrent are its names, so it can begin with a link, before anybody knows what is in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random

import trio

from trio_torrent.address import Address
from trio_torrent.dht.rounds import SOURCE, Rounds
from trio_torrent.dht.status import DiscoveryStatus
from trio_torrent.net.boundary import Boundary

from .finder import Finder, Standing

LOOK_AGAIN = 30.0  # seconds at most until it is noticed that peers have become few


class Discovery:
    """Looks for one torrent's peers, again and again.

    `names` gives the torrent's 20-byte info-hashes, all that it has; none as soon as it is known to be private
    (BEP 27). `port` is where peers reach us, TCP. `found` is awaited with what each node names; while it blocks,
    nothing but that one lookup waits.
    """

    def __init__(
        self,
        dht: Finder,
        *,
        names: Callable[[], Iterable[bytes]],
        port: int,
        standing: Callable[[], Standing],
        found: Callable[[Sequence[Address], str], Awaitable[None]],
        random: Random,
        boundary: Boundary,
    ) -> None:
        self._dht = dht
        self._names = names
        self._port = port
        self._standing = standing
        self._found = found
        self._boundary = boundary
        self._rounds = Rounds(random)
        self._wake = trio.Event()

    @property
    def status(self) -> DiscoveryStatus:
        """How it stands now."""
        return self._rounds.status(trio.current_time(), few=self._standing().few, ready=self._dht.ready)

    def look_now(self) -> None:
        """Look before the next regular time, but not more than once a minute."""
        self._rounds.wish()
        self._wake.set()

    async def run(self) -> None:
        """Look at once, then whenever it is due, until cancelled."""
        try:
            while True:
                with self._boundary.guard("a lookup in the DHT"):
                    await self._look()
                self._rounds.end(trio.current_time(), few=self._standing().few)
                await self._rest()
        finally:
            self._rounds.stop()

    async def _rest(self) -> None:
        while (left := self._rounds.due(few=self._standing().few) - trio.current_time()) > 0:
            self._wake = trio.Event()
            with trio.move_on_after(min(left, LOOK_AGAIN)):
                await self._wake.wait()

    async def _look(self) -> None:
        self._rounds.begin()
        standing = self._standing()
        async with trio.open_nursery() as nursery:
            for name in self._names():
                nursery.start_soon(self._look_for, name, standing)

    async def _look_for(self, name: bytes, standing: Standing) -> None:
        async with self._dht.lookup(name, announce=self._port, seed=standing.seed, noseed=standing.seed) as findings:
            self._rounds.looking()
            async for addresses in findings:
                self._rounds.found(len(addresses))
                await self._found(addresses, SOURCE)
        self._rounds.met(findings.answered, findings.announced_to)
