"""HTTP trackers as a client sees them: the URL of an announce, and the bencoded answer (BEP 3, 7, 23, 24, 31).

Trackers are strangers. Whatever the body, `parse_answer` gives an `Answer` whose every value is within limits, or
raises TrackerError; a peer that makes no sense is left out and the rest are kept.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import quote

from trio_torrent.address import COMPACT_IPV4, COMPACT_IPV6, Address, unpack_ipv4, unpack_ipv6
from trio_torrent.bencode import Value, decode
from trio_torrent.errors import BencodeError, TrackerError

from .announce import Announce, AnnounceEvent, Answer, Refused
from .limits import MAX_INTERVAL, MAX_PEERS, count, dialable, readable, regular_interval

MAX_DEPTH = 8  # an answer needs 3 (answer, peers, peer); Transmission allows a tracker 8
MAX_TRACKER_ID = 256  # bytes: it goes into every later URL, three characters a byte

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_Dict: TypeAlias = "dict[bytes, Value]"


def announce_url(url: str, announce: Announce) -> str:
    """The URL to get: the tracker's own, whose query (a passkey) stays as it is, and the announce's fields behind it.

    The info-hash and the peer id are bytes, not text, and escaped byte by byte (BEP 3); a fragment is dropped.
    """
    base = url.partition("#")[0]
    if "?" not in base:
        base += "?"
    elif base[-1] not in "?&":
        base += "&"
    return base + "&".join(f"{name}={value}" for name, value in _fields(announce))


def _fields(announce: Announce) -> Iterable[tuple[str, str | int]]:
    yield "info_hash", quote(announce.info_hash, safe="")
    yield "peer_id", quote(announce.peer_id, safe="")
    yield "port", announce.port
    yield "uploaded", announce.uploaded
    yield "downloaded", announce.downloaded
    yield "left", announce.left
    yield "key", f"{announce.key:08X}"
    yield "compact", 1  # BEP 23
    yield "no_peer_id", 1
    if announce.event is not AnnounceEvent.NONE:
        yield "event", announce.event.value
    if announce.numwant is not None:
        yield "numwant", announce.numwant
    if announce.tracker_id is not None:
        yield "trackerid", quote(announce.tracker_id, safe="")


def parse_answer(body: bytes) -> Answer:
    """Read a tracker's answer. Raises Refused with its failure reason, or TrackerError if it is no answer at all."""
    answer = answer_dictionary(body)
    min_interval = _seconds(answer.get(b"min interval"))
    interval = _seconds(answer.get(b"interval"))
    tracker_id = answer.get(b"tracker id")
    return Answer(
        interval=max(regular_interval(interval), min_interval or 0),
        min_interval=min_interval,
        peers=tuple(dict.fromkeys(_peers(answer))),
        seeders=count(answer.get(b"complete")),
        leechers=count(answer.get(b"incomplete")),
        warning=readable(answer.get(b"warning message")) or None,
        tracker_id=tracker_id if isinstance(tracker_id, bytes) and len(tracker_id) <= MAX_TRACKER_ID else None,
        external_ip=_external_ip(answer.get(b"external ip")),
        downloaded=count(answer.get(b"downloaded")),
    )


def answer_dictionary(body: bytes) -> dict[bytes, Value]:
    """What every HTTP tracker's answer is, be it to an announce or a scrape. Raises TrackerError, and Refused."""
    try:
        answer = decode(body, max_depth=MAX_DEPTH, allow_trailing=True)
    except BencodeError as error:
        if body.lstrip()[:1] == b"<":
            raise TrackerError("answered with a web page: this is no tracker") from error
        raise TrackerError(f"answered with something that is not bencode: {error}") from error
    if not isinstance(answer, dict):
        raise TrackerError("answered with something that is not a dictionary")
    if b"failure reason" in answer:
        raise Refused(readable(answer[b"failure reason"]) or "refused without a reason", _retry_in(answer))
    return answer


def _retry_in(answer: _Dict) -> float | None:
    """BEP 31: minutes, or the word `never`."""
    match answer.get(b"retry in"):
        case b"never":
            return math.inf
        case bytes(digits) if digits.isdigit() and len(digits) < 10:
            return min(60.0 * int(digits), MAX_INTERVAL)
        case int(minutes) if minutes > 0:
            return 60.0 * min(minutes, MAX_INTERVAL / 60)
    return None


def _seconds(value: Value | None) -> float | None:
    return float(min(value, MAX_INTERVAL)) if isinstance(value, int) and value > 0 else None


def _external_ip(value: Value | None) -> str | None:
    """BEP 24 packs it in 4 or 16 bytes."""
    return str(ipaddress.ip_address(value)) if isinstance(value, bytes) and len(value) in (4, 16) else None


def _peers(answer: _Dict) -> Iterable[Address]:
    """The peers of an answer in its three forms, but for those that no one could connect to."""
    found: list[Address] = []
    peers, peers6 = answer.get(b"peers"), answer.get(b"peers6")
    if isinstance(peers, bytes):
        found += unpack_ipv4(peers[: MAX_PEERS * COMPACT_IPV4])
    elif isinstance(peers, list):
        found += filter(None, map(_listed_peer, peers[:MAX_PEERS]))
    if isinstance(peers6, bytes):
        found += unpack_ipv6(peers6[: MAX_PEERS * COMPACT_IPV6])
    return filter(dialable, found)


def _listed_peer(peer: Value) -> Address | None:
    """A peer that is a dictionary with an IP address or a host name as text (BEP 3)."""
    match peer:
        case {b"ip": bytes(raw), b"port": int(port)} if 0 < port < 65536:
            host = raw[:256].decode("ascii", errors="replace")
            try:
                return Address(str(ipaddress.ip_address(host)), port)
            except ValueError:
                return Address(host, port) if _HOST_NAME.fullmatch(host) else None
    return None
