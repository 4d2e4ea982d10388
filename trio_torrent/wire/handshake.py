"""The first 68 bytes of a connection, both ways (BEP 3, "peer protocol"; BEP 10 for the reserved bits)."""

from __future__ import annotations

import attrs

from trio_torrent.errors import ProtocolError

HANDSHAKE_LENGTH = 68
PROTOCOL = b"\x13BitTorrent protocol"

# The reserved bits, counted as one big-endian integer of 64.
DHT = 0x01  # BEP 5, "torrent peers": the last bit
FAST = 0x04  # BEP 6
V2 = 0x10  # BEP 52, "upgrade path"
EXTENDED = 0x10_0000  # BEP 10


@attrs.frozen
class Handshake:
    """Which torrent, who speaks, and which extensions they know."""

    info_hash: bytes  # 20 bytes: SHA-1, or a truncated SHA-256
    peer_id: bytes  # 20 bytes (BEP 20)
    reserved: int = 0

    @property
    def dht(self) -> bool:
        """There is a DHT node, whose port a `port` message tells (BEP 5)."""
        return bool(self.reserved & DHT)

    @property
    def fast(self) -> bool:
        """The fast extension is offered (BEP 6). In force when both offer it."""
        return bool(self.reserved & FAST)

    @property
    def extended(self) -> bool:
        """The extension protocol is offered (BEP 10)."""
        return bool(self.reserved & EXTENDED)

    @property
    def v2(self) -> bool:
        """Who dials by the v1 info-hash of a hybrid takes the v2 one for an answer, too (BEP 52, "upgrade path")."""
        return bool(self.reserved & V2)

    def __bytes__(self) -> bytes:
        return PROTOCOL + self.reserved.to_bytes(8) + self.info_hash + self.peer_id


def decode_handshake(data: bytes) -> Handshake:
    """Read 68 bytes. ProtocolError if they are something else's."""
    if not data.startswith(PROTOCOL) or len(data) != HANDSHAKE_LENGTH:
        raise ProtocolError("not a BitTorrent handshake")
    return Handshake(bytes(data[28:48]), bytes(data[48:68]), int.from_bytes(data[20:28]))


def answer(theirs: Handshake, ours: Handshake, v2: bytes | None) -> Handshake:
    """Ours for somebody who dialled: by the name they used, or by the v2 one, if they take that and there is one."""
    upgraded = v2 if v2 is not None and theirs.v2 else theirs.info_hash
    return attrs.evolve(ours, info_hash=upgraded)


def may_be_handshake(data: bytes) -> bool:
    """Whether the first bytes of a stranger can still become a handshake; if not, there is no use in waiting."""
    return data[: len(PROTOCOL)] == PROTOCOL[: len(data)]
