"""What nodes say to one another, as values (BEP 5, with 32, 33, 43, 44 and 51).

A `Query` carries one of the `Ask`s. A `Reply` does not say what was asked; its transaction does, so there is one kind
of reply, with whatever fields came.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from trio_torrent.bencode import encode

from .endpoint import Endpoint, Family
from .node_id import ID_LENGTH


@attrs.frozen
class Contact:
    """A node: its id, and where it is."""

    id: bytes  # 20 bytes
    endpoint: Endpoint

    @property
    def packed(self) -> bytes:
        """As it travels: 26 bytes, or 38 for IPv6."""
        return self.id + self.endpoint


@attrs.frozen
class Ping:
    """Are you there? (BEP 5)."""


@attrs.frozen
class FindNode:
    """Which nodes do you know that are near this id? (BEP 5)."""

    target: bytes
    want: frozenset[Family] = frozenset()  # of which family; none for that of the datagram (BEP 32)


@attrs.frozen
class GetPeers:
    """Who has this torrent, or who may know? (BEP 5; 33 for the last two)."""

    info_hash: bytes
    want: frozenset[Family] = frozenset()
    noseed: bool = False  # seeds are of no use to us
    scrape: bool = False  # how many are there?


@attrs.frozen
class AnnouncePeer:
    """I have this torrent (BEP 5)."""

    info_hash: bytes
    port: int  # TCP
    token: bytes
    implied_port: bool = False  # the datagram's own source port instead: it is right behind a NAT
    seed: bool = False  # BEP 33


@attrs.frozen
class Get:
    """What is stored there? (BEP 44)."""

    target: bytes
    seq: int | None = None  # spare me a value that is not newer than this
    want: frozenset[Family] = frozenset()


@attrs.frozen
class Item:
    """A stored value as it travels, verified or not (BEP 44). Without a key it is immutable.

    `raw` is the value in bencode, byte for byte as it came: hashes and signatures are over that.
    """

    raw: bytes = attrs.field(repr=False)
    key: bytes | None = None  # ed25519 public key, 32 bytes
    seq: int = 0
    signature: bytes = attrs.field(default=b"", repr=False)  # 64 bytes
    salt: bytes = b""  # never in replies

    def signed(self) -> bytes:
        """What the signature is over (BEP 44, "signature verification")."""
        salt = b"4:salt" + encode(self.salt) if self.salt else b""
        return salt + b"3:seqi%de1:v" % self.seq + self.raw


@attrs.frozen
class Put:
    """Store this (BEP 44)."""

    item: Item
    token: bytes
    cas: int | None = None  # only over this sequence number


@attrs.frozen
class SampleInfohashes:
    """Which torrents do you know peers of? (BEP 51)."""

    target: bytes
    want: frozenset[Family] = frozenset()


Ask: TypeAlias = Ping | FindNode | GetPeers | AnnouncePeer | Get | Put | SampleInfohashes


@attrs.frozen
class Query:
    """A question, and who asks it."""

    transaction: bytes
    id: bytes
    ask: Ask
    read_only: bool = False  # the sender answers nothing itself (BEP 43)


@attrs.frozen(kw_only=True)
class Reply:
    """An answer; empty or None is what did not come. Nodes are compact, as many as fit."""

    transaction: bytes
    id: bytes
    ours: Endpoint | None = None  # who we are, as the other sees it (BEP 42)
    nodes: bytes = attrs.field(default=b"", repr=False)  # groups of 26 bytes
    nodes6: bytes = attrs.field(default=b"", repr=False)  # groups of 38 bytes
    values: tuple[Endpoint, ...] = ()  # peers
    token: bytes | None = None
    seeds: bytes | None = attrs.field(default=None, repr=False)  # Bloom filters of 256 bytes (BEP 33)
    peers: bytes | None = attrs.field(default=None, repr=False)
    item: Item | None = None
    samples: tuple[bytes, ...] | None = None  # info-hashes (BEP 51)
    interval: int = 0  # seconds until asking for samples again makes sense
    num: int = 0  # info-hashes that it has

    def contacts(self, family: Family) -> list[Contact]:
        """The nodes of one family; a torn group at the end is left out."""
        packed, size = (self.nodes, 26) if family is Family.IPV4 else (self.nodes6, 38)
        starts = range(0, len(packed) - size + 1, size)
        return [Contact(packed[at : at + ID_LENGTH], packed[at + ID_LENGTH : at + size]) for at in starts]


@attrs.frozen
class Failure:
    """The other cannot or will not (BEP 5, "errors"; more codes in BEP 44)."""

    transaction: bytes
    code: int
    text: str


Message: TypeAlias = Query | Reply | Failure

Fields: TypeAlias = dict[bytes, Any]
"""A decoded dictionary: nothing of it is sure yet."""
