"""By which of its names each tracker knows a torrent.

A hybrid is in two swarms, one for each of its info-hashes (BEP 52, "upgrade path"), and to a tracker these are two
torrents. So it hears of both, as DHT nodes do and as from libtorrent: one announce for each name, at the same time. As
with IPv4 and IPv6, one answer is enough, and what the others say is added to it: a tracker that has only one of the
names registered is no failing tracker. But each name has a beginning and an end of its own, as it may be learned late
or taken late: the first that is heard of it is `started`, and only where that was answered it is `stopped`.
"""

from __future__ import annotations

import math

from trio_torrent.errors import TrackerError

from .announce import AnnounceEvent, Refused

_Key = tuple[str, bytes]  # a tracker's URL, and a name of the torrent


class Names:
    """What came of each name at each tracker, since the start. Not larger than the trackers by the two names."""

    def __init__(self) -> None:
        self._known: set[_Key] = set()
        self._unwelcome: set[_Key] = set()

    def start(self) -> None:
        """Nobody knows us."""
        self._known.clear()
        self._unwelcome.clear()

    def event(self, url: str, name: bytes, event: AnnounceEvent) -> AnnounceEvent | None:
        """What the tracker is to hear of this name, when it is to hear this of the torrent; None if nothing."""
        known = (url, name) in self._known
        if event is AnnounceEvent.STOPPED:
            self._known.discard((url, name))
            return event if known else None
        if (url, name) in self._unwelcome:
            return None
        return event if known else AnnounceEvent.STARTED

    def answered(self, url: str, name: bytes) -> None:
        """It was welcome."""
        self._known.add((url, name))

    def failed(self, url: str, name: bytes, error: TrackerError) -> None:
        """It was not; whoever says that it never will be is believed (BEP 31)."""
        if isinstance(error, Refused) and error.retry_in == math.inf:
            self._unwelcome.add((url, name))
