"""Being a UDP tracker: spoken to by our own client's exchanges, and by strangers."""

import struct
from random import Random
from typing import TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer, Counts, Refused
from trio_torrent.tracker.exchange import Connection, Exchange
from trio_torrent.tracker.registry import Registry
from trio_torrent.tracker.udp import AnnounceQuestion, Question, ScrapeQuestion, connect_request, request
from trio_torrent.tracker.udp_desk import WINDOW_SECONDS, UdpDesk

HASH = b"h" * 20
SAID = Announce(HASH, b"p" * 20, 6881, 1, 2, 3, AnnounceEvent.STARTED, 4, 50, None)

T = TypeVar("T")


@pytest.fixture
def registry():
    return Registry(random=Random(1))


@pytest.fixture
def desk(registry):
    return UdpDesk(registry, secret=b"s" * 32)


def ask(desk: UdpDesk, question: Question[T], host: str = "1.1.1.1", now: float = 0) -> T | None:
    """Connect and ask, as our client does."""
    exchange = Exchange(question, connection=None, random=Random(now), now=now)
    for _ in range(2):
        datagram = exchange.datagram(now)
        assert datagram is not None
        answer = desk.answer(datagram, host, now)
        assert answer is not None
        exchange.receive(answer, now)
    return exchange.answer


def announce(desk: UdpDesk, host: str, now: float = 0, **changes: object) -> Answer:
    said = attrs.evolve(SAID, **changes)  # type: ignore[arg-type]
    answer = ask(desk, AnnounceQuestion(said, b"/announce", ":" in host), host, now)
    assert answer is not None
    return answer


def hosts(answer: Answer) -> set[str]:
    return {peer.host for peer in answer.peers}


def test_peers_hear_of_each_other(desk, registry):
    first = announce(desk, "1.1.1.1")
    assert (first.peers, first.seeders, first.leechers, first.interval) == ((), 0, 1, 120)
    second = announce(desk, "2.2.2.2", left=0)
    assert (hosts(second), second.seeders) == ({"1.1.1.1"}, 1)
    announce(desk, "1.1.1.1", event=AnnounceEvent.STOPPED)
    assert [peer.address.host for peer in registry.peers(HASH)] == ["2.2.2.2"]


def test_each_hears_of_its_own_kind_of_addresses(desk):
    for host in ("1.1.1.1", "2.2.2.2", "2001::1", "2001::2"):
        announce(desk, host)
    assert hosts(announce(desk, "1.1.1.1")) == {"2.2.2.2"}
    assert hosts(announce(desk, "2001::1")) == {"2001::2"}


@pytest.mark.parametrize("prefix", ["1.2.3.", "2001::"])
def test_an_answer_is_one_packet(desk, prefix):
    for number in range(1, 250):
        announce(desk, f"{prefix}{number}")
    answer = announce(desk, f"{prefix}255", numwant=None)
    assert len(answer.peers) == 50
    most = announce(desk, f"{prefix}255", numwant=1000)
    assert 20 + (18 if ":" in prefix else 6) * len(most.peers) <= 1232
    assert len(most.peers) > 60


def test_a_scrape(desk):
    announce(desk, "1.1.1.1")
    announce(desk, "2.2.2.2", left=0, event=AnnounceEvent.COMPLETED)
    assert ask(desk, ScrapeQuestion([HASH, b"x" * 20])) == {HASH: Counts(1, 1, 1), b"x" * 20: Counts(0, 0, 0)}


def connection_of(desk: UdpDesk, host: str, now: float) -> int:
    answer = desk.answer(connect_request(7), host, now)
    assert answer is not None
    assert answer[:8] == struct.pack(">II", 0, 7)
    return int.from_bytes(answer[8:])


def refusal(desk: UdpDesk, data: bytes, host: str = "1.1.1.1", now: float = 0) -> str:
    answer = desk.answer(data, host, now)
    assert answer is not None
    assert answer[:4] == b"\0\0\0\3"
    assert answer[4:8] == data[12:16]
    return answer[8:].decode()


QUESTION = AnnounceQuestion(SAID, b"", ipv6=False)


@pytest.mark.parametrize("begin", [0.0, 30.0, WINDOW_SECONDS - 0.1])
def test_a_connection_is_good_for_two_minutes_at_least_and_not_for_ever(desk, begin):
    data = request(connection_of(desk, "1.1.1.1", begin), 9, QUESTION)
    answer = desk.answer(data, "1.1.1.1", begin + 120)
    assert answer is not None
    assert answer[:8] == struct.pack(">II", 1, 9)
    assert refusal(desk, data, now=begin + 181) == "connection id is not valid"


def test_a_connection_is_of_one_address_and_one_tracker(desk, registry):
    data = request(connection_of(desk, "1.1.1.1", 0), 9, QUESTION)
    assert "not valid" in refusal(desk, data, "1.1.1.2")
    assert "not valid" in refusal(UdpDesk(registry, secret=b"t" * 32), data)
    assert registry.peers(HASH) == ()


def test_our_client_comes_by_a_connection_that_was_forgotten(desk):
    """Its own test has the rest: an error after a remembered one makes it connect anew."""
    exchange = Exchange(QUESTION, connection=Connection(1, until=60), random=Random(1), now=0)
    for _ in range(3):
        exchange.receive(desk.answer(exchange.datagram(0), "1.1.1.1", 0) or b"", 0)
    assert exchange.answer is not None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (struct.pack(">II", 1, 9) + bytes(81), "longer"),
        (struct.pack(">II", 1, 9) + bytes(82), "port must be"),
        (struct.pack(">II", 3, 9), "only announces and scrapes"),
        (struct.pack(">II", 77, 9), "only announces and scrapes"),
    ],
)
def test_what_makes_no_sense_is_refused(desk, body, words):
    connection = connection_of(desk, "1.1.1.1", 0)
    assert words in refusal(desk, connection.to_bytes(8) + body)


def test_a_scrape_of_nothing_has_no_rows(desk):
    connection = connection_of(desk, "1.1.1.1", 0)
    assert desk.answer(request(connection, 9, ScrapeQuestion([])), "1.1.1.1", 0) == struct.pack(">II", 2, 9)


def test_our_client_takes_a_refusal(desk):
    with pytest.raises(Refused, match="port must be"):
        announce(desk, "1.1.1.1", port=0)


@given(st.binary(max_size=200))
def test_strangers_are_never_sent_more_than_they_sent(data):
    registry = Registry(random=Random(1))
    answer = UdpDesk(registry, secret=b"s" * 32).answer(data, "1.1.1.1", 0)
    assert answer is None or len(answer) <= max(len(data), 34)
    assert not registry.torrents


@given(st.integers(0, 5), st.binary(max_size=200))
def test_who_has_a_connection_gets_an_answer_whatever_he_says(action, body):
    desk = UdpDesk(Registry(random=Random(1)), secret=b"s" * 32)
    connection = connection_of(desk, "1.1.1.1", 0)
    data = struct.pack(">QII", connection, action, 9) + body
    answer = desk.answer(data, "1.1.1.1", 0)
    assert (answer is None) == (action == 0)
    assert answer is None or answer[4:8] == (9).to_bytes(4)
