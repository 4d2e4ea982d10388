"""The datagrams of BEP 15 and the options of BEP 41, as values and bytes."""

import struct

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.address import Address
from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Counts
from trio_torrent.tracker.limits import DEFAULT_INTERVAL, MAX_INTERVAL, MAX_PEERS
from trio_torrent.tracker.limits import MIN_INTERVAL as LIVELIEST
from trio_torrent.tracker.udp import (
    MAX_URL_DATA,
    MIN_INTERVAL,
    AnnounceQuestion,
    ScrapeQuestion,
    Target,
    connect_request,
    parse_url,
    read_connection,
    request,
)

SAID = Announce(b"h" * 20, b"p" * 20, 6881, 0x11, 0x22, 0x33, AnnounceEvent.STARTED, 0xDEADBEEF, 200, None)


def question(url_data: bytes = b"", *, ipv6: bool = False, **changes: object) -> AnnounceQuestion:
    return AnnounceQuestion(attrs.evolve(SAID, **changes), url_data, ipv6)  # type: ignore[arg-type]


def test_a_connect_request_byte_by_byte():
    assert connect_request(0x01020304).hex(" ", -4) == "00000417 27101980 00000000 01020304"


def test_an_announce_request_byte_by_byte():
    expected = (
        "1122334455667788 00000001 01020304"
        + b"h".hex() * 20
        + b"p".hex() * 20
        + "0000000000000022 0000000000000033 0000000000000011 00000002 00000000 deadbeef 000000c8 1ae1"
    )
    data = request(0x1122334455667788, 0x01020304, question())
    assert data == bytes.fromhex(expected)
    assert len(data) == 98


@pytest.mark.parametrize(
    ("event", "number"),
    [
        (AnnounceEvent.NONE, 0),
        (AnnounceEvent.COMPLETED, 1),
        (AnnounceEvent.STARTED, 2),
        (AnnounceEvent.STOPPED, 3),
    ],
)
def test_events_have_numbers(event, number):
    assert request(0, 0, question(event=event))[80:84] == number.to_bytes(4)


def test_no_wish_for_a_number_of_peers_is_minus_one():
    assert request(0, 0, question(numwant=None))[92:96] == b"\xff" * 4


def test_a_scrape_request_byte_by_byte():
    data = request(7, 9, ScrapeQuestion([b"a" * 20, b"b" * 20]))
    assert data == (7).to_bytes(8) + (2).to_bytes(4) + (9).to_bytes(4) + b"a" * 20 + b"b" * 20


def options(data: bytes) -> list[tuple[int, bytes]]:
    """As BEP 41 has them read."""
    found, rest = [], data[98:]
    while rest:
        found.append((rest[0], rest[2 : 2 + rest[1]]))
        rest = rest[2 + rest[1] :]
    return found


@pytest.mark.parametrize("length", [1, 12, 255, 256, 510, 511, MAX_URL_DATA])
def test_path_and_query_are_told_in_options(length):
    url_data = bytes(range(1, 256)) * 5
    told = options(request(0, 0, question(url_data[:length])))
    assert all(number == 2 for number, _ in told)
    assert b"".join(part for _, part in told) == url_data[:length]
    assert all(len(part) == 255 for _, part in told[:-1])


def test_where_there_is_no_path_there_is_no_option():
    assert len(request(0, 0, question(b""))) == 98


def test_the_largest_announce_fits_a_packet_of_ipv6_anywhere():
    assert len(request(0, 0, question(b"x" * MAX_URL_DATA))) + 40 + 8 <= 1280


# -- answers ---------------------------------------------------------------------------------------------------------


def answer(*addresses: bytes, interval: int = 900, leechers: int = 3, seeders: int = 4) -> bytes:
    return struct.pack(">III", interval, leechers, seeders) + b"".join(addresses)


V4, V6 = b"\x01\x02\x03\x04\x1a\xe1", b"\x20\x01" + bytes(13) + b"\x05\x1a\xe1"


def test_an_answer_over_ipv4():
    read = question().read(answer(V4, b"\x01\x02\x03\x05\x00\x50"))
    assert read is not None
    assert read.peers == (Address("1.2.3.4", 6881), Address("1.2.3.5", 80))
    assert (read.interval, read.min_interval, read.leechers, read.seeders) == (900, MIN_INTERVAL, 3, 4)
    assert (read.warning, read.tracker_id, read.external_ip) == (None, None, None)


