"""One message to bytes, and back: a 4-byte length, a number, the body (BEP 3 and BEP 52, "peer messages")."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import TypeAlias

from trio_torrent.errors import ProtocolError
from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.metainfo.merkle import DIGEST

from .messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Hashes,
    HashReject,
    HashRequest,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
)

# The lengths that a stranger may announce; they are looked at before a byte is kept for them. A bitfield may be long:
# that of 8 million pieces is 1 MiB, libtorrent's limit for any message. Of the others an extension's handshake is the
# longest that we read, a block has 16 KiB; anacrolix draws its line at 64 KiB, too. A message is in memory up to three
# times while it is read, and all of it is copied for each chunk that comes, so the line matters.
MAX_MESSAGE = 1 << 20
MAX_OTHERS = 64 * 1024 + 2

# Nodes of a hash tree in one message: those under a piece of 128 MiB. libtorrent takes no request for more.
MOST_HASHES = 8192

PIECE_HEADER = 13  # bytes of a `Piece` before its data: length, number, piece, offset
PIECE_NUMBER = 7

REQUEST_SIZE = 17  # bytes of a `Request`
REQUEST_START = bytes([0, 0, 0, 13, 6])  # the first of them: length, number

Body: TypeAlias = bytes | memoryview

_BARE = struct.Struct(">IB")
_ONE = struct.Struct(">IBI")
_THREE = struct.Struct(">IBIII")
_PIECE = struct.Struct(">IBII")
_ONE_BODY = struct.Struct(">I")
_TWO_BODY = struct.Struct(">II")
_THREE_BODY = struct.Struct(">III")
_TREE_PART = struct.Struct(">32sIIII")


def piece_header(piece: int, offset: int, length: int) -> bytes:
    """The 13 bytes that go before a block of `length` bytes."""
    return _PIECE.pack(9 + length, PIECE_NUMBER, piece, offset)


def put_piece_header(buffer: bytearray | memoryview, at: int, request: Request) -> None:
    """The same for the block that was asked for, written where it goes."""
    _PIECE.pack_into(buffer, at, 9 + request.length, PIECE_NUMBER, request.piece, request.offset)


def encode(message: Message) -> bytes:  # noqa: C901  # one flat table; mypy checks that it is whole
    """The message as it goes over the wire. First in the table is what nearly all messages are."""
    match message:
        case Request(piece, offset, length):
            return _THREE.pack(13, 6, piece, offset, length)
        case Have(piece):
            return _ONE.pack(5, 4, piece)
        case KeepAlive():
            return bytes(4)
        case Choke():
            return _BARE.pack(1, 0)
        case Unchoke():
            return _BARE.pack(1, 1)
        case Interested():
            return _BARE.pack(1, 2)
        case NotInterested():
            return _BARE.pack(1, 3)
        case Bitfield(bits):
            return _BARE.pack(1 + len(bits), 5) + bits
        case Piece(piece, offset, data):
            return piece_header(piece, offset, len(data)) + data
        case Cancel(piece, offset, length):
            return _THREE.pack(13, 8, piece, offset, length)
        case Port(port):
            return struct.pack(">IBH", 3, 9, port)
        case Suggest(piece):
            return _ONE.pack(5, 13, piece)
        case HaveAll():
            return _BARE.pack(1, 14)
        case HaveNone():
            return _BARE.pack(1, 15)
        case Reject(piece, offset, length):
            return _THREE.pack(13, 16, piece, offset, length)
        case AllowedFast(piece):
            return _ONE.pack(5, 17, piece)
        case Extended(number, payload):
            return struct.pack(">IBB", 2 + len(payload), 20, number) + payload
        case HashRequest():
            return _BARE.pack(49, 21) + _tree_part(message)
        case Hashes(request, digests):
            return _BARE.pack(49 + len(digests), 22) + _tree_part(request) + digests
        case HashReject(request):
            return _BARE.pack(49, 23) + _tree_part(request)
        case Unknown(number, length):
            return _BARE.pack(length, number) + bytes(length - 1)


def encode_all(messages: Iterable[Message]) -> bytes:
    """Several messages, ready for one send."""
    pack = _THREE.pack  # requests go past the table: of a download, they are all that is said
    return b"".join([pack(13, 6, m.piece, m.offset, m.length) if type(m) is Request else encode(m) for m in messages])


def _tree_part(request: HashRequest) -> bytes:
    return _TREE_PART.pack(request.root, request.base, request.index, request.length, request.proofs)


def _hashes(body: Body) -> Hashes:
    request = HashRequest(*_TREE_PART.unpack_from(body))
    digests = bytes(body[_TREE_PART.size :])
    if request.length > MOST_HASHES or len(digests) != (request.length + request.uncles) * DIGEST:
        raise ProtocolError(f"{len(digests)} bytes of hashes for {request.length} nodes and {request.proofs} layers")
    return Hashes(request, digests)


def _piece(body: Body) -> Piece:
    if not 8 < len(body) <= 8 + BLOCK_SIZE:
        raise ProtocolError(f"a block of {len(body) - 8} bytes")
    piece, offset = _TWO_BODY.unpack_from(body)
    return Piece(piece, offset, bytes(body[8:]))


def _extended(body: Body) -> Extended:
    if not body:
        raise ProtocolError("an extended message without a number")
    return Extended(body[0], bytes(body[1:]))


DECODERS: dict[int, Callable[[Body], Message]] = {
    0: lambda body: Choke(),
    1: lambda body: Unchoke(),
    2: lambda body: Interested(),
    3: lambda body: NotInterested(),
    4: lambda body: Have(*_ONE_BODY.unpack(body)),
    5: lambda body: Bitfield(bytes(body)),
    6: lambda body: Request(*_THREE_BODY.unpack(body)),
    PIECE_NUMBER: _piece,
    8: lambda body: Cancel(*_THREE_BODY.unpack(body)),
    9: lambda body: Port(*struct.unpack(">H", body)),
    13: lambda body: Suggest(*_ONE_BODY.unpack(body)),
    14: lambda body: HaveAll(),
    15: lambda body: HaveNone(),
    16: lambda body: Reject(*_THREE_BODY.unpack(body)),
    17: lambda body: AllowedFast(*_ONE_BODY.unpack(body)),
    20: _extended,
    21: lambda body: HashRequest(*_TREE_PART.unpack(body)),
    22: _hashes,
    23: lambda body: HashReject(HashRequest(*_TREE_PART.unpack(body))),
}

# What a bare message may not carry; `struct` holds the others to their lengths.
_BODYLESS = frozenset({0, 1, 2, 3, 14, 15})


def decode_requests(data: bytes, at: int, most: int) -> list[Request]:
    """The whole requests that follow one another from there on, up to so many. Who is served says little else."""
    requests: list[Request] = []
    end = at + min(most, (len(data) - at) // REQUEST_SIZE) * REQUEST_SIZE
    for size, number, piece, offset, length in _THREE.iter_unpack(memoryview(data)[at:end]):
        if size != 13 or number != 6:
            break
        requests.append(Request(piece, offset, length))
    return requests


def decode(number: int, body: Body) -> Message:
    """Read one message from its number and body. ProtocolError if the body does not fit the number."""
    decoder = DECODERS.get(number)
    if decoder is None:
        return Unknown(number, 1 + len(body))
    if body and number in _BODYLESS:
        raise ProtocolError(f"message {number} with a body of {len(body)} bytes")
    try:
        return decoder(body)
    except struct.error:
        raise ProtocolError(f"message {number} with a body of {len(body)} bytes") from None
