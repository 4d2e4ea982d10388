"""What peers learn of us."""

from __future__ import annotations

import attrs

from trio_torrent.address import Address

from .mirror import Mirror


@attrs.frozen
class Ours:
    """What peers learn of us."""

    peer_id: bytes
    port: int | None = None
    client: str | None = None
    mirror: Mirror = attrs.field(factory=Mirror)  # where others see us
    own: frozenset[Address] = frozenset()  # where we would reach ourselves, as far as known
    info_hash: bytes = b""  # the 20 bytes by which they know the torrent
    dht_port: int | None = None  # of our node, UDP, if the DHT may know of this torrent
