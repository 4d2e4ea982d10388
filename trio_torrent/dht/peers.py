"""The peers that others have announced to us (BEP 5; BEP 33 for who is a seed).

A torrent's peers are one for each address, so that nobody fills a swarm from one place, and both tables are bounded.
Dictionaries keep the order in which things were last announced, so the longest silent are found at the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs

from .bloom import bloom
from .endpoint import Endpoint, ip_of

MAX_TORRENTS = 2000  # libtorrent's dht_max_torrents
MAX_PEERS = 500  # of one torrent; libtorrent's dht_max_peers
LIFETIME = 45 * 60.0  # seconds; clients announce every 15 to 30 minutes (libtorrent keeps them as long)
MAX_SAMPLES = 20  # info-hashes in one answer (BEP 51); libtorrent's dht_max_infohashes_sample_count
SAMPLE_INTERVAL = (
    6 * 3600
)  # seconds that a sample stands for; libtorrent's dht_sample_infohashes_interval is at most that


@attrs.frozen
class _Peer:
    endpoint: Endpoint
    seed: bool
    seen: float


@attrs.define(eq=False)
class _Swarm:
    peers: dict[bytes, _Peer] = attrs.field(factory=dict)  # by address, the longest silent first
    seen: float = 0.0


@attrs.frozen
class Sample:
    """Some of the torrents that we know peers of (BEP 51)."""

    info_hashes: tuple[bytes, ...]
    num: int  # how many there are
    interval: int  # seconds until it changes


class Peers:
    """Info-hash -> who announced it lately. All of one family."""

    def __init__(self, random: Random, *, max_torrents: int = MAX_TORRENTS, max_peers: int = MAX_PEERS) -> None:
        self._random = random
        self._max_torrents = max_torrents
        self._max_peers = max_peers
        self._swarms: dict[bytes, _Swarm] = {}  # the longest silent first
        self._count = 0
        self._sample: tuple[bytes, ...] = ()
        self._sampled_at = -float("inf")

    @property
    def torrents(self) -> int:
        """How many have peers here."""
        return len(self._swarms)

    def __len__(self) -> int:
        """How many peers there are, of all torrents together."""
        return self._count

    def announced(self, info_hash: bytes, endpoint: Endpoint, seed: bool, now: float) -> None:
        """Keep a peer for 45 minutes. Room is made by the torrent, or the peer of this torrent, that matters least."""
        swarm = self._swarms.pop(info_hash, None)
        if swarm is None:
            if len(self._swarms) >= self._max_torrents:
                self._forget_smallest()
            swarm = _Swarm()
        self._swarms[info_hash] = swarm
        self._count -= len(swarm.peers)
        swarm.peers.pop(ip_of(endpoint), None)
        if len(swarm.peers) >= self._max_peers:
            del swarm.peers[next(iter(swarm.peers))]
        swarm.peers[ip_of(endpoint)] = _Peer(endpoint, seed, now)
        swarm.seen = now
        self._count += len(swarm.peers)

    def some(self, info_hash: bytes, most: int, *, noseed: bool = False) -> Sequence[Endpoint]:
        """At most so many peers of a torrent, from a place by chance on; with `noseed` no seeds."""
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            return ()
        peers = [peer.endpoint for peer in swarm.peers.values() if not (noseed and peer.seed)]
        if len(peers) <= most:
            return peers
        start = self._random.randrange(len(peers))
        return (peers + peers)[start : start + most]

    def has(self, info_hash: bytes) -> bool:
        """Whether anybody has announced this torrent lately."""
        return info_hash in self._swarms

    def filters(self, info_hash: bytes) -> tuple[bytes, bytes] | None:
        """The seeds and the others as Bloom filters (BEP 33); None for an unknown torrent."""
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            return None
        seeds = bloom(ip for ip, peer in swarm.peers.items() if peer.seed)
        return seeds, bloom(ip for ip, peer in swarm.peers.items() if not peer.seed)

    def sample(self, now: float) -> Sample:
        """A few torrents, the same for a while, so that asking often gains nothing (BEP 51)."""
        if now - self._sampled_at >= SAMPLE_INTERVAL or len(self._sample) < min(MAX_SAMPLES, len(self._swarms)):
            self._sample = tuple(self._random.sample(list(self._swarms), min(MAX_SAMPLES, len(self._swarms))))
            self._sampled_at = now
        left = int(self._sampled_at + SAMPLE_INTERVAL - now)
        return Sample(self._sample, len(self._swarms), left)

    def expire(self, now: float) -> None:
        """Forget who has not announced for long."""
        since = now - LIFETIME
        for swarm in self._swarms.values():
            while swarm.peers and next(iter(swarm.peers.values())).seen <= since:
                del swarm.peers[next(iter(swarm.peers))]
                self._count -= 1
        self._swarms = {info_hash: swarm for info_hash, swarm in self._swarms.items() if swarm.peers}

    def _forget_smallest(self) -> None:
        """Of the torrents with the fewest peers, the longest silent: invented ones have one peer each."""
        leaving = min(self._swarms, key=lambda info_hash: len(self._swarms[info_hash].peers))
        self._count -= len(self._swarms.pop(leaving).peers)
