"""How the DHT is at a moment."""

from __future__ import annotations

import attrs

from .endpoint import Family


@attrs.define(eq=False)
class Counters:
    """What has passed a node, since it was made."""

    queries_in: int = 0
    answers_out: int = 0
    answer_bytes: int = 0
    queries_out: int = 0
    replies_in: int = 0
    timeouts: int = 0
    dropped: int = 0  # datagrams that came to nothing: garbage, declined, unasked for, from nuisances, beyond the quota


@attrs.frozen(kw_only=True)
class NodeStatus:
    """One family's node."""

    id: bytes
    external: str | None  # our address, as others see it
    nodes: int  # in the table
    good: int  # of them, heard of lately
    torrents: int  # that others have announced to us
    peers: int  # of these
    items: int  # that others have stored with us
    counters: Counters  # a copy


@attrs.frozen(kw_only=True)
class DhtStatus:
    """All of it. Rates are bytes/s."""

    families: dict[Family, NodeStatus]
    searches: int  # under way, ours
    down_rate: float
    up_rate: float

    @property
    def nodes(self) -> int:
        """In all tables."""
        return sum(node.nodes for node in self.families.values())


@attrs.frozen(kw_only=True)
class DiscoveryStatus:
    """What the DHT does for one torrent. The figures are of the last round, or of the one that is under way."""

    state: str  # in words
    peers: int  # that were named; several nodes may name the same one
    nodes: int  # that have answered
    announced_to: int  # nodes that have taken our announce
    last: float | None  # seconds since the last round has ended; None if none has
    next: float | None  # seconds until the next one; None while one is under way

    def __str__(self) -> str:
        """One line for people."""
        figures = [(self.peers, "given"), (self.nodes, "nodes answered")]
        said = [f"{number} {what}" for number, what in figures if number]
        if self.next is not None:
            said.append(f"next lookup in {self.next:.0f} s")
        return ": ".join(part for part in (self.state, ", ".join(said)) if part)


@attrs.frozen
class Scrape:
    """About how many share a torrent: estimates from how full the nodes' filters are, so no whole numbers (BEP 33)."""

    seeds: float
    peers: float  # the others
