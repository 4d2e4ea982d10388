"""What peers say to each other, as values (BEP 3 "peer messages", BEP 6, BEP 52; BEP 10's envelope).

Numbers are unsigned 32-bit integers on the wire. `offset` and `length` are in bytes, `offset` from the start of the
piece.
"""

from __future__ import annotations

from typing import Final, TypeAlias

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


@attrs.define(unsafe_hash=True)  # one is made for each block: frozen at run time, it would take three times as long
class Request:
    """Ask for one block (message 6)."""

    piece: Final[int]
    offset: Final[int]
    length: Final[int]


@attrs.frozen
class Piece:
    """One block (message 7)."""

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
class HashRequest:
    """Ask for `length` nodes of a layer of a file's hash tree, and what proves them (message 21, BEP 52).

    `base` is the layer's height above the leaves, `index` the first node wanted, a multiple of the length, which is a
    power of two. `proofs` counts the layers above the base from which to send an uncle, the one that the answer
    itself makes up (all but one of those over its own nodes) included.
    """

    root: bytes  # 32 bytes: which file
    base: int
    index: int
    length: int
    proofs: int

    @property
    def height(self) -> int:
        """How far above the base the one node is that stands for all that are asked for."""
        return (self.length - 1).bit_length()

    @property
    def uncles(self) -> int:
        """How many nodes of proof come behind those of the base."""
        return max(0, self.proofs - self.height + 1)


@attrs.frozen
class Hashes:
    """The nodes asked for, and their uncles from the lowest to the highest, end to end (message 22, BEP 52)."""

    request: HashRequest
    digests: bytes = attrs.field(repr=False)


@attrs.frozen
class HashReject:
    """I will not answer this request for hashes (message 23, BEP 52)."""

    request: HashRequest


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
    | HashRequest
    | Hashes
    | HashReject
    | Unknown
)


@attrs.frozen
class Landed:
    """Blocks that were asked for have come, and are where they belong already. What becomes of most `Piece`s."""

    requests: tuple[Request, ...]


Heard: TypeAlias = Message | Landed
"""What comes of the bytes that a peer sends."""
