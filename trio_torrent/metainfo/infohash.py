"""The name of a torrent: SHA-1 (BEP 3) or SHA-256 (BEP 52) of its info dictionary, or both for a hybrid."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Literal, TypeAlias

import attrs

Version: TypeAlias = Literal["1", "2", "hybrid"]

V1_LENGTH = 20  # bytes, SHA-1
V2_LENGTH = 32  # bytes, SHA-256
WIRE_LENGTH = 20  # bytes: trackers, the DHT and handshakes have room for a SHA-1 only (BEP 52, "infohash")

_TEXT_LENGTHS = {40: bytes.fromhex, 64: bytes.fromhex, 32: base64.b32decode}


@attrs.frozen
class InfoHashes:
    """The v1 and the v2 info-hash; at least one of them. ValueError if neither or of a wrong length."""

    v1: bytes | None = attrs.field(default=None)
    v2: bytes | None = attrs.field(default=None)

    @v1.validator
    def _check_v1(self, _: attrs.Attribute[Any], v1: bytes | None) -> None:
        if v1 is not None and len(v1) != V1_LENGTH:
            raise ValueError(f"a v1 info-hash has {V1_LENGTH} bytes, not {len(v1)}")

    @v2.validator
    def _check_v2(self, _: attrs.Attribute[Any], v2: bytes | None) -> None:
        if v2 is not None and len(v2) != V2_LENGTH:
            raise ValueError(f"a v2 info-hash has {V2_LENGTH} bytes, not {len(v2)}")
        if v2 is None and self.v1 is None:
            raise ValueError("no info-hash")

    def __str__(self) -> str:
        return " / ".join(digest.hex() for digest in (self.v1, self.v2) if digest is not None)

    @property
    def version(self) -> Version:
        """Which kind of torrent has these."""
        return "1" if self.v2 is None else "2" if self.v1 is None else "hybrid"

    @property
    def wire(self) -> bytes:
        """The 20 bytes by which peers and trackers know it: v1 where there is one, else the front of v2."""
        return self.all_wire[0]

    @property
    def all_wire(self) -> tuple[bytes, ...]:
        """Every 20-byte name of it: a hybrid is in two swarms at once (BEP 52, "upgrade path")."""
        return tuple(digest for digest in (self.v1, self.v2_wire) if digest is not None)

    @property
    def v2_wire(self) -> bytes | None:
        """The v2 one as handshakes have it, where there is one."""
        return self.v2 and self.v2[:WIRE_LENGTH]

    def matches(self, info_bytes: bytes) -> bool:
        """Whether these are the info dictionary's bytes: each hash that is known must agree."""
        return (self.v1 is None or hashlib.sha1(info_bytes).digest() == self.v1) and (
            self.v2 is None or hashlib.sha256(info_bytes).digest() == self.v2
        )


def parse_info_hash(text: str) -> InfoHashes:
    """Read 40 (v1) or 64 (v2) hex digits, or 32 of base32 (v1). Raises ValueError with what is wrong."""
    text = text.strip()
    read = _TEXT_LENGTHS.get(len(text))
    if read is None:
        raise ValueError(f"{text[:80]!r} is not an info-hash: 40 or 64 hex digits, or 32 of base32")
    try:
        digest = read(text.upper())
    except (ValueError, binascii.Error):
        raise ValueError(f"{text!r} is not an info-hash: it has a character that is not a digit") from None
    if len(digest) * 2 != len(text) and len(text) != 32:  # bytes.fromhex passes over blanks
        raise ValueError(f"{text!r} is not an info-hash: there are blanks in it")
    return InfoHashes(v1=digest) if len(digest) == V1_LENGTH else InfoHashes(v2=digest)
