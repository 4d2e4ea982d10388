"""What peers say to each other, as values (BEP 3 "peer messages", BEP 6; BEP 10's envelope).

Numbers are unsigned 32-bit integers on the wire. `offset` and `length` are in bytes, `offset` from the start of the
piece.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs


@attrs.frozen
class KeepAlive:
    """Nothing, said every two minutes so that the connection is not taken for dead."""


@attrs.frozen
class Choke:
    """I will not answer your requests; those pending are gone (message 0)."""


@attrs.frozen
class Unchoke:
    """I will answer your requests (message 1)."""


@attrs.frozen
class Interested:
    """You have something that I want (message 2)."""


@attrs.frozen
class NotInterested:
    """You have nothing that I want (message 3)."""


@attrs.frozen
class Have:
    """I have this piece now (message 4)."""

    piece: int


@attrs.frozen
class Bitfield:
    """All the pieces that I have; only as the first message (message 5)."""

    bits: bytes = attrs.field(repr=False)


@attrs.frozen
class Request:
    """Ask for one block (message 6)."""

    piece: int
    offset: int
    length: int


@attrs.frozen
class Piece:
    """One block (message 7). `data` may be a view of memory that the receiver of the message lent."""

    piece: int
    offset: int
    data: bytes | memoryview = attrs.field(repr=False, eq=bytes)


@attrs.frozen
class Cancel:
    """I no longer need this block (message 8)."""

    piece: int
    offset: int
    length: int


@attrs.frozen
class Port:
    """My DHT node listens on this UDP port (message 9, BEP 5)."""

    port: int


@attrs.frozen
class Suggest:
    """It would suit me if you asked for this piece (message 13, BEP 6)."""

    piece: int


@attrs.frozen
class HaveAll:
    """I have every piece; instead of a bitfield (message 14, BEP 6)."""


@attrs.frozen
class HaveNone:
    """I have no piece; instead of a bitfield (message 15, BEP 6)."""


@attrs.frozen
class Reject:
    """I will not answer this request (message 16, BEP 6)."""

    piece: int
    offset: int
    length: int


@attrs.frozen
class AllowedFast:
    """You may ask for this piece although I choke you (message 17, BEP 6)."""

    piece: int


@attrs.frozen
class Extended:
    """An extension's message: its number on this connection, and what it says (message 20, BEP 10)."""

    number: int
    payload: bytes = attrs.field(repr=False)


@attrs.frozen
class Unknown:
    """A message that we do not speak, skipped by its length in bytes (the number included)."""

    number: int
    length: int


Message: TypeAlias = (
    KeepAlive
    | Choke
    | Unchoke
    | Interested
    | NotInterested
    | Have
    | Bitfield
    | Request
    | Piece
    | Cancel
    | Port
    | Suggest
    | HaveAll
    | HaveNone
    | Reject
    | AllowedFast
    | Extended
    | Unknown
)
