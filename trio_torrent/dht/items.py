"""Values that anybody may store in the DHT (BEP 44).

An immutable item is found under its own hash. A mutable one is found under the hash of a public key and a salt, and
only the key's owner can replace it, each time with a higher sequence number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import attrs

from trio_torrent.bencode import Value, decode, encode
from trio_torrent.errors import BencodeError

from . import signing
from .krpc import (
    BAD_SIGNATURE,
    CAS_MISMATCH,
    MAX_DEPTH,
    MAX_SEQ,
    OUTDATED,
    PROTOCOL_ERROR,
    SALT_TOO_BIG,
    TOO_BIG,
    KrpcError,
)
from .messages import Item

MAX_VALUE = 1000  # bytes in bencode (BEP 44)
MAX_SALT = 64  # bytes (BEP 44)
MAX_ITEMS = 700  # libtorrent's dht_max_dht_items
LIFETIME = 2 * 3600.0  # seconds without being stored again (BEP 44, "expiration")

Verify = Callable[[bytes, bytes, bytes], bool]
"""Public key, signature, data -> whether they belong together."""


def immutable(value: Value) -> Item:
    """An item found under its hash. ValueError if it is too long, BencodeError if bencode has no form for it."""
    return _checked_size(Item(encode(value)))


def mutable(seed: bytes, value: Value, seq: int, salt: bytes = b"") -> Item:
    """An item signed with a private key (a seed of 32 bytes).

    Raises DhtError without the extra `dht-items`; ValueError for a value, salt or number out of limits.
    """
    if len(salt) > MAX_SALT or not 0 <= seq <= MAX_SEQ:
        raise ValueError(f"a salt has at most {MAX_SALT} bytes, and a sequence number is from 0 to {MAX_SEQ}")
    unsigned = _checked_size(Item(encode(value), signing.public_key(seed), seq, b"", salt))
    return attrs.evolve(unsigned, signature=signing.sign(seed, unsigned.signed()))


def _checked_size(item: Item) -> Item:
    if len(item.raw) > MAX_VALUE:
        raise ValueError(f"the value has {len(item.raw)} bytes in bencode, and {MAX_VALUE} is the most")
    return item


def target_of(item: Item) -> bytes:
    """Where an item belongs."""
    return hashlib.sha1(item.raw).digest() if item.key is None else target_for(item.key, item.salt)


def target_for(key: bytes, salt: bytes = b"") -> bytes:
    """Where this owner's item with this salt belongs."""
    return hashlib.sha1(key + salt).digest()


def value_of(item: Item) -> Value:
    """What is stored."""
    return decode(item.raw, max_depth=MAX_DEPTH)


def is_genuine(item: Item, target: bytes, verify: Verify) -> bool:
    """Whether an item belongs under the target: its hash, or its key and the owner's signature, say so."""
    if len(item.raw) > MAX_VALUE or len(item.salt) > MAX_SALT or target_of(item) != target:
        return False
    return item.key is None or verify(item.key, item.signature, item.signed())


@attrs.frozen
class _Kept:
    item: Item
    seen: float


class Items:
    """What others have stored with us: target -> item. The longest not stored again leaves when it is full."""

    def __init__(self, verify: Verify, *, most: int = MAX_ITEMS) -> None:
        self._verify = verify
        self._most = most
        self._kept: dict[bytes, _Kept] = {}  # the longest silent first

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, target: bytes) -> Item | None:
        """What is stored there."""
        kept = self._kept.get(target)
        return kept.item if kept is not None else None

    def put(self, item: Item, cas: int | None, now: float) -> None:
        """Store it. Raises KrpcError with BEP 44's codes."""
        if len(item.raw) > MAX_VALUE:
            raise KrpcError(f"the value is longer than {MAX_VALUE} bytes", TOO_BIG)
        if len(item.salt) > MAX_SALT:
            raise KrpcError(f"the salt is longer than {MAX_SALT} bytes", SALT_TOO_BIG)
        if not _is_canonical(item.raw):
            raise KrpcError("the value is not in canonical bencode", PROTOCOL_ERROR)  # we could not repeat it
        target = target_of(item)
        self._check_newer(item, self.get(target), cas)
        if item.key is not None and not self._verify(item.key, item.signature, item.signed()):
            raise KrpcError("the signature is wrong", BAD_SIGNATURE)
        self._kept.pop(target, None)
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[target] = _Kept(item, now)

    def expire(self, now: float) -> None:
        """Forget what was not stored again for two hours."""
        while self._kept and next(iter(self._kept.values())).seen <= now - LIFETIME:
            del self._kept[next(iter(self._kept))]

    def _check_newer(self, item: Item, old: Item | None, cas: int | None) -> None:
        if item.key is None or old is None:
            return
        if cas is not None and cas != old.seq:
            raise KrpcError(f"the sequence number here is {old.seq}", CAS_MISMATCH)
        if item.seq < old.seq or (item.seq == old.seq and item.raw != old.raw):
            raise KrpcError(f"the sequence number here is {old.seq}", OUTDATED)


def _is_canonical(raw: bytes) -> bool:
    try:
        return encode(decode(raw, max_depth=MAX_DEPTH)) == raw
    except BencodeError:
        return False
