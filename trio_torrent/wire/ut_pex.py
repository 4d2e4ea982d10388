"""Peers telling peers of peers (BEP 11)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

import attrs

from trio_torrent.address import COMPACT_IPV4, COMPACT_IPV6, Address, pack, unpack_ipv4, unpack_ipv6
from trio_torrent.bencode import Value, decode, encode
from trio_torrent.errors import BencodeError

NAME = "ut_pex"

# Of each family that are read of one message, added and dropped alike; libtorrent's `max_pex_peers`. BEP 11 allows
# 50 in all, but for the first message.
MOST_CONTACTS = 50

MAX_PAYLOAD = 64 * 1024  # bytes; 50 added and 50 dropped of each family have 2500, but a first message may have more
MAX_DEPTH = 8  # lists and dictionaries in one another; there are only strings in it
MAX_TOKENS = 1000

# What is said of those that are added.
SEED = 0x02  # or wants nothing more
OUTGOING = 0x10  # whoever tells of it has dialled it, so it can be reached

_Unpack = Callable[[bytes], list[Address]]


@attrs.frozen
class Contact:
    """A peer that somebody is connected to."""

    address: Address
    flags: int = 0  # `SEED`, `OUTGOING` and others of BEP 11


@attrs.frozen
class PeerExchange:
    """Who has come and who has gone since the last message."""

    added: tuple[Contact, ...] = ()
    dropped: tuple[Address, ...] = ()


def encode_pex(message: PeerExchange) -> bytes:
    """What an extended message of it carries. ValueError for hosts that are names."""
    fields: dict[bytes, Value] = {}
    for suffix, version in ((b"", 4), (b"6", 6)):
        added = [contact for contact in message.added if _version(contact.address) == version]
        fields[b"added" + suffix] = _pack(contact.address for contact in added)
        fields[b"added" + suffix + b".f"] = bytes(contact.flags for contact in added)
        fields[b"dropped" + suffix] = _pack(gone for gone in message.dropped if _version(gone) == version)
    return encode(fields)


def decode_pex(payload: bytes) -> PeerExchange | None:
    """Read one, up to the limits above; None if it cannot be read. Every address has a port."""
    if len(payload) > MAX_PAYLOAD:
        return None
    try:
        fields = decode(payload, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS, allow_trailing=True)
    except BencodeError:
        return None
    if not isinstance(fields, dict):
        return None
    ipv4 = _unpack(fields, b"added", COMPACT_IPV4, unpack_ipv4)
    ipv6 = _unpack(fields, b"added6", COMPACT_IPV6, unpack_ipv6)
    gone4 = _unpack(fields, b"dropped", COMPACT_IPV4, unpack_ipv4)
    gone6 = _unpack(fields, b"dropped6", COMPACT_IPV6, unpack_ipv6)
    return PeerExchange((*ipv4, *ipv6), tuple([contact.address for contact in (*gone4, *gone6)]))


def _version(address: Address) -> int:
    return ipaddress.ip_address(address.host).version


def _pack(addresses: Iterable[Address]) -> bytes:
    return b"".join(pack(addresses))


def _unpack(fields: dict[bytes, Value], key: bytes, width: int, unpack: _Unpack) -> Sequence[Contact]:
    """Groups one by one, since those without a port are left out and each has its flags at its own place."""
    groups, flags = fields.get(key), fields.get(key + b".f")
    if not isinstance(groups, bytes):
        return []
    if not isinstance(flags, bytes):
        flags = b""
    return [
        Contact(address, flags[number] if number < len(flags) else 0)
        for number in range(min(MOST_CONTACTS, len(groups) // width))
        for address in unpack(groups[number * width : (number + 1) * width])
    ]
