"""What a tracker may make us believe, show and wait for, whatever protocol it speaks."""

from __future__ import annotations

import ipaddress
import re

from trio_torrent.address import Address
from trio_torrent.bencode import Value

MAX_PEERS = 3000  # taken from one answer: all that a torrent may know; we ask for 200
MAX_TEXT = 200  # characters of a tracker's message: more is not a line
MAX_COUNT = (1 << 31) - 1  # of seeders and leechers: UDP trackers have 32 bits for it, and some take them as signed

DEFAULT_INTERVAL = 1800.0  # seconds, where the tracker names none, as libtorrent
MIN_INTERVAL = 60.0  # libtorrent waits 300; a minute lets a tracker inside a cluster be lively and burdens no one
MAX_INTERVAL = 86_400.0  # a day: a slip of units must not make a torrent deaf

# What fits a datagram (BEP 15, scrape); in a URL they make 5 kB, of the 8 that servers take.
MAX_SCRAPED = 74

_AUTHORITY = re.compile(r"\w+://(?:[^/?#]*@)?([^/?#]+)")


def regular_interval(seconds: float | None) -> float:
    """Seconds between regular announces, within limits; None or 0 if the tracker named none."""
    return min(max(float(seconds or DEFAULT_INTERVAL), MIN_INTERVAL), MAX_INTERVAL)


def count(value: Value | None) -> int | None:
    """How many peers of a kind there are; None for what is no such number."""
    return value if isinstance(value, int) and 0 <= value <= MAX_COUNT else None


def dialable(address: Address) -> bool:
    """Dialling 0.0.0.0 would reach this host, and nobody answers a multicast address."""
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        return True  # a host name
    return not (ip.is_unspecified or ip.is_multicast or "%" in address.host)


def readable(text: Value | None) -> str:
    """A tracker's message as one line that is safe in a terminal: no control or direction characters, not too long."""
    if not isinstance(text, bytes):
        return ""
    shown = text[: 4 * MAX_TEXT].decode(errors="replace")  # UTF-8 takes at most 4 bytes a character
    words = "".join(char if char.isprintable() else " " for char in shown).split()
    return " ".join(words)[:MAX_TEXT]


def tracker_name(url: str) -> str:
    """Host and port, for people: the rest of a tracker's URL may hold a passkey."""
    authority = _AUTHORITY.match(url)
    return readable(authority[1].encode(errors="replace")) if authority else "without a host"


def tracker_host(url: str) -> str:
    """The host alone: who it is that speaks, whatever its ports."""
    name = tracker_name(url)
    host, _, port = name.rpartition(":")
    return (host if port.isdigit() else name).strip("[]")
