"""Announces and scrapes as a tracker reads them."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.tracker.announce import Announce, AnnounceEvent, Refused
from trio_torrent.tracker.http import announce_url
from trio_torrent.tracker.query import MAX_FIELDS, parse_announce, parse_scrape

LEAST = b"info_hash=" + b"h" * 20 + b"&peer_id=" + b"p" * 20 + b"&port=6881"

announces = st.builds(
    Announce,
    info_hash=st.binary(min_size=20, max_size=20),
    peer_id=st.binary(min_size=20, max_size=20),
    port=st.integers(1, 65535),
    uploaded=st.integers(0, 1 << 60),
    downloaded=st.integers(0, 1 << 60),
    left=st.integers(0, 1 << 60),
    event=st.sampled_from(AnnounceEvent),
    key=st.integers(0, (1 << 32) - 1),
    numwant=st.none() | st.integers(0, 1000),
    tracker_id=st.none() | st.binary(max_size=30),
)


@given(announces)
def test_what_we_say_is_what_we_would_hear(announce):
    query = announce_url("http://t/announce", announce).partition("?")[2].encode()
    question = parse_announce(query)
    assert question.announce == announce
    assert question.compact
    assert question.no_peer_id


def test_the_least_that_a_client_must_say():
    question = parse_announce(LEAST)
    announce = question.announce
    assert (announce.left, announce.event, announce.numwant) == (1, AnnounceEvent.NONE, None)
    assert question.compact
    assert not question.no_peer_id


@pytest.mark.parametrize(
    ("extra", "numwant", "event", "key"),
    [
        (b"&numwant=-1&event=empty&key=zz", None, AnnounceEvent.NONE, 0),
        (b"&numwant=7&event=stopped&key=ffffffffff", 7, AnnounceEvent.STOPPED, 0xFFFFFFFF),
        (b"&&=&x&numwant=0&event=&key=-1", 0, AnnounceEvent.NONE, 0xFFFFFFFF),
    ],
)
def test_other_clients_habits_are_taken(extra, numwant, event, key):
    announce = parse_announce(LEAST + extra).announce
    assert (announce.numwant, announce.event, announce.key) == (numwant, event, key)


def test_a_plus_is_a_space_as_in_forms():
    query = LEAST.replace(b"h" * 20, b"+" * 10 + b"%2B" * 10)
    assert parse_announce(query).announce.info_hash == b" " * 10 + b"+" * 10


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (b"", "info_hash must be 20 bytes"),
        (LEAST.replace(b"h" * 20, b"h" * 19), "info_hash"),
        (LEAST.replace(b"p" * 20, b"%zz" * 20), "peer_id"),
        (LEAST.replace(b"6881", b"0"), "port"),
        (LEAST.replace(b"6881", b"65536"), "port"),
        (LEAST.replace(b"6881", b"-1"), "port"),
        (LEAST.replace(b"6881", "\u0663".encode()), "port"),
        (LEAST + b"&left=-1", "left"),
        (LEAST + b"&uploaded=" + b"9" * 10_000, "uploaded"),
        (LEAST + b"&numwant=x", "numwant"),
        (LEAST + b"&a=b" * MAX_FIELDS, "fields"),
    ],
)
def test_what_is_wrong_is_said(query, reason):
    with pytest.raises(Refused, match=reason):
        parse_announce(query)


@given(st.binary(max_size=300), st.randoms(use_true_random=False))
def test_any_query_is_understood_or_refused(garbage: bytes, random: Random):
    at = random.randrange(len(LEAST))
    for query in (garbage, LEAST[:at] + garbage + LEAST[at:]):
        with suppress(Refused):
            assert len(parse_announce(query).announce.info_hash) == 20


def test_a_scrape_names_any_number_of_torrents():
    assert parse_scrape(b"") == ()
    assert parse_scrape(b"info_hash=" + b"%00" * 20 + b"&x=y&info_hash=" + b"b" * 20) == (bytes(20), b"b" * 20)
    with pytest.raises(Refused, match="20 bytes"):
        parse_scrape(b"info_hash=short")
