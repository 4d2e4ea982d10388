"""Node ids: 160 bits, the distance between them (BEP 5), and how an address limits them (BEP 42)."""

from __future__ import annotations

from collections import Counter, deque
from functools import lru_cache
from random import Random

from .endpoint import is_local

ID_LENGTH = 20  # bytes
ID_BITS = 160

# BEP 42: what counts of an address, so that ids in reach grow slower than the address space that somebody controls.
_MASKS = {4: bytes.fromhex("030f3fff"), 16: bytes.fromhex("0103070f1f3f7fff")}

VOTES = 32  # opinions on our address that are kept; the latest count
QUORUM = 8  # of them that must agree, and be the majority, before we believe it: the K of one lookup


def distance(one: bytes, other: bytes) -> int:
    """How far apart two ids are: their exclusive or, as a number (BEP 5, "overview")."""
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")


def random_id(random: Random, *, prefix: int = 0, bits: int = 0) -> bytes:
    """An id whose first `bits` bits are those of `prefix`, an id as a number; the rest is by chance."""
    free = ID_BITS - bits
    return (prefix >> free << free | random.getrandbits(free) if free else prefix).to_bytes(ID_LENGTH, "big")


def id_for(ip: bytes, random: Random) -> bytes:
    """An id that our address, 4 or 16 bytes, entitles us to (BEP 42). A local address entitles to any."""
    if is_local(ip):
        return random_id(random)
    last = random.getrandbits(8)
    start = _start(ip, last & 7)
    middle = start[2] & 0xF8 | random.getrandbits(3)
    return start[:2] + bytes([middle]) + random.randbytes(16) + bytes([last])


def suits(node_id: bytes, ip: bytes) -> bool:
    """Whether the address entitles to the id: the first 21 bits agree (BEP 42)."""
    start = _start(ip, node_id[-1] & 7)
    return (node_id[:2] == start[:2] and (node_id[2] ^ start[2]) & 0xF8 == 0) or is_local(ip)


@lru_cache(maxsize=1024)  # the same nodes turn up in one answer after another
def _start(ip: bytes, last: int) -> bytes:
    """The hash whose first 21 bits an id begins with, for ids that end in these 3 bits."""
    masked = bytearray(byte & mask for byte, mask in zip(ip, _MASKS[len(ip)], strict=False))
    masked[0] |= last << 5
    return crc32c(masked).to_bytes(4, "big")


def crc32c(data: bytes | bytearray) -> int:
    """Castagnoli's checksum, which the standard library lacks; 4 or 8 bytes at a time here."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _crc_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC_TABLE = tuple(map(_crc_entry, range(256)))


class Mirror:
    """What others say our address is (BEP 42, "bootstrapping"). Nobody is trusted alone: they vote, one voice each."""

    def __init__(self) -> None:
        self._votes: deque[tuple[bytes, bytes]] = deque(maxlen=VOTES)  # the voter's address, and ours as it says

    def voted(self, voter: bytes, ours: bytes) -> bytes | None:
        """Count a vote. Our address, if enough of the latest voters agree."""
        if any(vote[0] == voter for vote in self._votes):
            self._votes = deque((vote for vote in self._votes if vote[0] != voter), maxlen=VOTES)
        self._votes.append((voter, ours))
        elected, votes = Counter(vote[1] for vote in self._votes).most_common(1)[0]
        return elected if votes >= QUORUM and votes * 2 > len(self._votes) else None
