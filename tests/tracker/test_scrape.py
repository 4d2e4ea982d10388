"""The URL of a scrape, and what becomes of its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import urls, values
from trio_torrent.bencode import Value, encode
from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Counts, Refused
from trio_torrent.tracker.limits import MAX_SCRAPED
from trio_torrent.tracker.scrape import parse_scrape_answer, scrape_url

A, B = b"a" * 20, b"\x00\xff &=+%" + b"b" * 13
ASKED = "info_hash=" + "a" * 20


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://t.example/announce", "http://t.example/scrape?" + ASKED),
        ("http://t.example/announce#part", "http://t.example/scrape?" + ASKED),
        ("https://t.example:8443/KEY/announce", "https://t.example:8443/KEY/scrape?" + ASKED),
        ("http://t.example/announce.php?passkey=x%20y", "http://t.example/scrape.php?passkey=x%20y&" + ASKED),
        ("http://t.example/announce?key=/announce&", "http://t.example/scrape?key=/announce&" + ASKED),
        ("http://t.example/announce/KEY", "http://t.example/scrape/KEY?" + ASKED),
        ("http://t.example/announce/announce", "http://t.example/announce/scrape?" + ASKED),
        ("http://announce.example/announce", "http://announce.example/scrape?" + ASKED),
        ("http://announce.example/", None),
        ("http://t.example", None),
        ("http://t.example/preannounce", None),
        ("http://t.example/a?announce", None),
        ("/announce", None),
    ],
)
def test_the_url_is_made_from_that_of_the_announce(url, expected):
    assert scrape_url(url, [A]) == expected


def test_several_torrents_are_asked_for_at_once_and_escaped():
    url = scrape_url("http://t/announce", [A, B])
    assert url == f"http://t/scrape?{ASKED}&info_hash=%00%FF%20%26%3D%2B%25{'b' * 13}"


def test_as_many_as_fit_a_datagram_fit_a_url():
    url = scrape_url("http://t/announce", [b"\xff" * 20] * MAX_SCRAPED)
    assert url is not None
    assert len(url) < 8192


def test_figures_are_those_of_our_torrents():
    body = encode(
        {
            b"files": {
                A: {b"complete": 1, b"incomplete": 2, b"downloaded": 3, b"name": b"x"},
                B: {b"complete": -1, b"incomplete": b"many", b"downloaded": 1 << 40},
                b"c" * 20: {b"complete": 9},
            }
        }
    )
    assert parse_scrape_answer(body, [A, B, b"d" * 20]) == {A: Counts(1, 2, 3), B: Counts(None, None, None)}


@pytest.mark.parametrize("body", [b"", b"<html>", b"le", b"de", b"d5:filesi1ee", b"l" * 100_000])
def test_what_is_no_answer_is_a_tracker_error(body):
    with pytest.raises(TrackerError):
        parse_scrape_answer(body, [A])


def test_a_failure_reason_is_a_refusal():
    with pytest.raises(Refused, match="no scrapes here"):
        parse_scrape_answer(encode({b"failure reason": b"no scrapes here"}), [A])


@given(st.dictionaries(st.just(A), values()) | values(), st.booleans())
def test_anything_is_figures_or_a_tracker_error(files: Value, wrapped: bool):
    try:
        counted = parse_scrape_answer(encode({b"files": files} if wrapped else files), [A])
    except TrackerError:
        return
    assert set(counted) <= {A}


@given(urls)
def test_any_url_has_a_scrape_or_none(url):
    made = scrape_url(url, [A])
    assert made is None or made.endswith(ASKED)
