"""The sockets of local service discovery (BEP 14): one for each family, that is a member of its group."""

from __future__ import annotations

import ipaddress
import math
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import trio

from trio_torrent.address import Address
from trio_torrent.swarm.lsd import Neighbourhood
from trio_torrent.wire.lsd import GROUP_IPV4, GROUP_IPV6, MAX_DATAGRAM, PORT, LocalAnnounce, encode_local

from .boundary import Boundary

TICK_SECONDS = 1.0  # between looks at what is due: a torrent that has just come should not wait
BATCH = 100  # datagrams before others have their turn
HOPS = 4  # the groups reach beyond one wire, and should not reach far

# Until it is tried again to become a member of a group: the network may come up later than we do, and none notices.
ENTER_AGAIN_SECONDS = 60.0

Torrents = Callable[[], Sequence[bytes]]
"""The info-hashes of 20 bytes that may be spoken of now."""

Found = Callable[[bytes, Address], None]
"""Told of a neighbour that has one of these; or of another torrent, which may not be known."""

Enter = Callable[[], socket.socket]
"""Become a member of a group. Raises OSError where that cannot be, or not yet."""


async def discover(
    entrances: Sequence[Enter],
    neighbourhood: Neighbourhood,
    torrents: Torrents,
    found: Found,
    boundary: Boundary,
) -> None:
    """Say what we have, and hear what others have, for ever, in every group that can be entered by then."""
    outside, groups, enter_at = list(entrances), list[socket.socket](), -math.inf
    with ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            while True:
                now = trio.current_time()
                if outside and now >= enter_at:
                    enter_at = now + ENTER_AGAIN_SECONDS
                    for group in _enter(outside):
                        groups.append(stack.enter_context(group))
                        nursery.start_soon(_listen, group, neighbourhood, found, boundary)
                if groups:
                    _speak(groups, neighbourhood, torrents(), now)
                await trio.sleep(TICK_SECONDS)


def _enter(outside: list[Enter]) -> Iterator[socket.socket]:
    """Go in where there is a way; what is left is outside."""
    for enter in list(outside):
        with suppress(OSError):
            group = enter()
            outside.remove(enter)
            yield group


def _speak(
    groups: Sequence[socket.socket], neighbourhood: Neighbourhood, torrents: Sequence[bytes], now: float
) -> None:
    announce = neighbourhood.due(torrents, now)
    if announce is not None and not _say(announce, groups):
        neighbourhood.unheard(announce)


def _say(announce: LocalAnnounce, groups: Sequence[socket.socket]) -> bool:
    """Whether it went out anywhere."""
    said = False
    for group in groups:
        ipv6 = group.family == socket.AF_INET6
        with suppress(OSError):  # no network for a moment, perhaps
            group.sendto(encode_local(announce, ipv6=ipv6), (GROUP_IPV6 if ipv6 else GROUP_IPV4, PORT))
            said = True
    return said


async def _listen(group: socket.socket, neighbourhood: Neighbourhood, found: Found, boundary: Boundary) -> None:
    while True:
        await trio.lowlevel.wait_readable(group)
        with boundary.guard("local service discovery"):
            for datagram, host in _drain(group):
                heard = neighbourhood.heard(datagram, host, trio.current_time())
                if heard is not None:
                    address, info_hashes = heard
                    for info_hash in info_hashes:
                        found(info_hash, address)


def _drain(group: socket.socket) -> Iterator[tuple[bytes, str]]:
    for _ in range(BATCH):
        try:
            datagram, sender = group.recvfrom(MAX_DATAGRAM + 1)
        except OSError:
            return
        if "%" not in sender[0]:  # nobody can be reached at a link-local address without knowing by which link
            yield datagram, sender[0]


def entrances(interface: str | None) -> list[Enter]:
    """To both groups, or to that of the interface's family. On the loopback interface there are no neighbours."""
    ip = None if interface is None else ipaddress.ip_address(interface)
    if ip is not None and ip.is_loopback:
        return []
    families = ((4, _enter_ipv4), (6, _enter_ipv6))
    return [partial(enter, interface) for version, enter in families if ip is None or ip.version == version]


def _enter_ipv4(interface: str | None) -> socket.socket:
    with _socket(socket.AF_INET, GROUP_IPV4) as group:
        near = socket.inet_aton(interface or "0.0.0.0")
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP_IPV4) + near)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, near)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, HOPS)
    return group


def _enter_ipv6(interface: str | None) -> socket.socket:
    with _socket(socket.AF_INET6, GROUP_IPV6) as group:
        index = _index_of(interface)
        members = socket.inet_pton(socket.AF_INET6, GROUP_IPV6) + struct.pack("@I", index)
        group.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, members)
        group.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        group.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOPS)
    return group


def _index_of(interface: str | None) -> int:
    """The number of the interface that has this address, as far as the system tells; 0 leaves it to the system."""
    if interface is None:
        return 0
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
        trial.bind((interface, 0))
        scope: int = trial.getsockname()[3]
    return scope


@contextmanager
def _socket(family: socket.AddressFamily, address: str) -> Iterator[socket.socket]:
    """Bound to the group's port, which several programs of one machine share. It is closed if anything fails."""
    group = socket.socket(family, socket.SOCK_DGRAM)
    try:
        group.setblocking(False)
        group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "darwin":
            group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Where that is possible, only what is sent to the group arrives, and not what anybody sends to this port.
        group.bind(("" if sys.platform == "win32" else address, PORT))
        yield group
    except BaseException:
        group.close()
        raise
