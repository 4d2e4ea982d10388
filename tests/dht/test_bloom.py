"""Swarms counted by filters (BEP 33)."""

import ipaddress

import pytest

from trio_torrent.dht.bloom import FILTER_LENGTH, bloom, estimate, holds, union

BEP_33 = bytes.fromhex(
    "F6C3F5EAA07FFD91BDE89F777F26FB2BFF37BDB8FB2BBAA2FD3DDDE7BACFFF75EE7CCBAE"
    "FE5EEDB1FBFAFF67F6ABFF5E43DDBCA3FD9B9FFDF4FFD3E9DFF12D1BDF59DB53DBE9FA5B"
    "7FF3B8FDFCDE1AFB8BEDD7BE2F3EE71EBBBFE93BCDEEFE148246C2BC5DBFF7E7EFDCF24F"
    "D8DC7ADFFD8FFFDFDDFFF7A4BBEEDF5CB95CE81FC7FCFF1FF4FFFFDFE5F7FDCBB7FD79B3"
    "FA1FC77BFE07FFF905B7B7FFC7FEFEFFE0B8370BB0CD3F5B7F2BD93FEB4386CFDD6F7FD5"
    "BFAF2E9EBFFFFEECD67ADBF7C67F17EFD5D75EBA6FFEBA7FFF47A91EB1BFBB53E8ABFB57"
    "62ABE8FF237279BFEFBFEEF5FFC5FEBFDFE5ADFFADFEE1FB737FFFFBFD9F6AEFFEEE76B6"
    "FD8F72EF"
)


def test_the_vector():
    ipv4 = [(ipaddress.IPv4Address("192.0.2.0") + n).packed for n in range(256)]
    ipv6 = [(ipaddress.IPv6Address("2001:DB8::") + n).packed for n in range(0x3E8)]
    assert union(bloom(ipv4), bloom(ipv6)) == bloom(ipv4 + ipv6) == BEP_33
    assert estimate(BEP_33) == pytest.approx(1224.9308, abs=1e-4)


def test_nobody_and_everybody():
    assert estimate(bytes(FILTER_LENGTH)) == 0
    assert 7000 < estimate(b"\xff" * FILTER_LENGTH) < 8000


def test_who_is_in_it():
    few = [bytes([1, 2, 3, n]) for n in range(10)]
    assert all(holds(bloom(few), ip) for ip in few)
    assert not holds(bloom(few), b"\x08\x08\x08\x08")
    assert estimate(bloom(few)) == pytest.approx(10, abs=0.5)
