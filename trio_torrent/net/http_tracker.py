"""Asking HTTP trackers: one announce, one scrape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, Answer, Counts
from trio_torrent.tracker.http import announce_url, parse_answer
from trio_torrent.tracker.limits import tracker_name
from trio_torrent.tracker.scrape import parse_scrape_answer, scrape_url

from .reach import Family, Local

ANNOUNCE_SECONDS = 30.0  # from look-up to the last byte: libtorrent's tracker_completion_timeout
MAX_ANSWER = 1 << 20  # bytes when inflated: libtorrent's tracker_maximum_response_length


class Getter(Protocol):
    """What is needed of `Http`."""

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes: ...


async def announce(
    http: Getter, url: str, said: Announce, *, seconds: float = ANNOUNCE_SECONDS, family: Family | None = None
) -> Answer:
    """Announce once to one tracker, over one family of addresses or whichever works. Raises TrackerError.

    A tracker on this host or the local network needs no setting as long as its URL has no query: a torrent can make
    us announce there, but not press a button of the router.
    """
    local = Local.NEVER if "?" in url else Local.ANNOUNCE
    body = await http.get(announce_url(url, said), limit=MAX_ANSWER, seconds=seconds, local=local, family=family)
    return parse_answer(body)


async def scrape(http: Getter, url: str, info_hashes: Sequence[bytes]) -> Mapping[bytes, Counts]:
    """Ask how many share these torrents, at most 74. Raises TrackerError.

    Trackers on this host or the local network are scraped only where the user allows what is local.
    """
    scraping = scrape_url(url, info_hashes)
    if scraping is None:
        raise TrackerError(f"{tracker_name(url)}: has no URL for scrapes")
    return parse_scrape_answer(await http.get(scraping, limit=MAX_ANSWER, seconds=ANNOUNCE_SECONDS), info_hashes)
