"""What a web server's answer means to one who wants some bytes of a file, before the first of them is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from trio_torrent.errors import PeerError

from .web_urls import Get

# A web server's "try again in a year" is a slip of units more often than meant; asking every hour hurts nobody.
MOST_RETRY_SECONDS = 3600.0

MOST_DIGITS = 19  # of a size or position in bytes: 2**63 has as many

_CONTENT_RANGE = re.compile(rf"bytes (\d{{1,{MOST_DIGITS}}})-(\d{{1,{MOST_DIGITS}}})/(\d{{1,{MOST_DIGITS}}}|\*)")
_NUMBER = re.compile(rf"\d{{1,{MOST_DIGITS}}}")

_NOT_THERE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class WebSeedError(PeerError):
    """A web seed is of no use just now."""


class BusyError(WebSeedError):
    """It says so itself, and perhaps for how many seconds."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


class LacksError(WebSeedError):
    """It has not got the file that was asked for, or another one under its name."""


class UnusableError(WebSeedError):
    """It is of no use, and never will be."""


def read_answer(get: Get, status: int, headers: Mapping[str, str], said: bytes = b"") -> range:
    """Which bytes of the resource the body is. Perhaps more than were asked for: a server may not know of ranges.

    `headers` has lower-case names, or does not mind; `said` is the beginning of the body of a 503. Raises WebSeedError.
    """
    if status == HTTPStatus.PARTIAL_CONTENT and get.size is not None:
        answered = _part(get, headers)
    elif status == HTTPStatus.OK:
        answered = range(get.start, get.end) if get.size is None else range(get.size)
    else:
        raise _refusal(get, status, headers, said)
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnusableError("packs what it sends, although it was asked not to")
    _check_length(headers, len(answered), whole=status == HTTPStatus.OK and get.size is not None)
    return answered


def _part(get: Get, headers: Mapping[str, str]) -> range:
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if found is None:
        raise WebSeedError("does not say which bytes it sends")
    if found[3] not in ("*", str(get.size)):
        raise LacksError(f"has a file of {found[3]} bytes, not {get.size}")
    if (int(found[1]), int(found[2]) + 1) != (get.start, get.end):
        raise WebSeedError("sends other bytes than were asked for")
    return range(get.start, get.end)


def _check_length(headers: Mapping[str, str], wanted: int, *, whole: bool) -> None:
    length = headers.get("content-length", str(wanted)).strip()
    if length == str(wanted):
        return
    shown = length if _NUMBER.fullmatch(length) else "an impossible number of"
    if whole:
        raise LacksError(f"has a file of {shown} bytes, not {wanted}")
    raise WebSeedError(f"announces {shown} bytes, not {wanted}")


def _refusal(get: Get, status: int, headers: Mapping[str, str], said: bytes) -> WebSeedError:
    words = f"answered {in_words(status)}"
    if status in _BUSY or status >= 500:
        return BusyError(words, _retry_after(headers, said))
    if get.size is None:
        return WebSeedError(words)  # a script's, which BEP 17 wants to be asked again
    if status in _NOT_THERE:
        return LacksError(f"has no such file: {words}")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return LacksError(f"has a shorter file: {words}")
    return LacksError(words)


def _retry_after(headers: Mapping[str, str], said: bytes) -> float | None:
    """Seconds, from the header (RFC 9110, section 10.2.3) or from the body (BEP 17)."""
    for text in (headers.get("retry-after", "").strip(), said.decode("ascii", "replace").strip()):
        if _NUMBER.fullmatch(text):
            return min(float(text), MOST_RETRY_SECONDS)
        try:  # the server's clock may be wrong, but it is wrong in both
            date = parsedate_to_datetime(headers.get("date", ""))
            seconds = (parsedate_to_datetime(text) - date).total_seconds()
        except (ValueError, TypeError, OverflowError):
            continue
        return min(max(0.0, seconds), MOST_RETRY_SECONDS)
    return None


def in_words(status: int) -> str:
    """With our own phrase for it: the server's is a stranger's text."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
