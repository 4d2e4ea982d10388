"""Scraping HTTP trackers: how many share a torrent, without taking part in it (BEP 48)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote

from trio_torrent.errors import TrackerError

from .announce import Counts
from .http import answer_dictionary
from .limits import count

_ANNOUNCE, _SCRAPE = "/announce", "/scrape"


def scrape_url(url: str, info_hashes: Collection[bytes]) -> str | None:
    """The URL to get for these torrents, at most 74, made from the announce URL; None if the tracker has no such thing.

    Where the path has a part that begins with `announce`, the last of them becomes `scrape`; the query stays. By an
    older custom that part has to be the end of the path, so a passkey behind it is a guess that may fail.
    """
    base, _, query = url.partition("#")[0].partition("?")
    scheme, separator, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    before, found, after = (slash + path).rpartition(_ANNOUNCE)
    if not separator or not found:
        return None
    own = f"{query.rstrip('&')}&" if query else ""
    hashes = "&".join(f"info_hash={quote(info_hash, safe='')}" for info_hash in info_hashes)
    return f"{scheme}://{host}{before}{_SCRAPE}{after}?{own}{hashes}"


def parse_scrape_answer(body: bytes, info_hashes: Collection[bytes]) -> Mapping[bytes, Counts]:
    """The figures of those torrents of ours that it knows. Raises TrackerError, and Refused with a failure reason."""
    files = answer_dictionary(body).get(b"files")
    if not isinstance(files, dict):
        raise TrackerError("answered a scrape without any files")
    found = {info_hash: files.get(info_hash) for info_hash in info_hashes}
    return {
        info_hash: Counts(
            seeders=count(figures.get(b"complete")),
            leechers=count(figures.get(b"incomplete")),
            downloaded=count(figures.get(b"downloaded")),
        )
        for info_hash, figures in found.items()
        if isinstance(figures, dict)
    }
