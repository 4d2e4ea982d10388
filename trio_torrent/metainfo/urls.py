"""Where a torrent says its peers are: trackers, web seeds, DHT nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trio_torrent.address import Address
from trio_torrent.bencode import Value

from .fields import Fields

MAX_TRACKERS = 500  # of a torrent or magnet link; the longest public lists have some 150
MAX_WEB_SEEDS = 100  # of each kind; each costs a connection
MAX_NODES = 100  # DHT nodes; a few are enough to join
MAX_URL_LENGTH = 2048  # characters; passkeys have a few hundred, and servers refuse more

# A scheme, a host, and the rest; nothing that a terminal or an HTTP request would trip over.
_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]*://(?![/?#])[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_HOST = re.compile(rb"[!-~]{1,255}")  # a name or an address; 255 is the longest name of DNS


def clean_url(value: Value | str) -> str | None:
    """The URL without blanks around it, those in it escaped; or None if it is none."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if not isinstance(value, str):
        return None
    url = value.strip().replace(" ", "%20")
    return url if len(url) <= MAX_URL_LENGTH and _URL.fullmatch(url) else None


def read_trackers(fields: Fields) -> tuple[tuple[str, ...], ...]:
    """Tiers of announce URLs (BEP 12); `announce` where there are none (BEP 3)."""
    listed = [tier if isinstance(tier, list) else [tier] for tier in fields.items(b"announce-list")]
    tiers = _tiers(fields, listed, b"announce-list")
    if not tiers and b"announce" in fields.values:
        tiers = _tiers(fields, [[fields.values[b"announce"]]], b"announce")
    return tiers


def read_urls(fields: Fields, key: bytes) -> tuple[str, ...]:
    """A list of http(s) URLs, or one (BEP 17 and 19)."""
    value = fields.values.get(key, [])
    tiers = _tiers(fields, [value if isinstance(value, list) else [value] if value else []], key, MAX_WEB_SEEDS)
    return tuple(url for tier in tiers for url in tier if url.lower().startswith(("http://", "https://")))


def _tiers(
    fields: Fields, tiers: Iterable[Iterable[Value]], key: bytes, limit: int = MAX_TRACKERS
) -> tuple[tuple[str, ...], ...]:
    """Without what is no URL, what was there before, what is beyond the limit, and tiers that are then empty."""
    seen: set[str] = set()
    found = []
    for tier in tiers:
        kept = []
        for value in tier:
            url = clean_url(value)
            if url is None or len(seen) >= limit:
                fields.notes.add(f"{fields.name(key)} has what is not a URL, or more than {limit}: left out")
            elif url not in seen:
                seen.add(url)
                kept.append(url)
        if kept:
            found.append(tuple(kept))
    return tuple(found)


def read_nodes(fields: Fields) -> tuple[Address, ...]:
    """DHT nodes (BEP 5), each a host and a port."""
    found: dict[Address, None] = {}
    for item in fields.items(b"nodes"):
        match item:
            case [bytes(host), int(port), *_] if _HOST.fullmatch(host) and 0 < port < 65536:
                found[Address(host.decode(), port)] = None
            case _:
                fields.notes.add("nodes has what is not a host and a port: left out")
    return tuple(found)[:MAX_NODES]
