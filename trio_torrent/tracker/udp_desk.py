"""Being a UDP tracker: a datagram in, a datagram out (BEP 15).

A connection id proves that a client receives what is sent to the address that it has. It is made from that address,
the time and a secret, so nothing is remembered for those who ask; and without one, nobody is sent more than he sent.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from trio_torrent.address import Address, pack

from .announce import Announce, AnnounceEvent, Refused
from .limits import MAX_SCRAPED
from .registry import Registry
from .udp import ANNOUNCE, ANSWER, ASK, COUNTS, EVENTS, PROTOCOL, Action

# A client uses its id for a minute, and it is good for two at the least, which begin within one of ours (BEP 15).
WINDOW_SECONDS = 60.0
WINDOWS = 3

# An answer is one packet on any path: 1280 bytes with IPv6, less the headers and what stands before the peers.
MAX_PEERS = {False: (1280 - 48 - 20) // 6, True: (1280 - 48 - 20) // 18}

_HEAD = struct.Struct(">II")  # action, transaction
_EVENTS = {number: event for event, number in EVENTS.items()}


class UdpDesk:
    """Answers for a registry."""

    def __init__(self, registry: Registry, *, secret: bytes) -> None:
        """`secret` is random, and nobody else's: 16 bytes or more, at most 64."""
        self._registry = registry
        self._secret = secret

    def answer(self, data: bytes, host: str, now: float) -> bytes | None:
        """What to send back to IP address `host`, if anything."""
        if len(data) < ASK.size:
            return None
        connection, action, transaction = ASK.unpack_from(data)
        if action == Action.CONNECT:
            return self._connect(transaction, host, now) if connection == PROTOCOL else None
        try:
            if connection not in self._valid(host, now):
                raise Refused("connection id is not valid")
            return _HEAD.pack(action, transaction) + self._respond(action, data[ASK.size :], host, now)
        except Refused as error:
            return _HEAD.pack(Action.ERROR, transaction) + str(error).encode()

    def _connect(self, transaction: int, host: str, now: float) -> bytes:
        return _HEAD.pack(Action.CONNECT, transaction) + self._valid(host, now)[0].to_bytes(8)

    def _valid(self, host: str, now: float) -> Sequence[int]:
        """The connection ids of that address, the newest first."""
        window = int(now // WINDOW_SECONDS)
        return [self._id(host, window - age) for age in range(WINDOWS)]

    def _id(self, host: str, window: int) -> int:
        proof = hashlib.blake2b(f"{host} {window}".encode(), key=self._secret, digest_size=8)
        return int.from_bytes(proof.digest())

    def _respond(self, action: int, body: bytes, host: str, now: float) -> bytes:
        if action == Action.ANNOUNCE:
            return self._announce(_read_announce(body), host, now)
        if action == Action.SCRAPE:
            return self._scrape(body, now)
        raise Refused("only announces and scrapes are served")

    def _announce(self, announce: Announce, host: str, now: float) -> bytes:
        """Whoever comes by IPv6 hears of IPv6 addresses, and the same for IPv4: the answer has room for one kind."""
        ipv6 = ":" in host

        def eligible(address: Address) -> bool:
            return (":" in address.host) is ipv6

        told = self._registry.hear(announce, host, now, eligible)
        packed = pack(peer.address for peer in told.peers[: MAX_PEERS[ipv6]])
        return ANSWER.pack(told.interval, told.counts.leechers, told.counts.seeders) + packed[ipv6]

    def _scrape(self, body: bytes, now: float) -> bytes:
        hashes = [body[at : at + 20] for at in range(0, len(body) // 20 * 20, 20)][:MAX_SCRAPED]
        counted = [self._registry.count(info_hash, now) for info_hash in hashes]
        return b"".join(COUNTS.pack(counts.seeders, counts.downloaded, counts.leechers) for counts in counted)


def _read_announce(body: bytes) -> Announce:
    """What follows its 90 bytes, the path of our URL for one, is of no use here. Raises Refused."""
    if len(body) < ANNOUNCE.size:
        raise Refused("an announce is longer")
    info_hash, peer_id, downloaded, left, uploaded, event, _, key, numwant, port = ANNOUNCE.unpack_from(body)
    if not port:
        raise Refused("port must be from 1 to 65535")
    return Announce(
        info_hash=info_hash,
        peer_id=peer_id,
        port=port,
        uploaded=uploaded,
        downloaded=downloaded,
        left=left,
        event=_EVENTS.get(event, AnnounceEvent.NONE),
        key=key,
        numwant=None if numwant < 0 else numwant,
        tracker_id=None,
    )
