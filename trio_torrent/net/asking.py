"""Asking trackers by whatever protocol their URLs name, and over IPv4 and IPv6 apart.

A tracker sees us at the address that we come from, so one that has addresses of both kinds hears of us twice, with the
same key (BEP 7, BEP 15). The two know nothing of each other: a family that does not work, and on many machines IPv6
does not, neither delays the other nor counts as a failure of the tracker.

With a proxy, all of HTTP goes through it, and it chooses the family. UDP cannot, so UDP trackers are not asked at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Protocol, TypeAlias

import trio

from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, Answer, Counts, Refused
from trio_torrent.tracker.limits import MAX_SCRAPED, tracker_name

from . import http_tracker
from .http_tracker import ANNOUNCE_SECONDS, Getter
from .reach import Family, Lookup, NoAddressError
from .udp_tracker import UdpTrackers

Heard: TypeAlias = Callable[[Answer], Awaitable[None]]

_NOT_PROXIED = "not asked: UDP does not go through the proxy"


class Asker(Protocol):
    """What is needed of `Trackers`."""

    @property
    def silenced(self) -> Mapping[str, str]: ...

    async def announce(self, url: str, said: Announce, heard: Heard, *, seconds: float = ANNOUNCE_SECONDS) -> None: ...

    async def scrape(self, url: str, info_hashes: Sequence[bytes]) -> Mapping[bytes, Counts]: ...


class Trackers:
    """Asks trackers. Made by `make_trackers`."""

    def __init__(self, http: Getter, udp: UdpTrackers | None, families: Sequence[Family | None]) -> None:
        """Without `udp`, its trackers are not asked; each announce goes out over all `families`."""
        self._http = http
        self._udp = udp
        self._families = families

    @property
    def silenced(self) -> Mapping[str, str]:
        """The schemes that are not asked, and why not in words: for `Tiers`."""
        return {"udp": _NOT_PROXIED} if self._udp is None else {}

    async def announce(self, url: str, said: Announce, heard: Heard, *, seconds: float = ANNOUNCE_SECONDS) -> None:
        """Announce over every family at once, each within `seconds`; `heard` is awaited with each answer as it comes.

        Raises TrackerError, perhaps Refused, if there is none.
        """
        errors: list[TrackerError] = []

        async def over(family: Family | None) -> None:
            try:
                answer = await self._announce(url, said, seconds, family)
            except TrackerError as error:
                errors.append(error)
            else:
                await heard(answer)

        async with trio.open_nursery() as nursery:
            for family in self._families:
                nursery.start_soon(over, family)
        if len(errors) == len(self._families):
            raise max(errors, key=_worth)

    async def _announce(self, url: str, said: Announce, seconds: float, family: Family | None) -> Answer:
        if not _is_udp(url):
            return await http_tracker.announce(self._http, url, said, seconds=seconds, family=family)
        return await self._udp_for(url).announce(url, said, seconds=seconds, family=family)

    async def scrape(self, url: str, info_hashes: Sequence[bytes]) -> Mapping[bytes, Counts]:
        """Ask how many share these torrents, 74 at a time. Those that the tracker does not know are left out.

        Raises TrackerError.
        """
        found: dict[bytes, Counts] = {}
        for start in range(0, len(info_hashes), MAX_SCRAPED):
            some = info_hashes[start : start + MAX_SCRAPED]
            if _is_udp(url):
                found |= await self._udp_for(url).scrape(url, some)
            else:
                found |= await http_tracker.scrape(self._http, url, some)
        return found

    def _udp_for(self, url: str) -> UdpTrackers:
        if self._udp is None:
            raise TrackerError(f"{tracker_name(url)}: {_NOT_PROXIED}")
        return self._udp


def make_trackers(
    http: Getter, *, lookup: Lookup, random: Random, allow_local: bool, interface: str | None, proxied: bool
) -> Trackers:
    """What asks as a client is set to: from one local address, through a proxy (`http` knows which), or freely."""
    if proxied:
        return Trackers(http, None, [None])
    families = list(Family) if interface is None else [Family.of(interface)]
    udp = UdpTrackers(lookup=lookup, random=random, allow_local=allow_local, interface=interface)
    return Trackers(http, udp, families)


def _is_udp(url: str) -> bool:
    return url[:4].lower() == "udp:"


def _worth(error: TrackerError) -> int:
    """Of the errors over both families, what a tracker said tells more than that it was silent or not there."""
    return 2 if isinstance(error, Refused) else 0 if isinstance(error, NoAddressError) else 1