def test_an_answer_over_ipv6():
    read = question(ipv6=True).read(answer(V6))
    assert read is not None
    assert read.peers == (Address("2001::5", 6881),)


@pytest.mark.parametrize("ipv6", [False, True])
def test_peers_that_make_no_sense_are_left_out(ipv6):
    size = 16 if ipv6 else 4
    good = V6 if ipv6 else V4
    unspecified, multicast, no_port = bytes(size) + b"\0\1", b"\xff" * size + b"\0\1", b"\1" * size + b"\0\0"
    if not ipv6:
        multicast = b"\xe0\0\0\1\0\1"
    read = question(ipv6=ipv6).read(answer(unspecified, good, multicast, no_port, good, b"torn"))
    assert read is not None
    assert len(read.peers) == 1


def test_no_more_peers_are_taken_than_a_torrent_may_know():
    read = question().read(answer(*(struct.pack(">IH", 0x01000000 + n, 1) for n in range(MAX_PEERS + 100))))
    assert read is not None
    assert len(read.peers) == MAX_PEERS


@pytest.mark.parametrize(
    ("named", "taken"),
    [(0, DEFAULT_INTERVAL), (1, LIVELIEST), (900, 900), (0xFFFFFFFF, MAX_INTERVAL), (0x80000000, MAX_INTERVAL)],
)
def test_intervals_are_within_limits(named, taken):
    read = question().read(answer(interval=named))
    assert read is not None
    assert read.interval == taken


def test_counts_that_are_negative_are_unknown():
    read = question().read(answer(leechers=0xFFFFFFFF, seeders=0))
    assert read is not None
    assert (read.leechers, read.seeders) == (None, 0)


def test_what_is_too_short_is_no_answer():
    assert all(question().read(answer()[:length]) is None for length in range(12))
    assert all(read_connection(bytes(length)) is None for length in range(8))
    assert ScrapeQuestion([b"a" * 20]).read(bytes(11)) is None


def test_a_scrape_is_read_in_the_order_of_the_question():
    asked = [b"a" * 20, b"b" * 20, b"c" * 20]
    rows = struct.pack(">IIIIII", 1, 2, 3, 4, 0xFFFFFFFF, 6)
    assert ScrapeQuestion(asked).read(rows + b"torn") == {
        asked[0]: Counts(seeders=1, downloaded=2, leechers=3),
        asked[1]: Counts(seeders=4, downloaded=None, leechers=6),
    }
    assert ScrapeQuestion(asked[:1]).read(rows) == {asked[0]: Counts(1, 3, 2)}


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_not(data, ipv6):
    read = question(ipv6=ipv6).read(data)
    assert (read is None) == (len(data) < 12)
    counted = ScrapeQuestion([b"a" * 20, b"b" * 20]).read(data)
    assert (counted is None) == (len(data) < 12)


# -- URLs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "target", "url_data"),
    [
        ("udp://t.example:80", Target("t.example", 80, "", ""), b""),
        ("UDP://T.example:80/", Target("t.example", 80, "/", ""), b"/"),
        ("udp://[::1]:6969/announce", Target("::1", 6969, "/announce", ""), b"/announce"),
        ("udp://1.2.3.4:1/dir?a=b&c=d#part", Target("1.2.3.4", 1, "/dir", "a=b&c=d"), b"/dir?a=b&c=d"),
        ("udp://t.example:80/?auth=ü", Target("t.example", 80, "/", "auth=ü"), "/?auth=ü".encode()),
        ("udp://t.example:80/announce?", Target("t.example", 80, "/announce", ""), b"/announce"),
    ],
)
def test_urls(url, target, url_data):
    assert parse_url(url) == target
    assert parse_url(url).url_data == url_data


HOSTILE = [
    "udp://",
    "udp://host",
    "udp://host:0/",
    "udp://host:65536/",
    "udp://host:-1/",
    "udp://host:x/",
    "udp://:80/",
    "udp://[::1",
    "udp://\u2100@host\uff0f:80/",
    "udp://host:80/\ud800",
    "udp://host:80/" + "x" * MAX_URL_DATA,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls_are_tracker_errors(url):
    with pytest.raises(TrackerError) as caught:
        parse_url(url)
    assert str(caught.value).isprintable()
    assert "xxx" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_a_tracker_error(text):
    try:
        target = parse_url(f"udp://{text}")
    except TrackerError:
        return
    assert target.host
    assert 0 < target.port < 65536
    assert len(target.url_data) <= MAX_URL_DATA
