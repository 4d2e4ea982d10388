"""Ids, their distance, and what an address entitles to (BEP 42)."""

from __future__ import annotations

import ipaddress
from random import Random

import pytest

from trio_torrent.dht.node_id import QUORUM, VOTES, Mirror, crc32c, distance, id_for, random_id, suits

VECTORS = [  # BEP 42's examples
    ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
    ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
    ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
    ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
    ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
]
OURS = b"\x01\x02\x03\x04"


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def test_castagnoli():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the catalogues
    assert crc32c(b"") == 0


@pytest.mark.parametrize(("host", "node_id"), VECTORS)
def test_vectors(host: str, node_id: str):
    assert suits(bytes.fromhex(node_id), ip(host))


@pytest.mark.parametrize(("host", "node_id"), VECTORS)
@pytest.mark.parametrize("bit", [0, 8, 20, 157, 159])
def test_a_bit_that_counts(host: str, node_id: str, bit: int):
    other = int(node_id, 16) ^ 1 << (159 - bit)
    assert not suits(other.to_bytes(20, "big"), ip(host))


@pytest.mark.parametrize(("host", "node_id"), VECTORS)
@pytest.mark.parametrize("bit", [21, 100, 152, 156])
def test_a_bit_by_chance(host: str, node_id: str, bit: int):
    other = int(node_id, 16) ^ 1 << (159 - bit)
    assert suits(other.to_bytes(20, "big"), ip(host))


@pytest.mark.parametrize("host", ["1.2.3.4", "255.255.255.254", "2600::1", "2a00:1450:4001::7"])
def test_what_we_make_suits(host: str):
    random = Random(1)
    ids = {id_for(ip(host), random) for _ in range(100)}
    assert all(len(node_id) == 20 and suits(node_id, ip(host)) for node_id in ids)
    assert len(ids) == 100
    assert len({node_id[0] for node_id in ids}) == 8  # eight of them for an address


def test_ipv6_counts_the_network_alone():
    node_id = id_for(ip("2600::1"), Random(1))
    assert suits(node_id, ip("2600::2"))
    assert not suits(node_id, ip("2600:0:0:1::1"))


@pytest.mark.parametrize("host", ["10.1.2.3", "127.0.0.1", "192.168.1.1", "::1"])
def test_local_addresses_are_exempt(host: str):
    assert suits(bytes(20), ip(host))
    assert len({id_for(ip(host), Random(seed))[:1] for seed in range(100)}) > 8


def test_distance():
    assert distance(bytes(20), bytes(20)) == 0
    assert distance(b"\x80" + bytes(19), bytes(20)) == 1 << 159
    assert distance(bytes(19) + b"\x05", bytes(19) + b"\x06") == 3


def test_an_id_in_a_range():
    random = Random(1)
    for bits in (0, 1, 7, 8, 100, 160):
        prefix = random.getrandbits(160)
        found = {int.from_bytes(random_id(random, prefix=prefix, bits=bits), "big") for _ in range(50)}
        assert all(number >> (160 - bits) == prefix >> (160 - bits) for number in found)
        assert len(found) == (50 if bits < 150 else 1)


def voter(number: int) -> bytes:
    return number.to_bytes(4, "big")


def test_a_quorum_elects():
    mirror = Mirror()
    assert [mirror.voted(voter(number), OURS) for number in range(QUORUM)] == [None] * (QUORUM - 1) + [OURS]


def test_one_voter_has_one_voice():
    mirror = Mirror()
    assert {mirror.voted(voter(1), OURS) for _ in range(100)} == {None}


def test_a_minority_changes_nothing():
    mirror = Mirror()
    for number in range(QUORUM + 1):
        mirror.voted(voter(number), OURS)
    results = {mirror.voted(voter(100 + number), b"liar") for number in range(QUORUM)}
    assert results == {OURS}


def test_the_latest_count():
    mirror = Mirror()
    for number in range(100):
        mirror.voted(voter(number), OURS)
    moved = [mirror.voted(voter(1000 + number), b"new!") for number in range(VOTES)]
    assert moved[0] == OURS
    assert moved[-1] == b"new!"
