"""Hostile bytes for the parsers: `python -m tests.fuzz 1000000 [SEED]`.

Inputs are good ones, damaged: bytes changed, cut, doubled, spliced with another's, lengths and numbers made extreme.
A parser may give a value or raise what it declares; anything else, more than 50 ms of it, or memory that grows by more
than 64 MB, ends the run with the input that did it. A parser of another part of the project joins by one line in
TARGETS.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from random import Random

import attrs

from tests.dht.stranger import DATAGRAMS, Declined, Stranger
from tests.heard import messages
from tests.metainfo.cases import BAD, ODD
from tests.metainfo.making import Contents, make_torrent
from trio_torrent.address import Address
from trio_torrent.bencode import Value, decode, decode_prefix, decode_with_span, encode
from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.look import Look
from trio_torrent.disk.record import Record
from trio_torrent.errors import BencodeError, MagnetError, MetainfoError, ProtocolError, TrackerError
from trio_torrent.metainfo import Magnet, Metainfo
from trio_torrent.metainfo.infohash import Version
from trio_torrent.net.proxy import Proxy
from trio_torrent.net.socks import ask_for_connection
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer
from trio_torrent.tracker.exchange import Connection, Exchange
from trio_torrent.tracker.http import announce_url, parse_answer
from trio_torrent.tracker.limits import MAX_INTERVAL, MAX_PEERS, MIN_INTERVAL
from trio_torrent.tracker.query import parse_announce, parse_scrape
from trio_torrent.tracker.registry import Registry
from trio_torrent.tracker.scrape import parse_scrape_answer, scrape_url
from trio_torrent.tracker.udp import Action, AnnounceQuestion, ScrapeQuestion, connect_request, parse_url, request
from trio_torrent.tracker.udp_desk import UdpDesk
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.connection import Connection as PeerSide
from trio_torrent.wire.lsd import MOST_HASHES, LocalAnnounce, decode_local, encode_local
from trio_torrent.wire.ut_metadata import (
    MAX_METADATA,
    MetadataData,
    MetadataMessage,
    MetadataReject,
    MetadataRequest,
    decode_metadata,
    encode_metadata,
    metadata_pieces,
)
from trio_torrent.wire.ut_pex import MOST_CONTACTS, Contact, PeerExchange, decode_pex, encode_pex

SLOW = 0.05  # seconds of processor time that one small input may take
MAX_INPUT = 5000  # bytes
MAX_GROWTH = 64 << 20  # bytes by which the peak of the process may grow over one input

EXTREMES = [b"0", b"-1", b"00", b"16384", b"2147483648", b"4294967296", b"9223372036854775808", b"9" * 30]
TOKENS = [
    b"d",
    b"l",
    b"e",
    b"i",
    b":",
    b"0:",
    b"de",
    b"le",
    b"i0e",
    b"1:a",
    b"4:info",
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%ff",
]


@attrs.frozen
class Target:
    """A parser, what it may raise, and inputs to begin with."""

    parse: Callable[[bytes], object]
    declared: type[Exception]
    corpus: Sequence[bytes]


def parse_bencode(data: bytes) -> None:
    """Every door of bencode; what is read is written and read again."""
    value, end = decode_prefix(data, max_depth=30)
    decode_with_span(data, b"info", max_depth=30, allow_trailing=True)
    assert decode(encode(value), max_depth=30) == value
    assert decode(data[:end], max_depth=30) == value


def parse_metainfo(data: bytes) -> None:
    """A torrent that is taken keeps its bytes, leads nowhere but below the save path, and can be worked with."""
    metainfo = Metainfo.from_bytes(data)
    assert metainfo.to_bytes() == data
    for file in metainfo.files:
        assert file.path
        assert not {"", ".", ".."} & set(file.path)
        assert not any("/" in name or "\0" in name for name in file.path)
    real = [file.path for file in metainfo.files if not file.padding]
    assert len({"/".join(path).casefold() for path in real}) == len(real)
    last = metainfo.geometry.pieces - 1
    assert metainfo.layout.slices(metainfo.geometry.piece_start(last), metainfo.geometry.piece_size(last))
    assert Magnet.parse(str(metainfo.magnet)).info_hashes == metainfo.info_hashes
    assert Metainfo.from_info(metainfo.info_bytes).info == metainfo.info


def parse_magnet(data: bytes) -> None:
    """A link that is taken is written and read again."""
    magnet = Magnet.parse(data.decode(errors="surrogateescape"))
    assert Magnet.parse(str(magnet)) == magnet


SAID = Announce(b"h" * 20, b"p" * 20, 6881, 1, 2, 3, AnnounceEvent.STARTED, 4, 50, None)


def check_answer(answer: Answer) -> None:
    assert MIN_INTERVAL <= answer.interval <= MAX_INTERVAL
    assert len(answer.peers) == len(set(answer.peers)) <= 2 * MAX_PEERS
    assert all(0 < peer.port < 65536 for peer in answer.peers)


def parse_http_tracker(data: bytes) -> None:
    """What an HTTP tracker answers, to an announce and to a scrape."""
    with contextlib.suppress(TrackerError):
        parse_scrape_answer(data, [b"h" * 20])
    check_answer(parse_answer(data))


def parse_udp_tracker(data: bytes) -> None:
    """What a UDP tracker sends, mostly in the right transaction: when we connect, and when we have asked."""
    for connection in (None, Connection(1, until=60)):
        question = AnnounceQuestion(SAID, b"", ipv6=len(data) % 2 == 0)
        exchange = Exchange(question, connection=connection, random=SAME, now=0)
        assert exchange.datagram(0)
        exchange.receive(data, 0)
        if exchange.answer:
            check_answer(exchange.answer)
    ScrapeQuestion([b"h" * 20] * 3).read(data)


def parse_udp_request(data: bytes) -> None:
    """What a client sends to our tracker, by one who has a connection and by one who has none."""
    desk = UdpDesk(Registry(random=Random(1), max_torrents=5), secret=b"s" * 32)
    connected = desk.answer(connect_request(1), "1.1.1.1", 0)
    assert connected is not None
    stranger = desk.answer(data, "1.1.1.1", 0)
    assert stranger is None or len(stranger) <= max(34, len(data))
    answer = desk.answer(connected[8:] + data[8:], "1.1.1.1", 0)
    assert answer is None or len(answer) < 1280
    if answer is None or answer[3] == Action.ERROR:
        raise TrackerError("refused")


class Same(Random):
    """Every transaction is the same."""

    def getrandbits(self, k: int, /) -> int:
        return int.from_bytes(b"tran")


SAME = Same()


def parse_tracker_url(data: bytes) -> None:
    """Any URL that stands for a tracker."""
    text = data.decode(errors="surrogateescape")
    with contextlib.suppress(UnicodeEncodeError):
        assert "info_hash=" in announce_url(text, SAID)
        scrape_url(text, [b"h" * 20])
    target = parse_url(text)
    assert target.host
    assert 0 < target.port < 65536


def parse_tracker_query(data: bytes) -> None:
    """What a client asks of our tracker."""
    with contextlib.suppress(TrackerError):
        parse_scrape(data)
    assert 0 < parse_announce(data).announce.port < 65536


def parse_ut_metadata(data: bytes) -> None:
    """What a peer says of an info dictionary; what is taken is within the limits, and is written and read again."""
    message = decode_metadata(data)
    if message is None:
        raise ProtocolError("nothing that is known")
    assert 0 <= message.piece < metadata_pieces(MAX_METADATA)
    assert decode_metadata(encode_metadata(message)) == message


def parse_ut_pex(data: bytes) -> None:
    """Whom a peer names."""
    message = decode_pex(data)
    if message is None:
        raise ProtocolError("nothing that is known")
    assert max(len(message.added), len(message.dropped)) <= 2 * MOST_CONTACTS
    assert all(0 < contact.address.port < 65536 for contact in message.added)
    assert decode_pex(encode_pex(message)) == message


def parse_lsd(data: bytes) -> None:
    """What comes from the local network."""
    announce = decode_local(data)
    assert 0 < len(announce.info_hashes) <= MOST_HASHES
    encode_local(announce, ipv6=False)


def parse_socks(data: bytes) -> None:
    """What a proxy replies."""
    conversation = ask_for_connection(Proxy("socks5", "proxy", 1080, "user", "password"), "t.example", 80)
    step = next(conversation)
    with contextlib.suppress(StopIteration):
        while isinstance(step, bytes) or step <= len(data):
            if isinstance(step, bytes):
                step = next(conversation)
            else:
                chunk, data = data[:step], data[step:]
                step = conversation.send(chunk)


def parse_record(data: bytes) -> None:
    """What was kept from the last run; what is read is written and read again."""
    record = Record.from_bytes(data, 12)
    assert Record.from_bytes(record.to_bytes(), 12) == record


def parse_messages(data: bytes) -> None:
    """What a v2 peer says, in one piece and in two, is the same; and it is written as it was read."""
    whole = said(data)
    assert said(data[: len(data) // 2], data[len(data) // 2 :]) == whole
    written = encode_all(message for message in whole if not isinstance(message, wire.Unknown))
    assert [message for message in whole if not isinstance(message, wire.Unknown)] == said(written)


def said(*chunks: bytes) -> list[wire.Message]:
    connection = PeerSide(pieces=16, fast=True, v2=True)
    return messages(heard for chunk in chunks for heard in connection.receive(chunk))


def torrents() -> Iterable[bytes]:
    known = [case[0] for case in BAD.values()] + [case[0] for case in ODD.values()]
    yield from (data for data in known if len(data) < MAX_INPUT)
    contents: Contents = {("a",): bytes(40000), ("d", "b"): b"b", ("d", "c"): b""}
    versions: list[Version] = ["1", "2", "hybrid"]
    for version in versions:
        yield make_torrent("n", contents, version, trackers=[["http://a.example/"]], web_seeds=["http://b.example/"])


V1, V2 = "urn:btih:" + "0f" * 20, "urn:btmh:1220" + "0f" * 32
MAGNETS = [
    f"magnet:?xt={V1}",
    f"magnet:?xt={V2}&dn=a%20name&tr=udp%3A%2F%2Fa.example%3A80&ws=http://b.example/&x.pe=[::1]:80&so=0,2,4-6",
    f"magnet:?xt={V1}&xt={V2}&xs=http://c.example/&tr.1=http://d.example/&x.pe=1.2.3.4:5",
    "0f" * 20,
]
PART = wire.HashRequest(b"r" * 32, 0, 4, 2, 2)
MESSAGES: list[list[wire.Message]] = [
    [wire.HaveNone(), wire.Have(3), wire.Request(1, 0, 16384), wire.Cancel(1, 0, 16384)],
    [wire.Bitfield(b"\xff\x0f"), wire.Unchoke(), wire.Piece(0, 16384, b"data"), wire.Port(6881)],
    [PART, wire.Hashes(PART, bytes(4 * 32)), wire.HashReject(PART), wire.Extended(0, b"de"), wire.KeepAlive()],
    [wire.HaveAll(), wire.AllowedFast(1), wire.Suggest(2), wire.Reject(1, 0, 5), wire.Choke(), wire.Interested()],
]
TORRENTS = [*torrents()]
HTTP_ANSWERS: list[dict[bytes, Value]] = [
    {b"interval": 900, b"peers": b"\1\2\3\4\0\5" * 3, b"peers6": bytes(15) + b"\1\0\5", b"external ip": b"\1\2\3\4"},
    {b"peers": [{b"ip": b"1.2.3.4", b"port": 5}, {b"ip": b"t.example", b"port": 6}], b"min interval": 60},
    {b"failure reason": b"no", b"retry in": b"never"},
    {b"interval": 1, b"tracker id": b"x", b"complete": 3, b"incomplete": 4, b"warning message": b"careful"},
    {b"files": {b"h" * 20: {b"complete": 1, b"incomplete": 2, b"downloaded": 3}}},
]
UDP_ANSWERS = [
    b"\0\0\0\0tran" + bytes(8),
    b"\0\0\0\1tran" + bytes(12) + b"\1\2\3\4\0\5" * 6,
    b"\0\0\0\2tran" + bytes(36),
    b"\0\0\0\3tranno",
]
UDP_REQUESTS = [
    connect_request(5),
    request(1, 5, AnnounceQuestion(SAID, b"/announce", ipv6=False)),
    request(1, 5, ScrapeQuestion([b"h" * 20, b"i" * 20])),
]
TRACKER_URLS = [
    b"udp://t.example:80/announce?a=b",
    b"udp://[::1]:6969",
    b"http://user:pass@t.example:80/x/announce?k=v#f",
]
TRACKER_QUERIES = [announce_url("?", SAID)[1:].encode(), b"info_hash=" + b"%ff" * 20 + b"&info_hash=" + b"a" * 20]
SOCKS_REPLIES = [b"\5\2\1\0\5\0\0\1" + bytes(6), b"\5\2\1\0\5\0\0\3\5proxy\0\1", b"\5\0\5\5\0\1"]
RECORDS = [
    Record(
        "/", Bitfield(12, [0, 5]), Bitfield(12, [5]), "now", {"a/b": Look(5, 6), "c": Look(7, 8)}, 9, True, {"c": "d"}
    ).to_bytes(),
    Record(
        "/", Bitfield(12), Bitfield(12), "", {}, 9, False, peers=(Address("1.2.3.4", 5), Address("::1", 6))
    ).to_bytes(),
]
UT_METADATA: list[MetadataMessage] = [MetadataRequest(0), MetadataData(7, 123_456, b"piece" * 50), MetadataReject(3)]
UT_PEX = [
    PeerExchange((Contact(Address("192.0.2.1", 6881), 0x12),) * 3, (Address("192.0.2.2", 1),)),
    PeerExchange((Contact(Address("2001:db8::1", 6881)),), (Address("2001:db8::2", 1),) * 2),
]
LOCAL = LocalAnnounce(6881, (b"h" * 20, b"i" * 20), "cookie")

TARGETS = {
    "bencode": Target(parse_bencode, BencodeError, TORRENTS),
    "metainfo": Target(parse_metainfo, MetainfoError, TORRENTS),
    "messages": Target(parse_messages, ProtocolError, [encode_all(messages) for messages in MESSAGES]),
    "magnet": Target(parse_magnet, MagnetError, [link.encode() for link in MAGNETS]),
    "dht": Target(Stranger().send, Declined, DATAGRAMS),
    "http tracker": Target(parse_http_tracker, TrackerError, [encode(answer) for answer in HTTP_ANSWERS]),
    "udp tracker": Target(parse_udp_tracker, TrackerError, UDP_ANSWERS),
    "udp request": Target(parse_udp_request, TrackerError, UDP_REQUESTS),
    "tracker url": Target(parse_tracker_url, TrackerError, TRACKER_URLS),
    "tracker query": Target(parse_tracker_query, TrackerError, TRACKER_QUERIES),
    "record": Target(parse_record, ValueError, RECORDS),
    "ut_metadata": Target(parse_ut_metadata, ProtocolError, [encode_metadata(message) for message in UT_METADATA]),
    "ut_pex": Target(parse_ut_pex, ProtocolError, [encode_pex(message) for message in UT_PEX]),
    "lsd": Target(parse_lsd, ProtocolError, [encode_local(LOCAL, ipv6=ipv6) for ipv6 in (False, True)]),
    "socks": Target(parse_socks, TrackerError, SOCKS_REPLIES),
}


def damage(random: Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus, changed in one to four places."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(7):
            case 0:
                data[at : at + 1] = random.randbytes(1)
            case 1:
                del data[at : at + random.randint(1, 20)]
            case 2:
                data[at:at] = random.choice(TOKENS)
            case 3:
                data[at:at] = data[at : at + random.randint(1, 40)]
            case 4:
                change_number(random, data, at)
            case 5:
                other = random.choice(corpus)
                start = random.randrange(len(other) + 1)
                data[at : at + random.randint(0, 40)] = other[start : start + random.randint(1, 80)]
            case _:
                del data[at:]
    return bytes(data[:MAX_INPUT])


def change_number(random: Random, data: bytearray, at: int) -> None:
    """Put something extreme in the place of the first number from `at` on."""
    digits = b"0123456789"
    start = next((i for i in range(at, len(data)) if data[i] in digits), None)
    if start is not None:
        end = next((i for i in range(start, len(data)) if data[i] not in digits), len(data))
        data[start:end] = random.choice(EXTREMES)


def fuzz(target: Target, count: int, seed: int) -> int:
    """Run so many inputs; how many were taken. AssertionError with the input that was too much."""
    random = Random(seed)
    taken = 0
    for _ in range(count):
        data = damage(random, target.corpus)
        before = peak_memory()
        started = time.thread_time()
        try:
            target.parse(data)
            taken += 1
        except target.declared:
            pass
        except BaseException as error:
            raise AssertionError(f"{target.parse.__name__} of {data!r} raised {error!r}") from error
        spent = time.thread_time() - started
        assert peak_memory() - before < MAX_GROWTH, f"memory for {data!r}"
        assert spent < SLOW or quickest(target, data) < SLOW, f"{spent:.3f} s for {data!r}"
    return taken


def peak_memory() -> int:
    """Bytes; Linux counts in KiB. Never falls, so one look before and one after tell what came in between."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quickest(target: Target, data: bytes) -> float:
    """Once more, for a collection of garbage or a busy machine may have been in it."""
    times = []
    for _ in range(3):
        started = time.thread_time()
        with contextlib.suppress(target.declared):
            target.parse(data)
        times.append(time.thread_time() - started)
    return min(times)


def main(arguments: Sequence[str]) -> None:
    count = int(arguments[0]) if arguments else 100_000
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    for name, target in TARGETS.items():
        started = time.perf_counter()
        taken = fuzz(target, count, seed)
        seconds = time.perf_counter() - started
        print(f"{name}: {count} inputs, {taken} taken, {count / seconds:.0f}/s, seed {seed}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
