"""The embedded tracker, spoken to by our own HTTP and by strangers."""

import errno
from collections.abc import Sequence
from functools import partial
from random import Random

import pytest
import trio

from trio_torrent.address import Address
from trio_torrent.bencode import Value, decode
from trio_torrent.errors import TrackerError
from trio_torrent.net.asking import Trackers, make_trackers
from trio_torrent.net.http import make_http
from trio_torrent.net.http_tracker import announce
from trio_torrent.net.reach import Family, Local
from trio_torrent.net.tracker import Announcer
from trio_torrent.net.tracker_server import (
    ACCEPT_PAUSE,
    MAX_CONNECTIONS,
    MAX_REQUEST,
    REQUEST_SECONDS,
    TrackerServer,
    _accept,
    serve_tracker,
)
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer, Counts, Refused, Totals
from trio_torrent.tracker.registry import Registry
from trio_torrent.tracker.tiers import Tiers

HASH = b"\x00\xff h&=%+" + b"h" * 12


@pytest.fixture
async def server(nursery):
    return await nursery.start(partial(serve_tracker, random=Random(1)))


@pytest.fixture
def http():
    return make_http(user_agent="test/1")


def said(port: int, left: int = 1, event: AnnounceEvent = AnnounceEvent.STARTED) -> Announce:
    return Announce(HASH, b"p" * 20, port, 0, 0, left, event, 0, None, None)


async def exchange(server: TrackerServer, data: bytes) -> bytes:
    """Send these bytes, and all that comes back until the server closes."""
    address = Address.parse(server.url.split("/")[2])
    async with await trio.open_tcp_stream(address.host, address.port) as stream:
        await stream.send_all(data)
        return b"".join([chunk async for chunk in stream])


def parse(response: bytes) -> tuple[str, Value]:
    head, _, body = response.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), decode(body, max_depth=8)


async def test_peers_hear_of_each_other(server, http):
    assert (await announce(http, server.url, said(1))).peers == ()
    answer = await announce(http, server.url, said(2, left=0))
    assert answer.peers == (Address("127.0.0.1", 1),)
    assert (answer.seeders, answer.leechers, answer.external_ip) == (1, 1, "127.0.0.1")
    await announce(http, server.url, said(1, event=AnnounceEvent.STOPPED))
    assert [peer.address.port for peer in server.registry.peers(HASH)] == [2]


async def test_announcers_hear_of_each_other(server, http, nursery):
    send, receive = trio.open_memory_channel[tuple[int, tuple[Address, ...]]](10)

    def make(port: int) -> Announcer:
        async def found(addresses, source):
            await send.send((port, tuple(addresses)))

        return Announcer(
            tiers=Tiers([[server.url]], random=Random(port)),
            trackers=Trackers(http, None, [None]),
            names=lambda: [HASH],
            peer_id=b"p" * 20,
            port=port,
            totals=lambda: Totals(0, 0, port % 2),
            found=found,
            random=Random(port),
        )

    await announce(http, server.url, said(3))
    leecher, seeder = make(1), make(2)
    nursery.start_soon(seeder.run)
    assert await receive.receive() == (2, (Address("127.0.0.1", 3),))
    nursery.start_soon(leecher.run)
    port, addresses = await receive.receive()
    assert (port, set(addresses)) == (1, {Address("127.0.0.1", 2), Address("127.0.0.1", 3)})
    await announce(http, server.url, said(3, event=AnnounceEvent.STOPPED))
    await leecher.stop()
    await seeder.stop()
    assert server.registry.peers(HASH) == ()


async def test_a_refusal_is_one_for_the_client(server, http):
    with pytest.raises(Refused, match="info_hash must be 20 bytes"):
        await announce(http, server.url, Announce(b"", b"p" * 20, 1, 0, 0, 0, AnnounceEvent.NONE, 0, None, None))


async def test_scrape(server, http):
    await announce(http, server.url, said(1))
    url = server.url.replace("announce", "scrape")
    body = await http.get(url, limit=1000, seconds=5, local=Local.ALWAYS)
    assert decode(body, max_depth=8) == {b"files": {HASH: {b"complete": 0, b"incomplete": 1, b"downloaded": 0}}}


async def test_other_paths_are_not_found(server, http):
    with pytest.raises(TrackerError, match="404 Not Found"):
        await http.get(server.url + "/../x", limit=1000, seconds=5, local=Local.ALWAYS)


async def test_ipv6(nursery, http):
    server = await nursery.start(partial(serve_tracker, host="::1"))
    assert server.url.startswith("http://[::1]:")
    assert (await announce(http, server.url, said(1))).external_ip == "::1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_bound_to_every_address_it_names_one_that_can_be_reached(nursery, http, host):
    server = await nursery.start(partial(serve_tracker, host=host))
    answer = await announce(http, server.url, said(1))
    assert answer.external_ip == ("127.0.0.1" if host == "0.0.0.0" else "::1")


