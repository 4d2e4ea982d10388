"""What servers answer, well and badly, to one who wants bytes 100 to 199 of a file of 1000."""

import pytest

from trio_torrent.wire.web_answers import (
    MOST_RETRY_SECONDS,
    BusyError,
    LacksError,
    UnusableError,
    WebSeedError,
    read_answer,
)
from trio_torrent.wire.web_urls import Get

PART = Get("http://h.example/x", 100, 200, 1000)
WHOLE = Get("http://h.example/x", 0, 1000, 1000)
SCRIPT = Get("http://h.example/x?piece=1", 100, 200, None)


def ranged(text: str = "bytes 100-199/1000", **others: str) -> dict[str, str]:
    return {"content-range": text, "content-length": "100", **others}


@pytest.mark.parametrize(
    ("get", "status", "headers", "body"),
    [
        (PART, 206, ranged(), range(100, 200)),
        (PART, 206, {"content-range": "bytes 100-199/*"}, range(100, 200)),
        (PART, 206, ranged(**{"content-encoding": "identity"}), range(100, 200)),
        (PART, 200, {"content-length": "1000"}, range(1000)),  # a server that does not know of ranges
        (PART, 200, {}, range(1000)),
        (WHOLE, 200, {"content-length": "1000"}, range(1000)),
        (SCRIPT, 200, {"content-length": "100"}, range(100, 200)),
        (SCRIPT, 200, {}, range(100, 200)),
    ],
)
def test_which_bytes_the_body_is(get, status, headers, body):
    assert read_answer(get, status, headers) == body


@pytest.mark.parametrize(
    ("get", "status", "headers", "kind", "words"),
    [
        (PART, 206, {}, WebSeedError, "does not say which bytes it sends"),
        (PART, 206, ranged("bytes 100-199/1000, bytes 1-2/3"), WebSeedError, "does not say"),
        (PART, 206, ranged("bytes 0-199/1000"), WebSeedError, "other bytes"),
        (PART, 206, ranged("bytes 100-198/1000"), WebSeedError, "other bytes"),
        (PART, 206, ranged("bytes 100-199/1001"), LacksError, "a file of 1001 bytes, not 1000"),
        (PART, 206, ranged("bytes 100-199/" + "9" * 20), WebSeedError, "does not say"),
        (PART, 206, ranged() | {"content-length": "99"}, WebSeedError, "announces 99 bytes, not 100"),
        (PART, 206, ranged() | {"content-length": "-1"}, WebSeedError, "an impossible number of bytes"),
        (PART, 206, ranged(**{"content-encoding": "gzip"}), UnusableError, "packs"),
        (PART, 200, {"content-length": "1000", "content-encoding": "br"}, UnusableError, "packs"),
        (PART, 200, {"content-length": "512"}, LacksError, "a file of 512 bytes, not 1000"),
        (PART, 404, {}, LacksError, "has no such file: answered 404 Not Found"),
        (PART, 410, {}, LacksError, "has no such file: answered 410 Gone"),
        (PART, 403, {}, LacksError, "answered 403 Forbidden"),
        (PART, 416, {}, LacksError, "has a shorter file"),
        (PART, 304, {}, LacksError, "answered 304 Not Modified"),
        (PART, 599, {}, BusyError, "answered 599"),
        (SCRIPT, 200, {"content-length": "99"}, WebSeedError, "announces 99 bytes, not 100"),
        (SCRIPT, 206, ranged(), WebSeedError, "answered 206 Partial Content"),
        (SCRIPT, 404, {}, WebSeedError, "answered 404 Not Found"),
    ],
)
def test_what_is_wrong_with_it(get, status, headers, kind, words):
    with pytest.raises(WebSeedError, match=words) as caught:
        read_answer(get, status, headers)
    assert type(caught.value) is kind


DATE = {"date": "Sun, 06 Nov 1994 08:49:37 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "said", "seconds"),
    [
        (503, {"retry-after": "120"}, b"", 120),
        (429, {"retry-after": " 7 "}, b"", 7),
        (503, {"retry-after": "9" * 19}, b"", MOST_RETRY_SECONDS),
        (503, {"retry-after": "9" * 400}, b"", None),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", **DATE}, b"", 60),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:48:37 GMT", **DATE}, b"", 0),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, b"", None),
        (503, {"retry-after": "soon", **DATE}, b"", None),
        (503, {}, b"30", 30),  # BEP 17
        (503, {"retry-after": "10"}, b"30", 10),
        (503, {}, b"<html>", None),
        (503, {}, b"\xff\x00", None),
        (503, {}, b"", None),
        (500, {}, b"", None),
        (408, {}, b"", None),
    ],
)
def test_when_a_busy_server_wants_to_be_asked_again(status, headers, said, seconds):
    for get in (PART, SCRIPT):
        with pytest.raises(BusyError) as caught:
            read_answer(get, status, headers, said)
        assert caught.value.seconds == seconds
