"""Every knob, with the reason for its default."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import attrs

from trio_torrent.address import Address
from trio_torrent.dht.options import ROUTERS
from trio_torrent.net.proxy import Proxy
from trio_torrent.version import __version__

# BEP 20, Azureus style: two letters for the client, four digits for its version.
PEER_ID_PREFIX = "-TT{:02d}{:02d}-".format(*(int(part) for part in __version__.split(".")[:2]))


def default_threads() -> int:
    """One for each core, but two at the least, so that hashing never waits for the disk, and no more than eight."""
    return min(8, max(2, os.cpu_count() or 2))


def _positive(instance: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1, not {value}")


def _not_negative(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must be at least 0, not {value}")


def _is_port(instance: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if not 0 <= value < 65536:
        raise ValueError(f"{attribute.name} must be from 0 to 65535, not {value}")


def _is_address(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    ipaddress.ip_address(value)


def _is_proxy(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    Proxy.parse(value)


def _addresses(values: Iterable[Address | str]) -> tuple[Address, ...]:
    if isinstance(values, str):
        raise ValueError(f"{values!r} is one address, and not several")
    return tuple([Address.parse(value) if isinstance(value, str) else value for value in values])


@attrs.frozen(kw_only=True)
class Settings:
    """How a client behaves. ValueError for a value that makes no sense."""

    port: int = attrs.field(default=6881, validator=_is_port)
    """Where peers reach us, TCP; 0 is any free port. If the port is taken, any free one is used instead."""

    interface: str | None = attrs.field(default=None, validator=attrs.validators.optional(_is_address))
    """A local IP address to listen on and to connect from; None leaves it to the system."""

    connections: int = attrs.field(default=50, validator=_positive)
    """Peers of one torrent. More of them bring little once the link is full (libtorrent's default is 50, too)."""

    connections_in_all: int = attrs.field(default=200, validator=_positive)
    """Peers of all torrents together (libtorrent's default, too); fewer, if the system allows but few open files."""

    limit_down: int | None = attrs.field(default=None, validator=attrs.validators.optional(_positive))
    """Bytes a second that all torrents together may receive; None is no limit."""

    limit_up: int | None = attrs.field(default=None, validator=attrs.validators.optional(_positive))
    """Bytes a second that all torrents together may send; None is no limit. Only blocks count, and nothing else waits:
    requests, choking and the like are a thousandth of them."""

    upload_slots: int = attrs.field(default=8, validator=_positive)
    """Peers of one torrent that are served at once, at the least; a link that is fast enough serves more. TCP shares a
    link badly among many (BEP 3), and peers that get too little of it have nothing to pass on."""

    superseed: bool = False
    """Serve what is complete from the start as if it were the first copy there is: each piece is sent about once until
    the others have it all (BEP 16). It is no use where somebody else has everything, too."""

    allow_local: bool = False
    """Let torrents name trackers and other servers on this machine or the local network without restriction."""

    trackers: bool = True
    """Announce to the torrent's trackers."""

    web_seeds: bool = True
    """Download from the torrent's web servers, too (BEP 17, BEP 19)."""

    lsd: bool = True
    """Look for peers in the local network, and be found there (BEP 14). Never for private torrents, and not on the
    loopback interface."""

    pex: bool = True
    """Let peers tell of peers, and tell them (BEP 11). Never for private torrents."""

    strict_tiers: bool = False
    """Ask the tiers of trackers one after the other, as BEP 12 has it. A dead one then costs half a minute."""

    dht: bool = True
    """Find peers in the mainline DHT, and be found there; not for private torrents, and not beside a proxy, which it
    would go around. It takes the UDP port of the same number as `port`, or any if that is taken."""

    dht_routers: tuple[Address, ...] = attrs.field(default=ROUTERS, converter=_addresses)
    """Whom to ask for the way into the DHT while nobody is known, `HOST:PORT` each; none to wait for peers and torrents
    that name nodes. One on a local network lets the others there be spoken to, too."""

    proxy: str | None = attrs.field(default=None, validator=attrs.validators.optional(_is_proxy))
    """http://[USER:PASSWORD@]HOST:PORT or socks5://..., for HTTP trackers, web seeds and fetching .torrent files.

    Names are looked up by the proxy. UDP trackers are then not asked at all; peers are connected to as always.
    """

    allocation: Literal["sparse", "full"] = attrs.field(
        default="sparse", validator=attrs.validators.in_(("sparse", "full"))
    )
    """Whether files grow as their pieces come, or the disk sets aside all that they will need before a download begins.
    Sparse files begin at once; full ones cannot run out of room, and lie together on disks that turn."""

    state_folder: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    """Where to remember what was verified, so that it need not be checked again, and whom the DHT knows, so that peers
    are found at once; None remembers nothing."""

    threads: int = attrs.field(factory=default_threads, validator=_positive)
    """For hashing, reading and writing. SHA-1 runs at 1.9 GB/s a thread, so a few of them outrun any disk."""

    stop_seconds: float = attrs.field(default=5.0, validator=_not_negative)
    """How long leaving may take, for the trackers to be told that we are gone."""

    user_agent: str = f"trio-torrent/{__version__}"
    """What trackers are told."""
