"""The URL of an announce, and what becomes of an answer."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_torrent.address import Address
from trio_torrent.bencode import Value, encode
from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer, Refused
from trio_torrent.tracker.http import announce_url, parse_answer
from trio_torrent.tracker.limits import (
    DEFAULT_INTERVAL,
    MAX_INTERVAL,
    MAX_PEERS,
    MAX_TEXT,
    MIN_INTERVAL,
    readable,
    tracker_host,
    tracker_name,
)

HASH = bytes(range(0x41, 0x4D)) + b"\x00\xff%&=+ /"


def said(
    event: AnnounceEvent = AnnounceEvent.NONE, numwant: int | None = None, tracker_id: bytes | None = None
) -> Announce:
    return Announce(HASH, b"-TT0100-abcdefghijkl", 6881, 1, 2, 3, event, 0xBEEF, numwant, tracker_id)


QUERY = (
    "info_hash=ABCDEFGHIJKL%00%FF%25%26%3D%2B%20%2F&peer_id=-TT0100-abcdefghijkl&port=6881"
    "&uploaded=1&downloaded=2&left=3&key=0000BEEF&compact=1&no_peer_id=1"
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://t.example/announce", "http://t.example/announce?" + QUERY),
        ("http://t.example/announce?", "http://t.example/announce?" + QUERY),
        ("http://t.example/announce#part", "http://t.example/announce?" + QUERY),
        ("http://t.example/a?passkey=x%20y", "http://t.example/a?passkey=x%20y&" + QUERY),
        ("http://t.example/a?passkey=x&#part", "http://t.example/a?passkey=x&" + QUERY),
        ("https://t.example:8443", "https://t.example:8443?" + QUERY),
    ],
)
def test_the_tracker_s_own_url_stays_as_it_is(url, expected):
    assert announce_url(url, said()) == expected


def test_what_need_not_be_said_is_left_out():
    url = announce_url("http://t/announce", said(AnnounceEvent.COMPLETED, 200, b"\x01&"))
    assert url.endswith("&event=completed&numwant=200&trackerid=%01%26")
    assert "event" not in announce_url("http://t/announce", said())


BAD_PORTS: list[Value] = [0, -1, 65536, 1 << 99, b"80", []]


@pytest.mark.parametrize(
    ("answer", "peers"),
    [
        ({b"peers": b"\x01\x02\x03\x04\x1a\xe1" * 2}, ["1.2.3.4:6881"]),  # twice the same
        ({b"peers": b"\x01\x02\x03\x04\x1a\xe1\x05\x06"}, ["1.2.3.4:6881"]),  # torn
        ({b"peers": b"\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x01\xe0\x00\x00\x01\x00\x01"}, []),
        ({b"peers6": bytes(15) + b"\x01\x1a\xe1"}, ["[::1]:6881"]),
        ({b"peers6": bytes(16) + b"\x1a\xe1"}, []),
        ({b"peers": b"", b"peers6": b"\x20\x01" + bytes(13) + b"\x07\x00\x50"}, ["[2001::7]:80"]),
        ({b"peers": [{b"ip": b"1.2.3.4", b"port": 1}]}, ["1.2.3.4:1"]),
        ({b"peers": [{b"ip": b"2001:0::7", b"port": 1, b"peer id": b"x" * 20}]}, ["[2001::7]:1"]),
        ({b"peers": [{b"ip": b"seed.example.org", b"port": 65535}]}, ["seed.example.org:65535"]),
        ({b"peers": [{b"ip": b"1.2.3.4", b"port": port} for port in BAD_PORTS]}, []),
        (
            {b"peers": [{b"ip": ip, b"port": 80} for ip in (b"", b"a b", b"\xff", b"..", b"x" * 300, 7, b"fe80::1%0")]},
            [],
        ),
        ({b"peers": [{b"port": 80}, {b"ip": b"1.2.3.4"}, {}, [], 7, b"1.2.3.4:80"]}, []),
        ({b"peers": 7, b"peers6": []}, []),
        ({}, []),
    ],
)
def test_peers_in_every_form(answer, peers):
    assert list(map(str, parse_answer(encode(answer)).peers)) == peers


def test_more_peers_than_a_torrent_may_know_are_left_out():
    many = b"".join(b"\x01" + number.to_bytes(3, "big") + b"\x00\x01" for number in range(MAX_PEERS + 7))
    assert len(parse_answer(encode({b"peers": many})).peers) == MAX_PEERS


@pytest.mark.parametrize(
    ("answer", "interval", "min_interval"),
    [
        ({}, DEFAULT_INTERVAL, None),
        ({b"interval": 900}, 900, None),
        ({b"interval": 1}, MIN_INTERVAL, None),
        ({b"interval": 0}, DEFAULT_INTERVAL, None),
        ({b"interval": -5, b"min interval": -5}, DEFAULT_INTERVAL, None),
        ({b"interval": b"900"}, DEFAULT_INTERVAL, None),
        ({b"interval": 10**4000}, MAX_INTERVAL, None),
        ({b"interval": 900, b"min interval": 60}, 900, 60),
        ({b"interval": 900, b"min interval": 1200}, 1200, 1200),
        ({b"interval": 900, b"min interval": 10**4000}, MAX_INTERVAL, MAX_INTERVAL),
    ],
)
def test_intervals_are_held_to_limits(answer, interval, min_interval):
    parsed = parse_answer(encode(answer))
    assert (parsed.interval, parsed.min_interval) == (interval, min_interval)


def test_the_rest_of_an_answer():
    parsed = parse_answer(
        encode(
            {
                b"complete": 5,
                b"incomplete": -1,
                b"warning message": b"upgrade\r\nsoon",
                b"tracker id": b"\x00id",
                b"external ip": b"\x01\x02\x03\x04",
            }
        )
    )
    assert (parsed.seeders, parsed.leechers, parsed.warning) == (5, None, "upgrade soon")
    assert (parsed.tracker_id, parsed.external_ip) == (b"\x00id", "1.2.3.4")


@pytest.mark.parametrize(
    "answer", [{b"complete": 1 << 40, b"tracker id": b"x" * 300, b"external ip": b"1.2.3.4", b"warning message": []}]
)
def test_what_makes_no_sense_is_as_if_it_were_not_there(answer):
    parsed = parse_answer(encode(answer))
    assert (parsed.seeders, parsed.tracker_id, parsed.external_ip, parsed.warning) == (None,) * 4


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (b"unregistered torrent", "unregistered torrent"),
        (b"\x1b[31mred\x07 \xe2\x80\xaegpj.exe", "[31mred gpj.exe"),
        (b"caf\xc3\xa9 \xff", "caf\u00e9 \ufffd"),
        (b"", "refused without a reason"),
        (7, "refused without a reason"),
        (b"x" * 100_000, "x" * MAX_TEXT),
    ],
)
def test_a_failure_reason_is_an_error_of_one_safe_line(reason, text):
    with pytest.raises(Refused) as caught:
        parse_answer(encode({b"failure reason": reason, b"peers": b"\x01\x02\x03\x04\x1a\xe1"}))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        (b"never", math.inf),
        (5, 300),
        (b"5", 300),
        (10**4000, MAX_INTERVAL),
        (b"9" * 9, MAX_INTERVAL),
        (0, None),
        (-1, None),
        (b"soon", None),
        ([], None),
    ],
)
def test_when_to_come_back_after_a_failure(wish, seconds):
    with pytest.raises(Refused) as caught:
        parse_answer(encode({b"failure reason": b"busy", b"retry in": wish}))
    assert caught.value.retry_in == seconds


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not bencode"),
        (b"<!DOCTYPE html><title>parked</title>", "web page"),
        (b"d8:intervali900e", "not bencode"),
        (b"i7e", "not a dictionary"),
        (b"l" * 9 + b"e" * 9, "deeper than 8"),
        (b"l" * 500_000, "deeper than 8"),
        (b"i" + b"9" * 500_000 + b"e", "not bencode"),
    ],
)
def test_what_is_no_answer_is_a_tracker_error(body, text):
    with pytest.raises(TrackerError, match=text):
        parse_answer(body)


def test_unsorted_keys_and_trailing_bytes_are_taken():
    body = b"d5:peers6:\x01\x02\x03\x04\x1a\xe18:intervali900eed\r\n"
    assert parse_answer(body).peers == (Address("1.2.3.4", 6881),)


KEYS = st.sampled_from(
    b"interval;min interval;peers;peers6;complete;incomplete;tracker id;external ip;failure reason;retry in"
    b";warning message;ip;port;?".split(b";")
)
VALUES = st.recursive(
    st.integers() | st.binary(max_size=40),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(KEYS, values, max_size=6),
    max_leaves=12,
)


def answer_or_error(body: bytes) -> Answer | TrackerError:
    try:
        return parse_answer(body)
    except TrackerError as error:
        return error


@settings(max_examples=25)
@given(st.dictionaries(KEYS, VALUES) | VALUES)
def test_any_bencode_gives_an_answer_or_a_tracker_error(value):
    match answer_or_error(encode(value)):
        case Answer() as answer:
            assert MIN_INTERVAL <= answer.interval <= MAX_INTERVAL
            assert all(0 < peer.port < 65536 for peer in answer.peers)
        case error:
            assert str(error).isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer_or_a_tracker_error(body):
    assert str(answer_or_error(body)).isprintable()


@given(st.binary())
def test_readable_text_is_one_line_for_any_terminal(raw):
    assert readable(raw).isprintable()
    assert len(readable(raw)) <= MAX_TEXT


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://t.example:6969/announce?passkey=secret", "t.example:6969"),
        ("https://user:secret@t.example#x", "t.example"),
        ("udp://[::1]:80", "[::1]:80"),
        ("http://\x1b]0;x\x07/", "]0;x"),
        ("nonsense", "without a host"),
        ("http:///", "without a host"),
    ],
)
def test_a_tracker_is_named_without_its_secrets(url, name):
    assert tracker_name(url) == name


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://t.example:6969/announce", "t.example"),
        ("http://t.example/announce", "t.example"),
        ("udp://[2a00::1]:80", "2a00::1"),
        ("http://[2a00::1]/announce", "2a00::1"),
        ("udp://1.2.3.4:80", "1.2.3.4"),
        ("nonsense", "without a host"),
    ],
)
def test_a_tracker_speaks_for_its_host_whatever_the_port(url, host):
    assert tracker_host(url) == host
