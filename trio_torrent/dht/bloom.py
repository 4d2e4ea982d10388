"""Counting a swarm over many nodes that know parts of it: Bloom filters of addresses (BEP 33)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

FILTER_LENGTH = 256  # bytes
_BITS = FILTER_LENGTH * 8
_HASHES = 2


def bloom(ips: Iterable[bytes]) -> bytes:
    """The filter that holds these addresses, 4 or 16 bytes each."""
    bits = 0
    for ip in ips:
        digest = hashlib.sha1(ip).digest()
        bits |= 1 << int.from_bytes(digest[:2], "little") % _BITS | 1 << int.from_bytes(digest[2:4], "little") % _BITS
    return bits.to_bytes(FILTER_LENGTH, "little")


def union(one: bytes, other: bytes) -> bytes:
    """The filter of everybody in either."""
    bits = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return bits.to_bytes(FILTER_LENGTH, "little")


def holds(known: bytes, ip: bytes) -> bool:
    """Whether the address is in the filter; sometimes it only seems so."""
    return union(known, bloom([ip])) == known


def estimate(known: bytes) -> float:
    """About how many addresses are in the filter; useless beyond 6000."""
    zeros = _BITS - int.from_bytes(known, "little").bit_count()
    return math.log(max(zeros, 1) / _BITS) / (_HASHES * math.log1p(-1 / _BITS))
