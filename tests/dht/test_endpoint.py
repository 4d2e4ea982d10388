"""Addresses as they travel, and which of them a stranger may make us send to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import ports
from trio_torrent.address import Address
from trio_torrent.dht.endpoint import (
    Family,
    from_address,
    ip_of,
    is_local,
    is_usable,
    subnet_of,
    to_address,
    with_port,
)


def endpoint(host: str, port: int = 6881) -> bytes:
    return from_address(Address(host, port))


@pytest.mark.slow
@given(st.ip_addresses(), ports)
def test_round_trip(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int):
    address = Address(str(ip), port)
    packed = from_address(address)
    assert len(packed) == (Family.IPV4 if ip.version == 4 else Family.IPV6)
    assert to_address(packed) == address
    assert ip_of(packed) == ip.packed
    assert to_address(with_port(packed, 1)) == Address(str(ip), 1)


@pytest.mark.parametrize("address", [Address("a.example", 1), Address("1.2.3.4", 0), Address("1.2.3.4", 65536)])
def test_what_has_no_endpoint(address: Address):
    with pytest.raises(ValueError, match=r"."):
        from_address(address)


@pytest.mark.parametrize("host", ["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.32.0.0", "223.255.255.255", "2600::1"])
def test_the_public_internet(host: str):
    assert is_usable(endpoint(host), allow_local=False)
    assert is_usable(endpoint(host), allow_local=True)
    assert not is_local(ip_of(endpoint(host)))


@pytest.mark.parametrize(
    "host", ["10.0.0.0", "127.0.0.1", "172.16.0.1", "192.168.255.255", "169.254.1.1", "::1", "fe80::1", "fd00::1"]
)
def test_local_ones_need_permission(host: str):
    assert not is_usable(endpoint(host), allow_local=False)
    assert is_usable(endpoint(host), allow_local=True)
    assert is_local(ip_of(endpoint(host)))


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "0.1.2.3",
        "100.64.0.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.255",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2002::1",
        "::ffff:1.2.3.4",
    ],
)
def test_nobody_is_there(host: str):
    assert not is_usable(endpoint(host), allow_local=True)


def test_port_0():
    assert not is_usable(endpoint("1.1.1.1")[:4] + b"\0\0", allow_local=True)


def test_neighbours_share_a_subnet():
    assert subnet_of(endpoint("1.2.3.4")) == subnet_of(endpoint("1.2.3.200", 1))
    assert subnet_of(endpoint("1.2.3.4")) != subnet_of(endpoint("1.2.4.4"))
    assert subnet_of(endpoint("2600::1")) == subnet_of(endpoint("2600::ffff:0:0:1"))
    assert subnet_of(endpoint("2600::1")) != subnet_of(endpoint("2600:0:0:1::1"))


def test_the_other_family():
    assert Family.IPV4.other is Family.IPV6
    assert Family.IPV6.other is Family.IPV4
