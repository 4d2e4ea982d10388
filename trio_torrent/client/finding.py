"""How one torrent finds peers, and is found: trackers, the DHT, the user, and those that were good before.

Whatever is found goes one way, into the session that is on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import trio

from trio_torrent.address import Address
from trio_torrent.disk.record import MAX_PEERS
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.swarm.events import Joined
from trio_torrent.swarm.pool import USER

from .finder import Finder, Standing
from .loading import loading
from .metainfo import Metainfo
from .shared import Shared

if TYPE_CHECKING:
    from trio_torrent.dht.status import DiscoveryStatus
    from trio_torrent.net.tracker import Announcer
    from trio_torrent.tracker.announce import Totals
    from trio_torrent.tracker.status import TrackerStatus

    from .discovery import Discovery


class Finding:
    """Of one torrent. `names` are the info-hashes by which anybody may be told of it now, none of a private one."""

    def __init__(
        self,
        source: Metainfo | Magnet,
        shared: Shared,
        peers: Iterable[Address],
        *,
        names: Callable[[], tuple[bytes, ...]],
        totals: Callable[[], Totals],
        standing: Callable[[], Standing],
        found: Callable[[Sequence[Address], str], Awaitable[None]],
    ) -> None:
        self._names = names
        self._found = found
        self._mirror = shared.mirror
        self._info_hashes = source.info_hashes
        self._dht = shared.dht
        self._named = [*peers, *(source.peers if isinstance(source, Magnet) else ())]  # by the user
        self._worked: dict[Address, None] = {}  # peers that took our connection, the last ones
        self._announcer = self._make_announcer(source, shared, totals) if shared.settings.trackers else None
        self._discovery = self._make_discovery(shared.dht, shared, standing) if shared.dht is not None else None
        if isinstance(source, Metainfo):
            self.learn(source)

    def _make_announcer(
        self, source: Metainfo | Magnet, shared: Shared, totals: Callable[[], Totals]
    ) -> Announcer | None:
        tiers = source.trackers if isinstance(source, Metainfo) else [[url] for url in source.trackers]
        if not any(tiers):
            return None
        with loading():
            from trio_torrent.net.tracker import Announcer
            from trio_torrent.tracker.tiers import Tiers

            trackers = shared.trackers()
        return Announcer(
            tiers=Tiers(tiers, random=shared.random, strict=shared.settings.strict_tiers, silenced=trackers.silenced),
            trackers=trackers,
            names=lambda: self._info_hashes.all_wire,
            peer_id=shared.peer_id,
            port=shared.port,
            totals=totals,
            found=self._found,
            random=shared.random,
            seen_as=None if shared.settings.proxy is not None else shared.mirror.told,  # they see the proxy
        )

    def _make_discovery(self, dht: Finder, shared: Shared, standing: Callable[[], Standing]) -> Discovery:
        with loading():
            from .discovery import Discovery

        return Discovery(
            dht,
            names=self._names,
            port=shared.port,
            standing=standing,
            found=self._discovered,
            random=shared.random,
            boundary=shared.boundary,
        )

    def learn(self, metainfo: Metainfo) -> None:
        """What there is is known: of a private torrent, its trackers alone may name peers (BEP 27)."""
        if metainfo.info_hashes != self._info_hashes:
            self._info_hashes = metainfo.info_hashes
            if self._announcer is not None:
                self._announcer.announce_now()  # by the name that the link did not have
        if metainfo.private:
            self._dht = self._discovery = None
            self._worked.clear()

    def start(self, nursery: trio.Nursery, nodes: Iterable[Address] = ()) -> None:
        """Look for peers by every road at once, for as long as a session lasts."""
        if self._announcer is not None:
            nursery.start_soon(self._announcer.run)
        if self._discovery is not None:
            nursery.start_soon(self._discovery.run)
        for node in nodes:
            self.add_node(node)
        nursery.start_soon(self._found, tuple(self._named), USER)
        nursery.start_soon(self._found, tuple(self._worked), "an earlier session")

    async def leave(self) -> None:
        """Tell the trackers that we are gone."""
        if self._announcer is not None:
            await self._announcer.stop()

    def completed(self) -> None:
        """Tell the trackers that we have it all."""
        if self._announcer is not None:
            self._announcer.completed()

    def look_now(self) -> None:
        """Ask again now, or as soon as it is allowed."""
        if self._announcer is not None:
            self._announcer.announce_now()
        if self._discovery is not None:
            self._discovery.look_now()

    async def scrape(self) -> None:
        """Ask the trackers how many share the torrent."""
        if self._announcer is not None:
            await self._announcer.scrape()

    @property
    def trackers(self) -> tuple[TrackerStatus, ...]:
        """How each of them stands."""
        return self._announcer.status if self._announcer is not None else ()

    @property
    def dht(self) -> DiscoveryStatus | None:
        """What the DHT does for this torrent; None if it is off, or not for this one."""
        return self._discovery.status if self._discovery is not None else None

    @property
    def worked(self) -> tuple[Address, ...]:
        """Peers that took our connection, the last one last."""
        return tuple(self._worked)

    def recall(self, peers: Iterable[Address]) -> None:
        """These took our connection before any of those that are known here."""
        self._worked = dict.fromkeys((*peers, *self._worked))

    def note(self, joined: Joined) -> None:
        """A peer that took our connection would do so again. Of web seeds the torrent tells."""
        if not joined.incoming and not joined.web:
            self._worked.pop(joined.address, None)
            self._worked[joined.address] = None
            if len(self._worked) > MAX_PEERS:
                del self._worked[next(iter(self._worked))]

    def name(self, addresses: Iterable[Address]) -> None:
        """The user names these; they are met again in each session."""
        self._named += addresses

    def add_node(self, address: Address) -> None:
        """There may be a node of the DHT."""
        if self._dht is not None:
            self._dht.add_node(address)

    async def _discovered(self, addresses: Sequence[Address], source: str) -> None:
        for host in self._dht.external if self._dht is not None else ():
            self._mirror.told(source, host)
        if self._names():  # it may have turned out to be private since it was looked for
            await self._found(addresses, source)
