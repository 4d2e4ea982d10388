"""Where a peer listens, as people write it and as compact bytes (BEP 23; BEP 7 for IPv6)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from functools import lru_cache

import attrs

COMPACT_IPV4 = 6  # bytes: 4 of address, 2 of port
COMPACT_IPV6 = 18  # bytes: 16 of address, 2 of port

SITE_BITS = 64  # of an IPv6 address: what a provider gives to one line at the least (RFC 6177)
MOST_REMEMBERED = 4096  # hosts, so that reading the same ones again costs nothing; more than one torrent knows


@attrs.frozen(order=True)
class Address:
    """A host (an IP address in its canonical spelling, or a name) and a TCP or UDP port.

    A web seed is among its peers by its URL, with port 0, which no peer has.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`. Raises ValueError with what is wrong."""
        host, colon, port = text.strip().rpartition(":")
        if not colon or not host:
            raise ValueError(f"{text!r} is not HOST:PORT")
        if host.startswith("[") and host.endswith("]"):
            host = str(ipaddress.IPv6Address(host[1:-1]))
        elif ":" in host:
            raise ValueError(f"{text!r}: write an IPv6 address as [ADDRESS]:PORT")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r}: {port!r} is not a port from 1 to 65535")
        return cls(host, int(port))


def unpack_ipv4(data: bytes) -> list[Address]:
    """Addresses from BEP 23's 6-byte groups; a torn group at the end and port 0 are left out."""
    groups = struct.iter_unpack(">4sH", data[: len(data) // COMPACT_IPV4 * COMPACT_IPV4])
    return [Address(str(ipaddress.IPv4Address(host)), port) for host, port in groups if port]


def unpack_ipv6(data: bytes) -> list[Address]:
    """Addresses from BEP 7's 18-byte groups; a torn group at the end and port 0 are left out."""
    groups = struct.iter_unpack(">16sH", data[: len(data) // COMPACT_IPV6 * COMPACT_IPV6])
    return [Address(str(ipaddress.IPv6Address(host)), port) for host, port in groups if port]


def pack(addresses: Iterable[Address]) -> tuple[bytes, bytes]:
    """The IPv4 and the IPv6 addresses as compact bytes. Host names raise ValueError."""
    ipv4, ipv6 = bytearray(), bytearray()
    for address in addresses:
        host = ipaddress.ip_address(address.host)
        (ipv4 if host.version == 4 else ipv6).extend(host.packed + struct.pack(">H", address.port))
    return bytes(ipv4), bytes(ipv6)


@lru_cache(MOST_REMEMBERED)
def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The host as a number, IPv4 even where it is written inside IPv6 (`::ffff:192.0.2.1`); None for a name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def plain(address: Address) -> Address:
    """The address in its one spelling: IPv4 is not written inside IPv6."""
    ip = ip_of(address.host)
    return address if ip is None or str(ip) == address.host else Address(str(ip), address.port)


def is_local(host: str) -> bool:
    """On this machine or in its own networks; names are taken to be elsewhere."""
    ip = ip_of(host)
    return ip is not None and not ip.is_global


def is_peer(address: Address) -> bool:
    """Whether one peer can listen there: not port 0, and no address that means nobody or many."""
    ip = ip_of(address.host)
    if not 0 < address.port < 65536 or ip is None:
        return 0 < address.port < 65536 and bool(address.host)
    reserved = ip.version == 4 and (ip.packed[0] == 0 or ip.packed[0] >= 240)  # "this network", class E, broadcast
    return not (ip.is_multicast or ip.is_unspecified or reserved)


def site(host: str) -> str:
    """What one household or machine has of its own: an IPv4 address, or a /64 of IPv6; a name stands for itself."""
    ip = ip_of(host)
    if ip is None or ip.version == 4:
        return host if ip is None else str(ip)
    return ip.packed[: SITE_BITS // 8].hex(":", 2)
