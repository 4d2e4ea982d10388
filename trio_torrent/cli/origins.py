"""Where a torrent's peers come from, and how each of these sources is, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from .words import duration, plural, size

if TYPE_CHECKING:
    from trio_torrent import DiscoveryStatus, Status, TrackerStatus, WebSeedStatus

GOSSIP = {"pex": "other peers", "lsd": "the local network", "the user": "--peer and the link"}


@attrs.frozen
class Origin:
    """One source of peers, or of data."""

    name: str
    said: str  # what it is doing, and what it last said
    again: float | None = None  # seconds from now, when it is asked again

    def __str__(self) -> str:
        """With the time, as it is now."""
        again = f", again in {duration(self.again)}" if self.again else ""
        return f"{self.name}: {self.said}{again}"


def origins(status: Status) -> Iterator[Origin]:
    """All of them: those that can fail first."""
    yield from map(_tracker, status.trackers)
    if status.dht is not None:
        yield _dht(status.dht)
    yield from map(_web_seed, status.web_seeds)
    for source, name in GOSSIP.items():
        if status.named.get(source):
            yield Origin(name, f"{_addresses(status.named[source])} known")


def _tracker(tracker: TrackerStatus) -> Origin:
    figures = [
        (tracker.peers or None, "given"),
        (tracker.seeders, "seeding"),
        (tracker.leechers, "downloading"),
    ]
    said = [tracker.error or tracker.warning, *(f"{count} {what}" for count, what in figures if count is not None)]
    return Origin(f"tracker {_place(tracker.url)}", _joined(tracker.state, said), tracker.next_announce)


def _dht(dht: DiscoveryStatus) -> Origin:
    said = [f"{count} {what}" for count, what in ((dht.peers, "given"), (dht.nodes, "nodes answered")) if count]
    return Origin("DHT", _joined(dht.state, said), dht.next)


def _web_seed(seed: WebSeedStatus) -> Origin:
    said = [seed.error, f"{size(seed.received)} received" if seed.received else None]
    return Origin(f"web seed {_place(seed.url)}", _joined(seed.state, said), seed.next_try)


def _place(url: str) -> str:
    """Host and port: the rest of a URL may hold a passkey, and somebody may look over one's shoulder."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or url


def _joined(state: str, said: list[str | None] | list[str]) -> str:
    return ": ".join(part for part in (state, ", ".join(filter(None, said))) if part)


def _addresses(count: int) -> str:
    return plural(count, "address") if count == 1 else f"{count} addresses"
