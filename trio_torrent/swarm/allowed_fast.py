"""The pieces that a peer may fetch although it is choked (BEP 6, "Allowed Fast Set Generation").

A newcomer has nothing to trade with, so nobody unchokes it but by chance. A few pieces, for nothing, get it started. As
everyone computes the same ones from its address, asking many does not get it more of them.
"""

from __future__ import annotations

import struct
from hashlib import sha1
from ipaddress import IPv4Address, IPv6Address, ip_address

# Pieces that are given for nothing. BEP 6 has 10; libtorrent's `allowed_fast_set_size` is 5, and that is enough to have
# something to trade with.
ALLOWED_FAST = 5

_NETWORK = 3  # bytes of an IPv4 address that count: many addresses in one network are often one person's
_INDICES = struct.Struct(">5I")


def allowed_fast_set(host: str, info_hash: bytes, pieces: int, k: int = ALLOWED_FAST) -> tuple[int, ...]:
    """The first `k` pieces, in the order of the BEP, that whoever is at this IP address may always have.

    All pieces if there are no more than `k`; none for a host that is known by name only, as it may have any address.
    BEP 6 says nothing of IPv6: like libtorrent, we take the whole address, so that both of us name the same pieces.
    """
    if pieces <= k:
        return tuple(range(pieces))
    try:
        seed = _significant(ip_address(host)) + info_hash
    except ValueError:
        return ()
    chosen: dict[int, None] = {}
    while len(chosen) < k:
        seed = sha1(seed).digest()
        chosen.update(dict.fromkeys(number % pieces for number in _INDICES.unpack(seed)))
    return tuple(chosen)[:k]


def _significant(address: IPv4Address | IPv6Address) -> bytes:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return address.packed
        address = address.ipv4_mapped
    return address.packed[:_NETWORK] + b"\0"
