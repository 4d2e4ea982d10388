"""When to say to the local network which torrents are here, and what to believe of what others say (BEP 14).

One for all torrents of a client: the limits are of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from trio_torrent.address import Address, is_local, is_peer
from trio_torrent.errors import ProtocolError
from trio_torrent.wire.lsd import MOST_HASHES, LocalAnnounce, decode_local

SOURCE = "lsd"
"""What addresses from there are said to come from."""

AGAIN_SECONDS = 300.0  # until a torrent is announced again (BEP 14)
APART_SECONDS = 60.0  # between two messages, lest large networks drown in them (BEP 14)

# Messages a second that are read, whoever sends them; Transmission's limit.
MOST_HEARD = 10


class Neighbourhood:
    """What we say and hear. `port` is where peers reach us."""

    def __init__(self, port: int, random: Random) -> None:
        self._port = port
        self._cookie = f"{random.getrandbits(64):016x}"  # by which we know ourselves
        self._said: dict[bytes, float] = {}  # info-hash: when
        self._next = 0.0
        self._second = 0.0
        self._heard = 0  # messages in that second

    def due(self, info_hashes: Sequence[bytes], now: float) -> LocalAnnounce | None:
        """What to say now, of all the torrents that may be spoken of; those first that have waited longest."""
        self._said = {name: self._said[name] for name in info_hashes if name in self._said}
        waiting = [name for name in info_hashes if now >= self._said.get(name, -AGAIN_SECONDS) + AGAIN_SECONDS]
        if not waiting or now < self._next:
            return None
        waiting.sort(key=lambda name: self._said.get(name, -1.0))
        names = tuple(dict.fromkeys(waiting))[:MOST_HASHES]
        self._said.update(dict.fromkeys(names, now))
        self._next = now + APART_SECONDS
        return LocalAnnounce(self._port, names, self._cookie)

    def unheard(self, announce: LocalAnnounce) -> None:
        """It could not be sent: as if it had not been said, though not to be tried again at once."""
        for name in announce.info_hashes:
            self._said.pop(name, None)

    def heard(self, datagram: bytes, host: str, now: float) -> tuple[Address, tuple[bytes, ...]] | None:
        """Who has which torrents, if a datagram from this host says so. Only neighbours are listened to."""
        if now - self._second >= 1:
            self._second, self._heard = now, 0
        self._heard += 1
        if self._heard > MOST_HEARD or not is_local(host):
            return None
        try:
            announce = decode_local(datagram)
        except ProtocolError:
            return None
        address = Address(host, announce.port)
        return (address, announce.info_hashes) if announce.cookie != self._cookie and is_peer(address) else None
