"""Where a node or a peer is, as it travels: 4 or 16 bytes of address, 2 of port (BEP 5, "contact encoding"; BEP 32).

The DHT handles addresses by the thousand and hardly ever shows one, so they stay in this form: it is the key of every
table, it is what goes into a datagram, and its length tells the family.
"""

from __future__ import annotations

import enum
import ipaddress
from bisect import bisect_right
from typing import TypeAlias

from trio_torrent.address import Address

Endpoint: TypeAlias = bytes


class Family(enum.IntEnum):
    """IPv4 and IPv6 are two DHTs (BEP 32). The value is how many bytes an endpoint has."""

    IPV4 = 6
    IPV6 = 18

    @property
    def other(self) -> Family:
        """The one that this is not."""
        return Family.IPV6 if self is Family.IPV4 else Family.IPV4


def ip_of(endpoint: Endpoint) -> bytes:
    """The address alone, 4 or 16 bytes."""
    return endpoint[:-2]


def with_port(endpoint: Endpoint, port: int) -> Endpoint:
    """The same address with another port."""
    return endpoint[:-2] + port.to_bytes(2, "big")


def to_address(endpoint: Endpoint) -> Address:
    """For people, and for the rest of the project."""
    return Address(str(ipaddress.ip_address(endpoint[:-2])), int.from_bytes(endpoint[-2:], "big"))


def from_address(address: Address) -> Endpoint:
    """Raises ValueError for a host name, and for a port that does not fit."""
    if not 0 < address.port < 65536:
        raise ValueError(f"{address} has no port that datagrams could go to")
    return ipaddress.ip_address(address.host).packed + address.port.to_bytes(2, "big")


def subnet_of(endpoint: Endpoint) -> bytes:
    """The /24 or the /64: what one owner has for little money (libtorrent's measure, too)."""
    return endpoint[:3] if len(endpoint) == Family.IPV4 else endpoint[:8]


def is_usable(endpoint: Endpoint, *, allow_local: bool) -> bool:
    """Whether a stranger may make us send there: a unicast address of the public internet, and a port.

    `allow_local` adds private networks and this machine.
    """
    if endpoint[-2:] == b"\0\0":
        return False
    ip = endpoint[:-2]
    if len(ip) == 16:
        return _is_public_ipv6(ip) or (allow_local and _is_local_ipv6(ip))
    return not _in(ip, _RESERVED_IPV4) or (allow_local and is_local(ip))


def is_local(ip: bytes) -> bool:
    """Whether it is an address of this machine or of a local network, which BEP 42 exempts."""
    return _is_local_ipv6(ip) if len(ip) == 16 else _in(ip, _LOCAL_IPV4)


def _ranges(*networks: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """First and last addresses, in order."""
    known = sorted(map(ipaddress.IPv4Network, networks))
    return tuple(n.network_address.packed for n in known), tuple(n.broadcast_address.packed for n in known)


def _in(ip: bytes, ranges: tuple[tuple[bytes, ...], tuple[bytes, ...]]) -> bool:
    at = bisect_right(ranges[0], ip) - 1
    return at >= 0 and ip <= ranges[1][at]


_LOCAL = ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
_LOCAL_IPV4 = _ranges(*_LOCAL)
_RESERVED_IPV4 = _ranges(  # RFC 6890, and everything from multicast upwards
    *_LOCAL,
    "0.0.0.0/8",
    "100.64.0.0/10",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)
_NOT_PUBLIC_IPV6 = (b"\x20\x01\x0d\xb8", b"\x20\x01\x00\x00", b"\x20\x02")  # examples, Teredo (BEP 32), 6to4


def _is_public_ipv6(ip: bytes) -> bool:
    return ip[0] >> 5 == 1 and not ip.startswith(_NOT_PUBLIC_IPV6)  # 2000::/3 is all that is given out


def _is_local_ipv6(ip: bytes) -> bool:
    return ip[0] >> 1 == 0x7E or ip[:2] == b"\xfe\x80" or ip == bytes(15) + b"\x01"  # fc00::/7, link-local, ::1
