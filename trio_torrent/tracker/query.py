"""What a client asks a tracker: the query of an HTTP announce or scrape, read back into values (BEP 3, 7, 23, 48)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import attrs

from .announce import Announce, AnnounceEvent, Refused

MAX_FIELDS = 100  # of one query; an announce has about 12, a scrape one for each torrent
MAX_DIGITS = 20  # of a number: 64 bits

_EVENTS = {event.value.encode(): event for event in AnnounceEvent}


@attrs.frozen
class Question:
    """An announce, and the form in which the client wants its answer."""

    announce: Announce
    compact: bool  # peers as packed bytes; otherwise as dictionaries
    no_peer_id: bool  # and if as dictionaries, without their peer ids


def parse_announce(query: bytes) -> Question:
    """Read what `announce_url` and its like in other clients write. Raises Refused, to be answered as it reads."""
    fields = dict(_fields(query))
    announce = Announce(
        info_hash=_twenty(fields, b"info_hash"),
        peer_id=_twenty(fields, b"peer_id"),
        port=_port(fields),
        uploaded=_number(fields, b"uploaded", 0),
        downloaded=_number(fields, b"downloaded", 0),
        left=_number(fields, b"left", 1),  # who does not say has not everything
        event=_EVENTS.get(fields.get(b"event", b""), AnnounceEvent.NONE),
        key=_key(fields.get(b"key", b"")),
        numwant=_numwant(fields),
        tracker_id=fields.get(b"trackerid"),
    )
    return Question(announce, fields.get(b"compact") != b"0", fields.get(b"no_peer_id") == b"1")


def parse_scrape(query: bytes) -> tuple[bytes, ...]:
    """The info-hashes that a scrape asks for; none means all (BEP 48). Raises Refused."""
    hashes = tuple(value for name, value in _fields(query) if name == b"info_hash")
    if any(len(info_hash) != 20 for info_hash in hashes):
        raise Refused("info_hash must be 20 bytes")
    return hashes


def _fields(query: bytes) -> list[tuple[bytes, bytes]]:
    fields = [field.partition(b"=") for field in query.split(b"&", MAX_FIELDS) if field]
    if len(fields) > MAX_FIELDS:
        raise Refused(f"more than {MAX_FIELDS} fields")
    return [(name, unquote_to_bytes(value.replace(b"+", b" "))) for name, _, value in fields]


def _twenty(fields: dict[bytes, bytes], name: bytes) -> bytes:
    value = fields.get(name, b"")
    if len(value) != 20:
        raise Refused(f"{name.decode()} must be 20 bytes")
    return value


def _number(fields: dict[bytes, bytes], name: bytes, missing: int) -> int:
    value = fields.get(name)
    if value is None:
        return missing
    if not value.isdigit() or len(value) > MAX_DIGITS:
        raise Refused(f"{name.decode()} must be a number")
    return int(value)


def _port(fields: dict[bytes, bytes]) -> int:
    port = _number(fields, b"port", 0)
    if not 0 < port < 65536:
        raise Refused("port must be from 1 to 65535")
    return port


def _numwant(fields: dict[bytes, bytes]) -> int | None:
    """Some clients say -1 for "as many as you like"."""
    return None if fields.get(b"numwant", b"-").startswith(b"-") else _number(fields, b"numwant", 0)


def _key(value: bytes) -> int:
    """Hexadecimal from most clients. Nothing hangs on it here, so anything else is no error."""
    try:
        return int(value[:8], 16) & 0xFFFFFFFF
    except ValueError:
        return 0
