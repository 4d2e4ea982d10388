"""Where a torrent's URLs may lead: to which of a host's addresses, and never to a name that could change its mind.

An address that is not global (this host, the local network) is contacted only as the caller's `Local` says. Each
connection goes to an address that was looked up and checked here, so no second look-up can lead elsewhere.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from trio_torrent.errors import TrackerError

from .words import in_one_line

ANNOUNCE_PATH = "/announce"  # little but a tracker has such a path; libtorrent's guard goes by it too
MAX_ADDRESSES = 8  # of one host that are tried

Lookup: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Host name to IP addresses, or OSError."""

# The last 4 bytes are the IPv4 address that a gateway connects to (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

# What no name service of the world knows, and a local one may (RFC 6761, RFC 6762, RFC 8375; ICANN's `internal`).
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "lan")


class Local(enum.Enum):
    """Whether a request may go to an address that is not global, such as 127.0.0.1 or 192.168.0.1."""

    NEVER = enum.auto()
    ANNOUNCE = enum.auto()  # only at a path that ends in /announce
    ALWAYS = enum.auto()


class Family(enum.Enum):
    """A version of the Internet Protocol. Trackers are told of us over each, as they see us at another address."""

    IPV4 = 4
    IPV6 = 6

    @classmethod
    def of(cls, address: str) -> Family:
        """The family of an IP address."""
        return cls(ipaddress.ip_address(address).version)


class NoAddressError(TrackerError):
    """The host has no address of the wanted family, so there is nobody to ask."""


async def reach(host: str, lookup: Lookup, *, family: Family | None = None, may_stay: bool = False) -> list[str]:
    """The addresses at which `host`, a name or an IP address, may be contacted: at least one, at most eight.

    `family` is the only one to take, None for both; `may_stay` lets it be this machine or the local network. Raises
    NoAddressError, or TrackerError if no address is allowed or the name is unknown.
    """
    found = await _addresses(host, lookup)
    wanted = [address for address in found if family is None or Family.of(address) is family]
    if not wanted:
        raise NoAddressError(f"{host} has no IPv{family.value} address" if family else f"{host} has no address")
    allowed = [address for address in wanted if may_stay or is_global(address)]
    if not allowed:
        raise refusal(host)
    return allowed[:MAX_ADDRESSES]


async def _addresses(host: str, lookup: Lookup) -> Sequence[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass  # a name
    try:
        return await lookup(host)
    except (OSError, UnicodeError) as error:  # the latter from the IDNA codec: an empty label, one too long
        raise TrackerError(f"{host}: cannot be looked up: {in_one_line(error)}") from error


def refusal(host: str) -> TrackerError:
    """What to raise for a host that must not be contacted."""
    return TrackerError(
        f"{host} is on this machine or the local network, where only plain {ANNOUNCE_PATH} URLs are asked"
    )


def is_global(address: str) -> bool:
    """Not of this host or a local network, nor an IPv6 address that leads to such an IPv4 address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or translated or ip
    return ip.is_global and not ip.is_multicast


def sounds_local(host: str) -> bool:
    """Whether a host that somebody else will look up, a proxy, is likely to be on his machine or network."""
    try:
        return not is_global(host)
    except ValueError:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith(tuple(f".{local}" for local in _LOCAL_NAMES))
