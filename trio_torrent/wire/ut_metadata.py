"""The info dictionary from peer to peer, in pieces of 16 KiB: ask, give, refuse (BEP 9).

A message is a dictionary; one that gives is followed by the piece itself, raw.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from trio_torrent.bencode import Value, decode_prefix, encode
from trio_torrent.errors import BencodeError

NAME = "ut_metadata"

METADATA_PIECE = 16 * 1024  # bytes; the last piece may be shorter

# Bytes of an info dictionary; anacrolix's limit. A torrent of 2 million files in the tersest form is as long.
MAX_METADATA = 16 << 20

MAX_PAYLOAD = METADATA_PIECE + 1024  # libtorrent's limit: the dictionary before a piece has some 50 bytes
MAX_DEPTH = 8  # lists and dictionaries in one another; there is nothing but numbers in it
MAX_TOKENS = 100

_REQUEST, _DATA, _REJECT = range(3)


@attrs.frozen
class MetadataRequest:
    """Give me this piece of it."""

    piece: int


@attrs.frozen
class MetadataData:
    """Here it is."""

    piece: int
    total_size: int  # bytes of the whole
    data: bytes | memoryview = attrs.field(repr=False, eq=bytes)


@attrs.frozen
class MetadataReject:
    """I have none, or have given enough."""

    piece: int


MetadataMessage: TypeAlias = MetadataRequest | MetadataData | MetadataReject


def metadata_pieces(size: int) -> int:
    """How many pieces so many bytes are."""
    return -(-size // METADATA_PIECE)


def metadata_piece_size(size: int, piece: int) -> int:
    """Bytes of a piece of so many in all."""
    return min(METADATA_PIECE, size - piece * METADATA_PIECE)


def encode_metadata(message: MetadataMessage) -> bytes:
    """What an extended message of it carries."""
    match message:
        case MetadataRequest(piece):
            return encode({b"msg_type": _REQUEST, b"piece": piece})
        case MetadataData(piece, total_size, data):
            return encode({b"msg_type": _DATA, b"piece": piece, b"total_size": total_size}) + bytes(data)
        case MetadataReject(piece):
            return encode({b"msg_type": _REJECT, b"piece": piece})


def decode_metadata(payload: bytes) -> MetadataMessage | None:
    """Read one; None if it is of a kind that we do not know, or of none. Nothing in it is beyond the limits above."""
    if len(payload) > MAX_PAYLOAD:
        return None
    try:
        fields, end = decode_prefix(payload, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS)
    except BencodeError:
        return None
    if not isinstance(fields, dict):
        return None
    piece = _number(fields, b"piece", 0, metadata_pieces(MAX_METADATA) - 1)
    kind = fields.get(b"msg_type")
    if piece is None:
        return None
    if kind == _REQUEST:
        return MetadataRequest(piece)
    if kind == _DATA:
        return _data(piece, fields, payload[end:])
    return MetadataReject(piece) if kind == _REJECT else None


def _data(piece: int, fields: dict[bytes, Value], data: bytes) -> MetadataData | None:
    size = _number(fields, b"total_size", 1, MAX_METADATA)
    if size is None or len(data) > METADATA_PIECE:
        return None
    return MetadataData(piece, size, data)


def _number(fields: dict[bytes, Value], key: bytes, least: int, most: int) -> int | None:
    value = fields.get(key)
    return value if isinstance(value, int) and least <= value <= most else None
