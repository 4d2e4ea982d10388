"""Where a peer listens, as people write it and as compact bytes (BEP 23; BEP 7 for IPv6)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

import attrs

COMPACT_IPV4 = 6  # bytes: 4 of address, 2 of port
COMPACT_IPV6 = 18  # bytes: 16 of address, 2 of port


@attrs.frozen(order=True)
class Address:
    """A host (an IP address in its canonical spelling, or a name) and a TCP or UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
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
