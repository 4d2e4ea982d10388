"""Values in the DHT (BEP 44), and torrents that follow them (BEP 46)."""

from __future__ import annotations

import subprocess
import sys

import attrs
import pytest
from hypothesis import given

from tests import strategies_dht as dht_st
from tests.strategies import values
from trio_torrent.bencode import Value, encode
from trio_torrent.dht import items, signing
from trio_torrent.dht.items import LIFETIME, MAX_ITEMS, MAX_SALT, MAX_VALUE, Items
from trio_torrent.dht.krpc import (
    BAD_SIGNATURE,
    CAS_MISMATCH,
    OUTDATED,
    PROTOCOL_ERROR,
    SALT_TOO_BIG,
    TOO_BIG,
    KrpcError,
)
from trio_torrent.dht.messages import Item
from trio_torrent.errors import DhtError

HELLO = b"12:Hello World!"
KEY = bytes.fromhex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")
SIGNATURE = bytes.fromhex(
    "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
    "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01"
)
SALTED_SIGNATURE = bytes.fromhex(
    "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
    "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08"
)
PLAIN = Item(HELLO, KEY, 1, SIGNATURE)
SALTED = Item(HELLO, KEY, 1, SALTED_SIGNATURE, b"foobar")
SEED = bytes(range(32))


def trusting(key: bytes, signature: bytes, data: bytes) -> bool:
    return True


def signed(seq: int, value: Value = b"v", **fields: bytes) -> Item:
    return Item(encode(value), fields.get("key", KEY), seq, bytes(64), fields.get("salt", b""))


def code_of(store: Items, item: Item, cas: int | None = None) -> int | None:
    try:
        store.put(item, cas, 0)
    except KrpcError as error:
        return error.code
    return None


# -- BEP 44's vectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "signed_data", "target"),
    [
        (PLAIN, b"3:seqi1e1:v12:Hello World!", "4a533d47ec9c7d95b1ad75f576cffc641853b750"),
        (SALTED, b"4:salt6:foobar3:seqi1e1:v12:Hello World!", "411eba73b6f087ca51a3795d9c8c938d365e32c1"),
    ],
)
def test_mutable_vectors(item: Item, signed_data: bytes, target: str):
    assert item.signed() == signed_data
    assert items.target_of(item).hex() == target
    assert items.is_genuine(item, bytes.fromhex(target), signing.verify)
    assert not items.is_genuine(attrs.evolve(item, seq=2), bytes.fromhex(target), signing.verify)


def test_the_immutable_vector():
    item = items.immutable(b"Hello World!")
    assert item == Item(HELLO)
    assert items.target_of(item).hex() == "e5f96f6f38320f0f33959cb4d3d656452117aadb"
    assert items.is_genuine(item, items.target_of(item), trusting)
    assert not items.is_genuine(Item(b"1:x"), items.target_of(item), trusting)


@pytest.mark.parametrize(
    ("salt", "target"),
    [(b"", "cc3f9d90b572172053626f9980ce261a850d050b"), (b"n", "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f")],
)
def test_the_vectors_of_bep_46(salt: bytes, target: str):
    key = bytes.fromhex("8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e")
    assert items.target_for(key, salt).hex() == target


# -- making them -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(values(6).filter(lambda value: len(encode(value)) <= MAX_VALUE))
def test_values_round_trip(value: Value):
    assert items.value_of(items.immutable(value)) == value


@pytest.mark.parametrize("salt", [b"", b"salt"])
def test_what_we_sign_is_genuine(salt: bytes):
    item = items.mutable(SEED, {b"a": 1}, 7, salt)
    assert item.key == signing.public_key(SEED)
    target = items.target_for(signing.public_key(SEED), salt)
    assert items.is_genuine(item, target, signing.verify)
    for forged in (
        attrs.evolve(item, raw=b"1:x"),
        attrs.evolve(item, seq=8),
        attrs.evolve(item, signature=bytes(64)),
        attrs.evolve(item, salt=b"other"),
    ):
        assert not items.is_genuine(forged, target, signing.verify)


