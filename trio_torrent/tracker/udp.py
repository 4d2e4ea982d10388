"""UDP trackers as a client sees them: the datagrams of BEP 15, and the URL options of BEP 41.

What is asked is a `Question`; it knows its own bytes and how to read its answer. `trio_torrent.tracker.exchange` knows
when to send them. Trackers are strangers: whatever comes, `read` gives values within limits, or None for what is too
short to be an answer, which is then as good as lost.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

import attrs

from trio_torrent.address import COMPACT_IPV4, COMPACT_IPV6, Address, unpack_ipv4, unpack_ipv6
from trio_torrent.errors import TrackerError

from .announce import Announce, AnnounceEvent, Answer, Counts
from .limits import MAX_PEERS, count, dialable, readable, regular_interval

PROTOCOL = 0x41727101980  # what stands in a connect request where others have their connection id
HEAD = 8  # bytes of every answer: action, transaction id
MIN_INTERVAL = 60.0  # seconds without an event, for which the protocol has no field; libtorrent takes a minute, too

# With 98 bytes before them and two for each 255, they fit any path of IPv6, whose packets are 1280 bytes at least.
MAX_URL_DATA = 1024
_URL_DATA = 2  # the option's number
_OPTION = 255  # bytes that one option can hold

ASK = struct.Struct(">QII")  # connection id, action, transaction id
ANNOUNCE = struct.Struct(">20s20sQQQIIIiH")  # what follows in an announce, in the order of BEP 15
ANSWER = struct.Struct(">III")  # interval, leechers, seeders; then peers
COUNTS = struct.Struct(">III")  # seeders, downloaded, leechers

EVENTS = {
    AnnounceEvent.NONE: 0,
    AnnounceEvent.COMPLETED: 1,
    AnnounceEvent.STARTED: 2,
    AnnounceEvent.STOPPED: 3,
}

T_co = TypeVar("T_co", covariant=True)


class Action(enum.IntEnum):
    """What a datagram is."""

    CONNECT = 0
    ANNOUNCE = 1
    SCRAPE = 2
    ERROR = 3


class Question(Protocol[T_co]):
    """Something to ask of a tracker."""

    @property
    def action(self) -> Action:
        """Of the request, and of its answer."""

    def body(self) -> bytes:
        """The request, behind its head."""

    def read(self, body: bytes) -> T_co | None:
        """The answer, from what is behind its head; None if it is too short."""


@attrs.frozen
class AnnounceQuestion:
    """An announce. The same bytes say it over IPv4 and IPv6; the answers differ in the size of an address."""

    announce: Announce
    url_data: bytes
    ipv6: bool
    action: ClassVar[Action] = Action.ANNOUNCE

    def body(self) -> bytes:
        """90 bytes, and the tracker's path and query if it has any."""
        said = self.announce
        fixed = ANNOUNCE.pack(
            said.info_hash,
            said.peer_id,
            said.downloaded,
            said.left,
            said.uploaded,
            EVENTS[said.event],
            0,  # our address, which the tracker knows better
            said.key,
            -1 if said.numwant is None else said.numwant,
            said.port,
        )
        return fixed + b"".join(_options(self.url_data))

    def read(self, body: bytes) -> Answer | None:
        """Peers that make no sense are left out, and a torn one at the end."""
        if len(body) < ANSWER.size:
            return None
        interval, leechers, seeders = ANSWER.unpack_from(body)
        return Answer(
            interval=regular_interval(interval),
            min_interval=MIN_INTERVAL,
            peers=tuple(dict.fromkeys(filter(dialable, self._peers(body[ANSWER.size :])))),
            seeders=count(seeders),
            leechers=count(leechers),
            warning=None,
            tracker_id=None,
            external_ip=None,
        )

    def _peers(self, packed: bytes) -> list[Address]:
        if self.ipv6:
            return unpack_ipv6(packed[: MAX_PEERS * COMPACT_IPV6])
        return unpack_ipv4(packed[: MAX_PEERS * COMPACT_IPV4])


@attrs.frozen
class ScrapeQuestion:
    """A scrape of at most 74 torrents."""

    info_hashes: Sequence[bytes]
    action: ClassVar[Action] = Action.SCRAPE

    def body(self) -> bytes:
        """20 bytes each."""
        return b"".join(self.info_hashes)

    def read(self, body: bytes) -> Mapping[bytes, Counts] | None:
        """In the order of the question; those that the answer ends before are left out."""
        rows = COUNTS.iter_unpack(body[: len(body) // COUNTS.size * COUNTS.size])
        counted = [Counts(count(seeders), count(leechers), count(downloaded)) for seeders, downloaded, leechers in rows]
        return dict(zip(self.info_hashes, counted, strict=False)) or None


@attrs.frozen
class Target:
    """Where a udp:// URL leads."""

    host: str
    port: int
    path: str
    query: str

    @property
    def url_data(self) -> bytes:
        """What BEP 41 tells the tracker."""
        return (f"{self.path}?{self.query}" if self.query else self.path).encode()


def parse_url(url: str) -> Target:
    """Read udp://HOST:PORT, with a path and a query at most. Raises TrackerError in words that hold no passkey."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise TrackerError("not a URL of a UDP tracker") from None
    if not host or not port:
        raise TrackerError("a UDP tracker's URL must name its host and port")
    target = Target(host, port, parts.path, parts.query)
    try:
        too_long = len(target.url_data) > MAX_URL_DATA
    except UnicodeError:
        raise TrackerError("not a URL of a UDP tracker") from None
    if too_long:
        raise TrackerError(f"{readable(host.encode())}: its URL is too long for a datagram")
    return target


def connect_request(transaction: int) -> bytes:
    """The datagram that begins a connection."""
    return ASK.pack(PROTOCOL, Action.CONNECT, transaction)


def request(connection: int, transaction: int, question: Question[object]) -> bytes:
    """The datagram that asks, once there is a connection."""
    return ASK.pack(connection, question.action, transaction) + question.body()


def read_connection(body: bytes) -> int | None:
    """The connection id, from what is behind the head of the answer; None if it is too short."""
    return int.from_bytes(body[:8]) if len(body) >= 8 else None


def _options(url_data: bytes) -> Iterator[bytes]:
    """BEP 41. There is no option where there is nothing to say, as a few old trackers want 98 bytes and no more."""
    for start in range(0, len(url_data), _OPTION):
        part = url_data[start : start + _OPTION]
        yield bytes([_URL_DATA, len(part)]) + part
