"""Whom to prefer when there are too many: a number for each pair of peers, the same at both ends (BEP 40).

Everyone prefers others, as each pair's number is a hash of both addresses. So no peer is everybody's favourite or
nobody's, a newcomer finds those who prefer it to someone they have, and flooding a swarm with addresses gains a share
of its places in proportion, and no more. The masks take most of the choice away from who has a whole network.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from trio_torrent.address import Address, ip_of

from .mirror import Mirror

CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, lowest bit first
PARTLY = 0x55  # of the bytes in which two hosts differ beyond the network, every other bit counts
WHOLE_IPV4, WHOLE_IPV6 = 2, 6  # leading bytes that count whole, at the least


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (CASTAGNOLI if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_entry, range(256)))


def crc32c(data: bytes) -> int:
    """CRC-32C, 32 bits."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def priority(one: Address, other: Address) -> int | None:
    """32 bits, the more the better; None between IPv4 and IPv6 or where a host is a name (BEP 40, overview)."""
    mine, yours = ip_of(one.host), ip_of(other.host)
    if mine is None or yours is None or mine.version != yours.version:
        return None
    if mine == yours:
        return _hash(address.port.to_bytes(2, "big") for address in (one, other))
    whole = WHOLE_IPV4 if mine.version == 4 else WHOLE_IPV6
    while mine.packed[:whole] == yours.packed[:whole]:
        whole += 1
    return _hash(_masked(ip.packed, whole) for ip in (mine, yours))


def _masked(packed: bytes, whole: int) -> bytes:
    return packed[:whole] + bytes(byte & PARTLY for byte in packed[whole:])


def _hash(parts: Iterable[bytes]) -> int:
    return crc32c(b"".join(sorted(parts)))


class Ranking:
    """How much we would like to talk to an address.

    `mirror` tells how others see us, as far as known. Where it is not known the order is random, but fixed: a hash
    with a `salt` of at most 64 bytes that nobody else knows.
    """

    def __init__(self, mirror: Mirror, salt: bytes) -> None:
        self._mirror = mirror
        self._salt = salt

    def __call__(self, address: Address) -> int:
        for mine in self._mirror.addresses:
            if (rank := priority(mine, address)) is not None:
                return rank
        digest = blake2b(str(address).encode(errors="replace"), digest_size=4, key=self._salt).digest()
        return int.from_bytes(digest, "big")
