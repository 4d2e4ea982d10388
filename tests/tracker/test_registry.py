"""Who a tracker tells of whom."""

from random import Random

import pytest

from trio_torrent.bencode import decode
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer
from trio_torrent.tracker.http import parse_answer
from trio_torrent.tracker.query import Question
from trio_torrent.tracker.registry import INTERVAL, PATIENCE, Registry

HASH = b"h" * 20
LONG = PATIENCE * INTERVAL


@pytest.fixture
def registry():
    return Registry(random=Random(1))


def ask(
    registry: Registry,
    host: str,
    now: float = 0.0,
    *,
    left: int = 1,
    event: AnnounceEvent = AnnounceEvent.NONE,
    numwant: int | None = None,
    port: int = 6881,
    info_hash: bytes = HASH,
) -> Answer:
    announce = Announce(info_hash, b"p" * 20, port, 0, 0, left, event, 0, numwant, None)
    return parse_answer(registry.announce(Question(announce, True, True), host, now))


def hosts(answer: Answer) -> set[str]:
    return {peer.host for peer in answer.peers}


def test_the_first_peer_is_alone(registry):
    answer = ask(registry, "1.1.1.1")
    assert (answer.peers, answer.seeders, answer.leechers, answer.external_ip) == ((), 0, 1, "1.1.1.1")
    assert answer.interval == INTERVAL


def test_leechers_hear_of_everyone_and_seeders_of_leechers(registry):
    for number in range(3):
        ask(registry, f"1.0.0.{number}", left=0)
        ask(registry, f"2.0.0.{number}")
    assert hosts(ask(registry, "2.0.0.0")) == {"1.0.0.0", "1.0.0.1", "1.0.0.2", "2.0.0.1", "2.0.0.2"}
    assert hosts(ask(registry, "1.0.0.0", left=0)) == {"2.0.0.0", "2.0.0.1", "2.0.0.2"}


def test_a_leecher_that_wants_few_hears_of_seeders(registry):
    for number in range(10):
        ask(registry, f"1.0.0.{number}", left=0 if number < 2 else 1)
    assert hosts(ask(registry, "3.0.0.1", numwant=2)) == {"1.0.0.0", "1.0.0.1"}
    assert len(ask(registry, "3.0.0.1", numwant=3).peers) == 3


@pytest.mark.parametrize(("numwant", "given"), [(None, 50), (0, 0), (7, 7), (1000, 200)])
def test_no_more_peers_than_wanted_or_allowed(registry, numwant, given):
    for port in range(1, 251):
        ask(registry, "1.1.1.1", port=port)
    assert len(ask(registry, "2.2.2.2", numwant=numwant).peers) == given


def test_ipv6_peers_have_a_string_of_their_own(registry):
    ask(registry, "2001:db8::1")
    ask(registry, "1.1.1.1")
    assert hosts(ask(registry, "2.2.2.2")) == {"2001:db8::1", "1.1.1.1"}


@pytest.mark.parametrize("no_peer_id", [False, True])
def test_dictionaries_for_those_who_want_them(registry, no_peer_id):
    ask(registry, "2001:db8::1")
    announce = Announce(HASH, b"q" * 20, 1, 0, 0, 1, AnnounceEvent.STARTED, 0, None, None)
    answer = decode(registry.announce(Question(announce, False, no_peer_id), "1.1.1.1", 0), max_depth=8)
    peer = {b"ip": b"2001:db8::1", b"port": 6881}
    assert isinstance(answer, dict)
    assert answer[b"peers"] == [peer if no_peer_id else peer | {b"peer id": b"p" * 20}]


def test_who_stops_is_forgotten_and_hears_of_no_one(registry):
    ask(registry, "1.1.1.1")
    ask(registry, "2.2.2.2")
    assert ask(registry, "1.1.1.1", event=AnnounceEvent.STOPPED).peers == ()
    assert [peer.address.host for peer in registry.peers(HASH)] == ["2.2.2.2"]
    ask(registry, "2.2.2.2", event=AnnounceEvent.STOPPED)
    assert not registry.torrents
    assert registry.peers(HASH) == ()


def test_stopping_what_was_never_started_leaves_nothing(registry):
    ask(registry, "1.1.1.1", event=AnnounceEvent.STOPPED)
    assert not registry.torrents


def test_the_silent_are_forgotten(registry):
    ask(registry, "1.1.1.1", 0)
    ask(registry, "2.2.2.2", 10)
    assert hosts(ask(registry, "3.3.3.3", LONG - 1)) == {"1.1.1.1", "2.2.2.2"}
    assert hosts(ask(registry, "3.3.3.3", LONG + 1)) == {"2.2.2.2"}


def test_silent_swarms_are_forgotten(registry):
    ask(registry, "1.1.1.1", 0)
    ask(registry, "1.1.1.1", LONG, info_hash=b"g" * 20)
    assert list(registry.torrents) == [b"g" * 20]


def test_the_tables_are_bounded_and_the_lively_stay():
    registry = Registry(random=Random(1), max_torrents=2, max_peers=3)
    for number in (1, 2, 3, 1, 4):
        ask(registry, f"1.1.1.{number}")
    assert [peer.address.host[-1] for peer in registry.peers(HASH)] == ["3", "1", "4"]
    for info_hash in (b"g" * 20, HASH, b"f" * 20):
        ask(registry, "1.1.1.1", info_hash=info_hash)
    assert list(registry.torrents) == [HASH, b"f" * 20]


def test_scrape_counts(registry):
    ask(registry, "1.1.1.1", 0)
    ask(registry, "2.2.2.2", 10, left=0, event=AnnounceEvent.COMPLETED)
    ask(registry, "2.2.2.2", 10, info_hash=b"g" * 20)
    first = {b"complete": 1, b"incomplete": 1, b"downloaded": 1}
    other = {b"complete": 0, b"incomplete": 1, b"downloaded": 0}
    assert decode(registry.scrape((HASH, b"x" * 20), 20), max_depth=8) == {b"files": {HASH: first}}
    assert decode(registry.scrape((), 20), max_depth=8) == {b"files": {HASH: first, b"g" * 20: other}}
    later = decode(registry.scrape((HASH,), LONG + 5), max_depth=8)
    assert later == {b"files": {HASH: first | {b"incomplete": 0}}}
