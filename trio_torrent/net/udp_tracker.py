"""Asking UDP trackers: a socket for each question. `trio_torrent.tracker.exchange` decides what is sent and when.

The socket is connected, so that the kernel drops what comes from anybody else and tells us when nobody is there; when
the question is answered, nothing is left of it but the connection id.

A torrent can name any address as a UDP tracker. What it can make us send there is 16 bytes that it cannot choose: the
path of its URL, where BEP 41 would put it, is told only to one who has answered as a tracker does. So on this host and
the local network a URL may also do without the path that HTTP has to have; but one with any other path or with a query
is not asked, and no group of hosts ever is.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import TypeAlias, TypeVar

import trio

from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, Answer, Counts
from trio_torrent.tracker.exchange import Connections, Exchange
from trio_torrent.tracker.udp import AnnounceQuestion, Question, ScrapeQuestion, Target, parse_url

from .http_tracker import ANNOUNCE_SECONDS
from .reach import ANNOUNCE_PATH, Family, Lookup, reach
from .words import in_one_line

MAX_QUESTIONS = 100  # under way at once, each with a socket. Others wait, and their time does not run
MAX_DATAGRAM = 1 << 16  # bytes: no datagram is longer
MAX_DRAINED = 64  # datagrams that are read in a row; a tracker sends one

T = TypeVar("T")
Make: TypeAlias = Callable[[bool], Question[T]]  # the question as it is over IPv6, or not


class UdpTrackers:
    """Asks UDP trackers, from the local address `interface` if given."""

    def __init__(self, *, lookup: Lookup, random: Random, allow_local: bool, interface: str | None) -> None:
        self._lookup = lookup
        self._random = random
        self._allow_local = allow_local
        self._interface = interface
        self._connections = Connections()
        self._places = trio.CapacityLimiter(MAX_QUESTIONS)

    async def announce(self, url: str, said: Announce, *, seconds: float, family: Family | None) -> Answer:
        """Announce once, over one family of addresses or whichever answers. Raises TrackerError."""
        target = parse_url(url)
        return await self._within(seconds, target, partial(AnnounceQuestion, said, target.url_data), family)

    async def scrape(self, url: str, info_hashes: Sequence[bytes]) -> Mapping[bytes, Counts]:
        """Ask how many share these torrents, at most 74. Raises TrackerError."""
        return await self._within(ANNOUNCE_SECONDS, parse_url(url), lambda _: ScrapeQuestion(info_hashes), None)

    async def _within(self, seconds: float, target: Target, make: Make[T], family: Family | None) -> T:
        async with self._places:
            try:
                with trio.fail_after(seconds):
                    return await self._ask(target, make, family)
            except trio.TooSlowError:
                raise TrackerError(f"{target.host}: no answer within {seconds:g} s") from None

    async def _ask(self, target: Target, make: Make[T], family: Family | None) -> T:
        """One address after the other, with a share of the time for each."""
        if family is None and self._interface is not None:
            family = Family.of(self._interface)
        may_stay = self._allow_local or _is_plain(target)
        addresses = await reach(target.host, self._lookup, family=family, may_stay=may_stay)
        errors = []
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            now = trio.current_time()
            share = (trio.current_effective_deadline() - now) / left  # below 0 of one that has been cancelled
            try:
                with trio.move_on_at(now + share):
                    return await self._ask_at(address, target.port, make)
            except OSError as error:
                errors.append(error)
        if not errors:
            raise trio.TooSlowError
        raise TrackerError(f"{target.host}: {in_one_line(errors[0])}")

    async def _ask_at(self, address: str, port: int, make: Make[T]) -> T:
        """Raises OSError if nobody is there, Refused if the tracker says no; asks for ever otherwise."""
        if ipaddress.ip_address(address).is_multicast:
            raise TrackerError(f"{address} is a group of hosts, and no tracker")
        key, now, ipv6 = (address, port), trio.current_time(), Family.of(address) is Family.IPV6
        exchange = Exchange(make(ipv6), connection=self._connections.find(key, now), random=self._random, now=now)
        try:
            with socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                if self._interface is not None:
                    line.bind((self._interface, 0))
                line.connect((address, port))
                return await _carry_out(exchange, line)
        finally:
            self._connections.note(key, exchange.connection)


async def _carry_out(exchange: Exchange[T], line: socket.socket) -> T:
    while exchange.answer is None:
        datagram = exchange.datagram(trio.current_time())
        if datagram is not None:
            with suppress(BlockingIOError):  # as good as lost
                line.send(datagram)
        with trio.move_on_at(exchange.next_time()):
            await trio.lowlevel.wait_readable(line)
            _drain(exchange, line)
    return exchange.answer


def _drain(exchange: Exchange[T], line: socket.socket) -> None:
    """Read what is there, without a look at the clock and the other tasks for each datagram."""
    with suppress(BlockingIOError):
        for _ in range(MAX_DRAINED):
            exchange.receive(line.recv(MAX_DATAGRAM), trio.current_time())


def _is_plain(target: Target) -> bool:
    """Whether a URL is nothing but a tracker's."""
    return not target.query and (target.path in ("", "/") or target.path.endswith(ANNOUNCE_PATH))
