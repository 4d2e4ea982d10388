"""The extension protocol's handshake: what a peer can do beyond the basics, and what it would like us to know (BEP 10).

It is message 20 with number 0. Every field is optional, and peers put odd things in; what is not as it should be counts
as absent, since nothing depends on it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from trio_torrent.bencode import Value, decode, encode
from trio_torrent.errors import BencodeError

from .messages import Extended

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

HANDSHAKE_NUMBER = 0
MAX_HANDSHAKE = 16 * 1024  # bytes; a few hundred in practice
MAX_DEPTH = 32  # Transmission's limit for what peers send in bencode
MAX_CLIENT = 64  # characters of a client's name that are worth keeping


@attrs.frozen(kw_only=True)
class ExtendedHandshake:
    """What one side says of itself."""

    extensions: Mapping[str, int] = attrs.field(factory=dict)  # name: the number by which it wants to be sent them
    client: str | None = None  # name and version, for people
    port: int | None = None  # where it listens, TCP
    reqq: int | None = None  # requests that it queues before it drops some
    upload_only: bool = False  # it wants nothing (BEP 21)
    metadata_size: int | None = None  # bytes of the info dictionary (BEP 9)
    your_ip: IPAddress | None = None  # where it sees the other


def encode_extended(handshake: ExtendedHandshake) -> Extended:
    """The handshake as a message."""
    fields: dict[bytes, Value | None] = {
        b"m": {name.encode(): number for name, number in handshake.extensions.items()},
        b"v": None if handshake.client is None else handshake.client.encode(),
        b"p": handshake.port,
        b"reqq": handshake.reqq,
        b"upload_only": 1 if handshake.upload_only else None,
        b"metadata_size": handshake.metadata_size,
        b"yourip": None if handshake.your_ip is None else handshake.your_ip.packed,
    }
    known: Value = {key: value for key, value in fields.items() if value is not None}
    return Extended(HANDSHAKE_NUMBER, encode(known))


def decode_extended(message: Extended) -> ExtendedHandshake | None:
    """Read a handshake; None if it is not one that can be read."""
    if message.number != HANDSHAKE_NUMBER or len(message.payload) > MAX_HANDSHAKE:
        return None
    try:
        fields = decode(message.payload, max_depth=MAX_DEPTH, allow_trailing=True)
    except BencodeError:
        return None
    if not isinstance(fields, dict):
        return None
    client = fields.get(b"v")
    return ExtendedHandshake(
        extensions=_extensions(fields.get(b"m")),
        client=client.decode(errors="replace")[:MAX_CLIENT] if isinstance(client, bytes) else None,
        port=_number(fields, b"p", 1, 65535),
        reqq=_number(fields, b"reqq", 1, 1 << 20),
        upload_only=fields.get(b"upload_only") == 1,
        metadata_size=_number(fields, b"metadata_size", 1, 1 << 31),
        your_ip=_ip(fields.get(b"yourip")),
    )


def _ip(value: Value | None) -> IPAddress | None:
    return ipaddress.ip_address(value) if isinstance(value, bytes) and len(value) in (4, 16) else None


def _extensions(value: Value | None) -> dict[str, int]:
    """Names and numbers; number 0 means that the extension is turned off."""
    if not isinstance(value, dict):
        return {}
    return {
        name.decode(errors="replace"): number
        for name, number in value.items()
        if isinstance(number, int) and 0 < number < 256
    }


def _number(fields: dict[bytes, Value], key: bytes, least: int, most: int) -> int | None:
    value = fields.get(key)
    return value if isinstance(value, int) and least <= value <= most else None
