"""What we tell a tracker, and what it tells us, whatever protocol carries it (BEP 3, trackers)."""

from __future__ import annotations

import enum

import attrs

from trio_torrent.address import Address
from trio_torrent.errors import TrackerError


class AnnounceEvent(enum.Enum):
    """Why we announce; the value is the word of BEP 3, and a regular announce has none."""

    NONE = ""
    STARTED = "started"
    COMPLETED = "completed"
    STOPPED = "stopped"


@attrs.frozen
class Totals:
    """How far a torrent is: bytes of payload since it was started, and bytes that it still lacks."""

    uploaded: int
    downloaded: int
    left: int


@attrs.frozen
class Announce:
    """One announce of one torrent to one tracker."""

    info_hash: bytes  # 20 bytes; of a version 2 torrent, the first 20 (BEP 52)
    peer_id: bytes  # 20 bytes
    port: int  # where we listen, TCP
    uploaded: int  # bytes
    downloaded: int  # bytes
    left: int  # bytes; 0 makes us a seeder
    event: AnnounceEvent
    key: int  # 32 bits that only we know, by which a tracker knows us again at another address
    numwant: int | None  # how many peers we would like; None leaves it to the tracker
    tracker_id: bytes | None  # what the tracker told us to say next time


@attrs.frozen
class Answer:
    """What a tracker answered. Every value is within limits already."""

    interval: float  # seconds until the next regular announce
    min_interval: float | None  # seconds during which it wants to hear nothing but events
    peers: tuple[Address, ...] = attrs.field(repr=False)
    seeders: int | None
    leechers: int | None
    warning: str | None  # one line, safe to show
    tracker_id: bytes | None
    external_ip: str | None  # our address as the tracker saw it (BEP 24)
    downloaded: int | None = None  # how many have ever completed it; few say so here


@attrs.frozen
class Counts:
    """Who shares a torrent, as a tracker has counted; None where it does not say (BEP 48)."""

    seeders: int | None
    leechers: int | None
    downloaded: int | None  # how many have ever completed it


class Refused(TrackerError):
    """The tracker answered with a failure reason; one line, safe to show.

    `retry_in` is how long it asked us to stay away, in seconds: None if it did not say, infinite for "never" (BEP 31).
    """

    def __init__(self, reason: str, retry_in: float | None = None) -> None:
        super().__init__(reason)
        self.retry_in = retry_in