async def test_a_port_that_is_taken_is_the_caller_s_error(server):
    with pytest.raises(OSError, match="in use"):
        await serve_tracker(port=Address.parse(server.url.split("/")[2]).port)


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (b"\x00\xff\x16\x03 garbage\r\n\r\n", "HTTP/1.1 400 Bad Request", "not a request"),
        (b"GET /announce\r\n\r\n", "HTTP/1.1 400 Bad Request", "not a request"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request", "not a request"),  # no Host
        (b"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found", "only /announce and /scrape"),
        (b"GET http://x/announce HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found", "only /announce and /scrape"),
        (b"GET /announce HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "info_hash must be 20 bytes"),
        (b"GET /scrape?info_hash=x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "info_hash must be 20 bytes"),
        (b"POST /announce HTTP/1.0\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 405 Method Not Allowed", "only GET"),
        (b"\x13BitTorrent protocol" + bytes(48) + b"\r\n\r\n", "HTTP/1.1 400 Bad Request", "not a request"),
    ],
)
async def test_every_error_is_a_failure_reason(server, request_, status, reason):
    line, answer = parse(await exchange(server, request_))
    assert line.rstrip() == status
    assert isinstance(answer, dict)
    failure = answer[b"failure reason"]
    assert isinstance(failure, bytes)
    assert reason in failure.decode()


async def test_a_head_that_is_too_long(server):
    line, _ = parse(await exchange(server, b"GET /announce?" + b"x" * MAX_REQUEST))
    assert line == "HTTP/1.1 431 Request Header Fields Too Large"


async def test_clients_that_leave_at_once_do_no_harm(server, http):
    address = Address.parse(server.url.split("/")[2])
    for data in (b"", b"GET /ann"):
        async with await trio.open_tcp_stream(address.host, address.port) as stream:
            if data:
                await stream.send_all(data)
            await stream.send_eof()
            async for _ in stream:
                pass
    assert (await announce(http, server.url, said(1))).leechers == 1


async def test_a_client_that_drips_is_left_in_time(autojump_clock, server):
    address = Address.parse(server.url.split("/")[2])

    async def drip(stream: trio.SocketStream) -> None:
        for byte in b"GET /announce?" + b"x" * 100:
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.5)

    async with await trio.open_tcp_stream(address.host, address.port) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await drip(stream)
    assert REQUEST_SECONDS <= trio.current_time() < REQUEST_SECONDS + 2


@pytest.mark.slow
async def test_idle_clients_hold_up_the_others_for_seconds_only(autojump_clock, server, http, nursery):
    address = Address.parse(server.url.split("/")[2])
    idle = [await trio.open_tcp_stream(address.host, address.port) for _ in range(MAX_CONNECTIONS)]
    await trio.testing.wait_all_tasks_blocked()
    answer = await announce(http, server.url, said(1))
    assert answer.leechers == 1
    assert REQUEST_SECONDS <= trio.current_time() < REQUEST_SECONDS + 1
    for stream in idle:
        await stream.aclose()


class Exhausted(trio.abc.Listener[trio.SocketStream]):
    """Out of file descriptors for a while, then with a client."""

    def __init__(self, client: trio.SocketStream, failures: int) -> None:
        self._client = client
        self._failures = failures

    async def accept(self) -> trio.SocketStream:
        await trio.lowlevel.checkpoint()
        self._failures -= 1
        if self._failures >= 0:
            raise OSError(errno.EMFILE, "Too many open files")
        if self._failures < -1:
            await trio.sleep_forever()
        return self._client

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_without_file_descriptors_it_waits_and_goes_on(autojump_clock, nursery):
    ours, theirs = trio.socket.socketpair()
    listener = Exhausted(trio.SocketStream(theirs), failures=5)
    slots = trio.Semaphore(2)
    nursery.start_soon(_accept, listener, Registry(random=Random(1)), slots, nursery)
    await trio.sleep(ACCEPT_PAUSE * 5 + 0.1)
    ours.close()
    await trio.testing.wait_all_tasks_blocked()
    assert slots.value == 1  # the client's is free again, the other waits for the next client


# -- by UDP ----------------------------------------------------------------------------------------------------------


def udp_trackers() -> Trackers:
    return make_trackers(NoHttp(), lookup=no_lookup, random=Random(1), allow_local=False, interface=None, proxied=False)


class NoHttp:
    """What nobody asks here."""

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        raise AssertionError(url)


async def no_lookup(host: str) -> Sequence[str]:
    raise AssertionError(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_it_is_a_udp_tracker_too(nursery, http, host):
    server = await nursery.start(partial(serve_tracker, host=host))
    assert server.udp_url == server.url.replace("http", "udp")
    answers = []

    async def heard(answer: Answer) -> None:
        await trio.lowlevel.checkpoint()
        answers.append(answer)

    await announce(http, server.url, said(1))
    await udp_trackers().announce(server.udp_url, said(2, left=0), heard)
    (answer,) = answers
    assert answer.peers == (Address(host, 1),)
    assert (answer.seeders, answer.leechers) == (1, 1)
    counted = await udp_trackers().scrape(server.udp_url, [HASH, b"x" * 20])
    assert counted == {HASH: Counts(1, 1, 0), b"x" * 20: Counts(0, 0, 0)}


async def test_noise_does_not_end_it(server, autojump_clock):
    address = Address.parse(server.udp_url.split("/")[2])
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as stranger:
        for number in range(300):
            await stranger.sendto(Random(number).randbytes(number), (address.host, address.port))
        await stranger.sendto(bytes(60_000), (address.host, address.port))
    await trio.sleep(1)
    await udp_trackers().announce(server.udp_url, said(1), nothing)
    assert len(server.registry.peers(HASH)) == 1


async def nothing(answer: Answer) -> None:
    await trio.lowlevel.checkpoint()


async def test_without_the_udp_port_it_does_with_http(nursery, http):
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as taken:
        await taken.bind(("127.0.0.1", 0))
        server = await nursery.start(partial(serve_tracker, port=taken.getsockname()[1]))
    assert server.udp_url is None
    await announce(http, server.url, said(1))
    assert len(server.registry.peers(HASH)) == 1