@pytest.mark.parametrize(
    ("value", "seq", "salt"),
    [(bytes(MAX_VALUE), 1, b""), (b"", -1, b""), (b"", 1 << 63, b""), (b"", 1, bytes(MAX_SALT + 1))],
)
def test_what_is_out_of_limits(value: bytes, seq: int, salt: bytes):
    with pytest.raises(ValueError, match=r"at most|the most"):
        items.mutable(SEED, value, seq, salt)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch):
    """Nothing else is touched by its absence."""
    monkeypatch.setattr(signing, "available", False)
    with pytest.raises(DhtError, match="dht-items"):
        items.mutable(SEED, b"v", 1)
    assert not items.is_genuine(PLAIN, items.target_of(PLAIN), signing.verify)
    assert code_of(Items(signing.verify), PLAIN) == BAD_SIGNATURE
    assert code_of(Items(signing.verify), items.immutable(b"v")) is None


@pytest.mark.slow
def test_the_package_is_loaded_by_the_first_signature():
    code = """
import sys
from trio_torrent.dht import signing
from trio_torrent.net import dht
print("cryptography" in sys.modules, signing.available)
signing.verify(bytes(32), bytes(64), b"")
print("cryptography" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def test_a_package_that_cannot_be_loaded_now_verifies_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert not signing.verify(bytes(32), bytes(64), b"data")


def test_keys_that_are_none():
    assert not signing.verify(b"\xff" * 32, bytes(64), b"data")
    assert not signing.verify(b"short", bytes(64), b"data")
    with pytest.raises(ValueError, match=r"."):
        signing.sign(b"short", b"data")


# -- storing those of others -------------------------------------------------------------------------------------------


def test_kept_and_given():
    store = Items(trusting)
    assert store.get(items.target_of(PLAIN)) is None
    store.put(PLAIN, None, 0)
    store.put(items.immutable(b"x"), None, 0)
    assert store.get(items.target_of(PLAIN)) == PLAIN
    assert len(store) == 2


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (Item(b"997:" + bytes(997)), TOO_BIG),
        (signed(1, salt=bytes(MAX_SALT + 1)), SALT_TOO_BIG),
        (attrs.evolve(PLAIN, seq=2), BAD_SIGNATURE),
        (Item(b"d1:bi1e1:ai1ee"), PROTOCOL_ERROR),
    ],
)
def test_declined(item: Item, code: int):
    store = Items(signing.verify)
    assert code_of(store, item) == code
    assert not len(store)


def test_only_newer_ones_replace():
    store = Items(trusting)
    assert code_of(store, signed(5, b"five")) is None
    assert code_of(store, signed(4, b"four")) == OUTDATED
    assert code_of(store, signed(5, b"other")) == OUTDATED
    assert code_of(store, signed(5, b"five")) is None
    assert code_of(store, signed(6, b"six")) is None
    kept = store.get(items.target_for(KEY))
    assert kept is not None
    assert items.value_of(kept) == b"six"


def test_compare_and_swap():
    store = Items(trusting)
    assert code_of(store, signed(5), cas=3) is None  # there is nothing to compare with
    assert code_of(store, signed(7), cas=4) == CAS_MISMATCH
    assert code_of(store, signed(7), cas=5) is None


def test_salts_are_items_apart():
    store = Items(trusting)
    assert code_of(store, signed(5)) is None
    assert code_of(store, signed(1, salt=b"s")) is None
    assert len(store) == 2


def test_forgotten_after_two_hours():
    store = Items(trusting)
    store.put(signed(1), None, 0)
    store.put(signed(1, salt=b"s"), None, 0)
    store.put(signed(1), None, 100)
    store.expire(LIFETIME)
    assert len(store) == 1
    assert store.get(items.target_for(KEY)) is not None
    store.expire(LIFETIME + 100)
    assert not len(store)


def test_so_many_at_most():
    store = Items(trusting)
    for number in range(MAX_ITEMS + 10):
        store.put(items.immutable(number), None, number)
    assert len(store) == MAX_ITEMS
    assert store.get(items.target_of(items.immutable(9))) is None
    assert store.get(items.target_of(items.immutable(10))) is not None


@pytest.mark.slow
@given(dht_st.immutable_items | dht_st.mutable_items)
def test_whatever_comes_is_kept_or_declined(item: Item):
    store = Items(trusting)
    code_of(store, item)
    kept = store.get(items.target_of(item))
    assert kept in (None, item)
