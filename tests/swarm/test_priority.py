"""Canonical peer priority (BEP 40)."""

from ipaddress import ip_address

import pytest

from trio_torrent.address import Address
from trio_torrent.swarm.mirror import Mirror
from trio_torrent.swarm.priority import Ranking, crc32c, priority

US = Address("123.213.32.10", 6881)


def test_crc32c_of_the_usual_words():
    """The check value that every description of CRC-32C gives, and those of RFC 3720 (appendix B.4)."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"") == 0


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [("98.76.54.32", 0xEC2D7224), ("123.213.32.234", 0x99568189)],
)
def test_the_examples_of_the_bep(theirs: str, expected: int):
    assert priority(US, Address(theirs, 1)) == expected
    assert priority(Address(theirs, 1), US) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2.3.4", "1.2.5.6"),
        ("2a00:1:2:3::9", "2b00:1:2:3::9"),
        ("2a00:1:2:300::9", "2a00:1:2:400::9"),
        ("2a00:1:2:300::9", "2a00:1:2:301::9"),
    ],
)
def test_beyond_where_two_hosts_part_every_other_bit_counts(one: str, other: str):
    us = Address(one, 1)
    assert priority(us, Address(other, 1)) == priority(us, Address(last_byte_changed(other, 0xAA), 1))
    assert priority(us, Address(other, 1)) != priority(us, Address(last_byte_changed(other, 0x01), 1))


@pytest.mark.parametrize(("one", "other"), [("1.2.3.4", "1.2.3.5"), ("2a00:1:2:3:4:5:6:708", "2a00:1:2:3:4:5:6:709")])
def test_close_by_every_bit_counts(one: str, other: str):
    us = Address(one, 1)
    assert len({priority(us, Address(last_byte_changed(other, 1 << bit), 1)) for bit in range(1, 8)}) == 7


def last_byte_changed(host: str, bits: int) -> str:
    packed = ip_address(host).packed
    return str(ip_address(packed[:-1] + bytes([packed[-1] ^ bits])))


def test_at_one_address_the_ports_decide():
    one, other = Address("9.9.9.9", 1), Address("9.9.9.9", 2)
    assert priority(one, other) == priority(other, one) == crc32c(b"\0\x01\0\x02")
    assert priority(one, one) == crc32c(b"\0\x01\0\x01")


@pytest.mark.parametrize("host", ["2a00::1", "somewhere.example"])
def test_there_is_none_for_what_cannot_be_compared(host: str):
    assert priority(US, Address(host, 1)) is None


def test_the_ranking_is_canonical_where_it_can_be_and_random_elsewhere():
    other = Address("98.76.54.32", 1)
    six = Address("2a00::1", 1)
    assert Ranking(Mirror(known=[US]), b"salt")(other) == Ranking(Mirror(known=[US]), b"other")(other) == 0xEC2D7224
    assert (
        Ranking(Mirror(known=[US]), b"salt")(six)
        == Ranking(Mirror(known=[]), b"salt")(six)
        != Ranking(Mirror(known=[]), b"other")(six)
    )
    ranking = Ranking(Mirror(known=[Address("2b00::1", 1), US]), b"salt")
    assert (ranking(other), ranking(six)) == (0xEC2D7224, priority(Address("2b00::1", 1), six))
