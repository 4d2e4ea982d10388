"""Who is in which swarm: a tracker's memory and its answers, without a socket (BEP 3, 7, 23, 24, 48).

A peer is the address that its announce came from and the port that it named, so a client can register no one else. It
is forgotten when it has been silent for a while, and the tables are bounded: when they are full, those that have been
silent the longest make room. Both orders are the dictionaries' own, since whoever announces is put at the end. A
swarm is forgotten with its last peer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable, Sequence
from random import Random

import attrs

from trio_torrent.address import Address, pack
from trio_torrent.bencode import Value, encode

from .announce import Announce, AnnounceEvent, Counts
from .query import Question

INTERVAL = 120.0  # seconds between regular announces: swarms inside a cluster change quickly and are small
MIN_INTERVAL = 30.0  # seconds: who lacks peers may ask that often
PATIENCE = 2.5  # intervals of silence until a peer is forgotten: one announce may get lost
MAX_TORRENTS = 10_000
MAX_PEERS = 5_000  # of one torrent: with MAX_NUMWANT, one announce costs a few milliseconds at most
DEFAULT_NUMWANT = 50  # as BEP 3 trackers have always given
MAX_NUMWANT = 200  # and 1.2 kB of them in compact form


@attrs.frozen
class Peer:
    """A peer of one torrent as it was at its last announce."""

    address: Address
    peer_id: bytes
    seeder: bool
    seen: float  # on the clock that `now` is from


@attrs.frozen
class Told:
    """What the answer to an announce is made of, whatever protocol carries it."""

    interval: int  # seconds
    min_interval: int  # seconds
    counts: Counts
    peers: Sequence[Peer] = attrs.field(repr=False)


@attrs.define(eq=False)
class _Swarm:
    peers: dict[Address, Peer] = attrs.field(factory=dict)  # the longest silent first
    downloaded: int = 0  # how many ever said `completed`
    seen: float = 0.0

    @property
    def counts(self) -> Counts:
        seeders = sum(peer.seeder for peer in self.peers.values())
        return Counts(seeders, len(self.peers) - seeders, self.downloaded)


class Registry:
    """The swarms that a tracker knows, by info-hash."""

    def __init__(
        self,
        *,
        random: Random,
        interval: float = INTERVAL,
        max_torrents: int = MAX_TORRENTS,
        max_peers: int = MAX_PEERS,
    ) -> None:
        self._random = random
        self._interval = interval
        self._max_torrents = max_torrents
        self._max_peers = max_peers
        self._swarms: dict[bytes, _Swarm] = {}  # the longest silent first

    @property
    def torrents(self) -> Collection[bytes]:
        """The info-hashes that somebody has announced."""
        return self._swarms.keys()

    def peers(self, info_hash: bytes) -> Sequence[Peer]:
        """Who is in the swarm, the longest silent first."""
        swarm = self._swarms.get(info_hash)
        return tuple(swarm.peers.values()) if swarm else ()

    def hear(
        self, announce: Announce, host: str, now: float, eligible: Callable[[Address], bool] = lambda _: True
    ) -> Told:
        """Note what the peer at IP address `host` says, and choose those of the eligible that it is to hear of."""
        address = Address(host, announce.port)
        swarm = self._note(announce, address, now)
        return Told(
            interval=int(self._interval),
            min_interval=int(min(self._interval, MIN_INTERVAL)),
            counts=swarm.counts,
            peers=self._choose(swarm, announce, lambda other: other != address and eligible(other)),
        )

    def announce(self, question: Question, host: str, now: float) -> bytes:
        """The same by HTTP: the answer in bencode."""
        told = self.hear(question.announce, host, now)
        answer: dict[bytes, Value] = {
            b"interval": told.interval,
            b"min interval": told.min_interval,
            b"external ip": ipaddress.ip_address(host).packed,
        }
        answer |= _figures(told.counts)
        answer |= _compact(told.peers) if question.compact else _listed(told.peers, question.no_peer_id)
        return encode(answer)

    def count(self, info_hash: bytes, now: float) -> Counts:
        """Who shares a torrent; nobody, if it is not known."""
        swarm = self._swarms.get(info_hash) or _Swarm()
        self._forget_peers(swarm, now)
        return swarm.counts

    def scrape(self, hashes: Collection[bytes], now: float) -> bytes:
        """The figures of these torrents, or of all if none is named; those that we do not know are left out."""
        self._forget_swarms(now)
        known = [info_hash for info_hash in hashes or list(self._swarms) if info_hash in self._swarms]
        return encode({b"files": {info_hash: _figures(self.count(info_hash, now)) for info_hash in known}})

    def _note(self, announce: Announce, address: Address, now: float) -> _Swarm:
        """Put the peer, and its swarm, at the end of their tables; or take it out if it has stopped."""
        swarm = self._swarms.pop(announce.info_hash, None) or _Swarm()
        swarm.peers.pop(address, None)
        if announce.event is not AnnounceEvent.STOPPED:
            swarm.peers[address] = Peer(address, announce.peer_id, announce.left == 0, now)
        swarm.downloaded += announce.event is AnnounceEvent.COMPLETED
        if swarm.peers:
            swarm.seen = now
            self._swarms[announce.info_hash] = swarm
        self._forget_swarms(now)
        self._forget_peers(swarm, now)
        return swarm

    def _forget_swarms(self, now: float) -> None:
        """Drop the silent, and the longest silent of what is too many."""
        since = now - PATIENCE * self._interval
        while self._swarms:
            info_hash, swarm = next(iter(self._swarms.items()))
            if swarm.seen > since and len(self._swarms) <= self._max_torrents:
                break
            del self._swarms[info_hash]

    def _forget_peers(self, swarm: _Swarm, now: float) -> None:
        since = now - PATIENCE * self._interval
        while swarm.peers:
            address, peer = next(iter(swarm.peers.items()))
            if peer.seen > since and len(swarm.peers) <= self._max_peers:
                break
            del swarm.peers[address]

    def _choose(self, swarm: _Swarm, announce: Announce, eligible: Callable[[Address], bool]) -> list[Peer]:
        """Seeders first for those who still need something, no seeders for seeders, by chance within each kind."""
        if announce.event is AnnounceEvent.STOPPED:
            return []
        wanted = DEFAULT_NUMWANT if announce.numwant is None else min(announce.numwant, MAX_NUMWANT)
        others = [peer for address, peer in swarm.peers.items() if eligible(address)]
        seeders = [peer for peer in others if peer.seeder] if announce.left else []
        chosen = self._some(seeders, wanted)
        return chosen + self._some([peer for peer in others if not peer.seeder], wanted - len(chosen))

    def _some(self, peers: list[Peer], wanted: int) -> list[Peer]:
        return self._random.sample(peers, min(wanted, len(peers)))


def _figures(counts: Counts) -> dict[bytes, Value]:
    """As announces and scrapes tell them."""
    named = {b"complete": counts.seeders, b"incomplete": counts.leechers, b"downloaded": counts.downloaded}
    return {name: number for name, number in named.items() if number is not None}


def _compact(peers: Iterable[Peer]) -> dict[bytes, Value]:
    """BEP 23, and BEP 7 for IPv6."""
    ipv4, ipv6 = pack(peer.address for peer in peers)
    return {b"peers": ipv4, b"peers6": ipv6}


def _listed(peers: Iterable[Peer], no_peer_id: bool) -> dict[bytes, Value]:
    listed: list[Value] = []
    for peer in peers:
        entry: dict[bytes, Value] = {b"ip": peer.address.host.encode(), b"port": peer.address.port}
        listed.append(entry if no_peer_id else entry | {b"peer id": peer.peer_id})
    return {b"peers": listed}
