"""The guarded GET against scripted servers on real loopback sockets, and against URLs that lead elsewhere."""

import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import attrs
import httpcore
import pytest
import trio

from trio_torrent.errors import TrackerError
from trio_torrent.net.http import MAX_REDIRECTS, Http, make_http
from trio_torrent.net.reach import Local

LIMIT = 1 << 20
GLOBAL_A, GLOBAL_B = "93.184.216.34", "2606:2800:220:1::1"

TLS = b"\x16"  # what a handshake begins with
Script = Callable[[trio.SocketStream], Awaitable[None]]


@attrs.define
class Server:
    """Runs one script per request, the last one for ever, and keeps what it was asked."""

    scripts: list[Script]
    port: int = 0
    requests: list[bytes] = attrs.field(factory=list)

    def url(self, path: str = "/announce") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, stream: trio.SocketStream) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n") and not request.startswith(TLS):
            request += await stream.receive_some() or b"\r\n\r\n"
        self.requests.append(request)
        script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
        with suppress(trio.BrokenResourceError):  # the client may close the connection
            await script(stream)


@asynccontextmanager
async def served(*scripts: Script) -> AsyncIterator[Server]:
    server = Server(list(scripts))
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.port = listener.socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()


def reply(body: bytes = b"hello", *, status: str = "200 OK", length: int | None = None, **headers: str) -> Script:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join([*lines, "", ""]).encode() + body)


def raw(data: bytes) -> Script:
    async def script(stream: trio.SocketStream) -> None:
        await stream.send_all(data)

    return script


def redirect(location: str, status: str = "302 Found") -> Script:
    return reply(b"moved", status=status, Location=location)


async def get(url: str, *, limit: int = LIMIT, seconds: float = 5, local: Local = Local.ANNOUNCE) -> bytes:
    http = make_http(user_agent="test/1")
    return await http.get(url, limit=limit, seconds=seconds, local=local)


async def failure(url: str, **options: object) -> str:
    with pytest.raises(TrackerError) as caught:
        await get(url, **options)  # type: ignore[arg-type]
    assert str(caught.value).isprintable()
    return str(caught.value)


async def test_the_body_is_got_and_the_query_arrives_as_it_was_written():
    async with served(reply(b"x" * 100_000)) as server:
        assert await get(server.url("/announce?info_hash=%00%ffa%2b&b=c+d")) == b"x" * 100_000
    (request,) = server.requests
    assert request.startswith(b"GET /announce?info_hash=%00%ffa%2b&b=c+d HTTP/1.1\r\n")
    assert b"User-Agent: test/1\r\n" in request
    assert b"Accept-Encoding: gzip\r\n" in request


async def test_nothing_is_carried_from_one_request_to_the_next():
    http = make_http(user_agent="test/1")
    async with served(reply(Set_Cookie="who=me")) as server:
        for _ in range(2):
            await http.get(server.url(), limit=LIMIT, seconds=5, local=Local.ANNOUNCE)
    assert len(server.requests) == 2
    assert b"who=me" not in server.requests[1]


async def test_the_environment_names_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with served(reply()) as server:
        assert await get(server.url()) == b"hello"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate", "identity"])
async def test_compressed_once_is_inflated(encoding):
    plain = b"spam" * 50_000
    packed = {"deflate": zlib.compress(plain), "identity": plain}.get(encoding, gzip.compress(plain) + b"trailing")
    async with served(reply(packed, Content_Encoding=encoding)) as server:
        assert await get(server.url()) == plain


@pytest.mark.parametrize(
    ("body", "encoding", "text"),
    [
        (gzip.compress(bytes(8 * LIMIT)), "gzip", "longer than 1048576 bytes"),
        (gzip.compress(gzip.compress(bytes(LIMIT))), "gzip, gzip", "not asked for: gzip, gzip"),
        (b"\x78\x9c" + b"\x00\x00\x00\xff\xff" * LIMIT, "deflate", "longer than 1048576 bytes"),  # inflates to nothing
        (b"x", "br", "not asked for: br"),
        (b"x", "\x1b]0;title", "not asked for: ]0;title"),
        (b"not compressed", "gzip", "damaged"),
        (gzip.compress(b"hello")[:-9], "gzip", "ends early"),
        (b"", "gzip", "ends early"),
        (bytes(LIMIT + 1), "identity", "longer than 1048576 bytes"),
    ],
)
async def test_bombs_and_damaged_bodies_are_refused(body, encoding, text):
    async with served(reply(body, Content_Encoding=encoding)) as server:
        assert text in await failure(server.url())


async def test_a_body_of_exactly_the_limit_is_taken():
    async with served(reply(bytes(1000)), reply(gzip.compress(bytes(1000)), Content_Encoding="gzip")) as server:
        for _ in range(2):
            assert await get(server.url(), limit=1000) == bytes(1000)


@pytest.mark.parametrize("prefix", [b"Content-Length: 1073741824\r\n\r\n", b"\r\n"])
async def test_a_gigabyte_is_not_received(prefix):
    sent = 0

    async def flood(stream: trio.SocketStream) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\n" + prefix)
        for _ in range(1 << 14):
            await stream.send_all(bytes(1 << 16))
            sent += 1 << 16

    async with served(flood) as server:
        assert "longer than" in await failure(server.url())
    assert sent < 32 << 20  # what the sockets' buffers hold


async def drip(stream: trio.SocketStream, start: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n") -> None:
    await stream.send_all(start)
    while True:
        await stream.send_all(b"x")
        await trio.sleep(1)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_server_that_drips_is_left_at_the_deadline(autojump_clock, start):
    async with served(partial(drip, start=start)) as server:
        assert await failure(server.url(), seconds=30) == "127.0.0.1: no complete answer within 30 s"
        assert trio.current_time() == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("scheme", ["http:", "https:"])
async def test_a_server_that_says_nothing_is_left_at_the_deadline(autojump_clock, scheme):
    async def silence(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with served(silence) as server:
        assert "within 7 s" in await failure(server.url().replace("http:", scheme), seconds=7)


async def test_endless_headers_end():
    async def headers(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n")
        while True:
            await stream.send_all(b"X-Header: " + b"x" * 1000 + b"\r\n")

    async with served(headers) as server:
        await failure(server.url())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "disconnected"),
        (b"220 ftp.example.org ready\r\n", ""),
        (b"\x00\xff\x1b[31m" * 100, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "closed connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx", ""),
        (b"HTTP/1.1 500 \x1b[31mboo\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 500 Whatever\r\nContent-Length: 0\r\n\r\n", "127.0.0.1: answered 500 Internal Server Error"),
        (b"HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n", "127.0.0.1: answered 799"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "answered 302 Found"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "answered 204 No Content"),
    ],
)
async def test_what_is_no_answer_is_a_tracker_error(answer, text):
    async with served(raw(answer)) as server:
        assert text in await failure(server.url())


HOSTILE = [
    "",
    "//",
    "announce",
    "http:",
    "http://",
    "http:///announce",
    "http://[::1",
    "http://[::1]:x/",
    "http://:abc/",
    "http://h:abc/",
    "http://h:0/",
    "http://h:-1/",
    "http://h:65536/",
    "http://a\0b/",
    "http://a\r\nX: y/",
    "http://\ud800/",
    "http://host/\ud800",
    "http://" + "a" * 70_000,
    "http://a..b/",
    "http://.a/",
    "http://" + "a" * 70 + ".example/",
    "http://xn--/",
    "http://xn--\u00fc/",
    "http://%00/",
    "file:///etc/passwd",
    "udp://127.0.0.1:80/announce",
    "gopher://x",
    "http+unix://%2fvar%2frun/announce",
]


@pytest.mark.parametrize("url", HOSTILE)
async def test_hostile_urls_are_tracker_errors(url):
    await failure(url)


@pytest.mark.parametrize("port", [0, 65536])
async def test_a_port_that_cannot_be_is_not_taken_for_another(port):
    assert "impossible port" in await failure(f"http://127.0.0.1:{port}/announce")


@pytest.mark.parametrize("url", HOSTILE)
async def test_hostile_redirects_are_tracker_errors(url):
    location = url.encode("utf-8", "replace").split(b"\0")[0].split(b"\r")[0]
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location[:50_000]
    async with served(raw(head + b"\r\n\r\n"), reply(status="404 Not Found")) as server:
        await failure(server.url())


async def test_a_refused_connection_says_so():
    assert await failure("http://127.0.0.1:1/announce") == "127.0.0.1: Connection refused"


async def test_a_server_without_tls_says_so():
    async with served(reply()) as server:
        assert "TLS failed" in await failure(server.url().replace("http:", "https:"))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed_to_another_port_too(status):
    async with served(reply(b"there")) as there, served(redirect(there.url("/x/announce?a=b"), status)) as here:
        assert await get(here.url()) == b"there"
    assert there.requests[0].startswith(b"GET /x/announce?a=b ")


async def test_a_password_does_not_follow_a_redirect():
    async with served(reply()) as there, served(redirect(there.url())) as here:
        assert await get(here.url().replace("//", "//user:secret@")) == b"hello"
    assert b"Authorization: Basic" in here.requests[0]
    assert b"Authorization" not in there.requests[0]


async def test_redirects_end():
    async with served(redirect("/announce")) as server:
        assert "redirects" in await failure(server.url())
    assert len(server.requests) == MAX_REDIRECTS + 1


async def test_the_deadline_is_for_all_redirects_together(autojump_clock):
    async def slow(stream: trio.SocketStream) -> None:
        await trio.sleep(10)
        await redirect("/announce")(stream)

    async with served(slow) as server:
        assert "within 25 s" in await failure(server.url(), seconds=25)
    assert len(server.requests) == 3


# Where requests may go. No test can reach a global address, so the network below is a fake that leads to loopback.


@attrs.define
class Network(httpcore.AsyncNetworkBackend):
    """Connects every address in `reachable` to a server on loopback; others are slow or refuse."""

    port: int = 0
    reachable: Sequence[str] = (GLOBAL_A, GLOBAL_B, "127.0.0.1")
    silent: Sequence[str] = ()
    asked: list[str] = attrs.field(factory=list)

    async def connect_tcp(self, host: str, port: int, *_, **__) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if host in self.silent:
            await trio.sleep_forever()
        if host not in self.reachable:
            raise httpcore.ConnectError("refused")
        return await httpcore.TrioBackend().connect_tcp("127.0.0.1", self.port)


def names(**table: Sequence[str]) -> Callable[[str], Awaitable[Sequence[str]]]:
    async def lookup(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        return table[host.partition(".")[0]]

    return lookup


def guarded(network: Network, *, allow_local: bool = False, **table: Sequence[str]) -> Http:
    return make_http(user_agent="test/1", network=network, lookup=names(**table), allow_local=allow_local)


async def ask(http: Http, url: str, local: Local = Local.NEVER) -> bytes:
    return await http.get(url, limit=LIMIT, seconds=5, local=local)


LOCAL_ADDRESSES = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%1",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:192.168.0.1",
    "2002:7f00:1::",
    "2002:c0a8:1::1",
    "64:ff9b::127.0.0.1",
]


@pytest.mark.parametrize("address", LOCAL_ADDRESSES)
async def test_local_addresses_are_not_contacted(address):
    network = Network()
    http = guarded(network, name=[address])
    for local, path in (
        (Local.NEVER, "announce"),
        (Local.ANNOUNCE, "upload?x=/announce"),
        (Local.ANNOUNCE, "x%2Fannounce"),
        (Local.ANNOUNCE, ""),
    ):
        for host in ("name.example", f"[{address}]" if ":" in address else address):
            with pytest.raises(TrackerError, match="local network"):
                await ask(http, f"http://{host}/{path}", local)
    assert network.asked == []


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "017700000001"])
async def test_other_spellings_of_this_host_are_not_contacted(host):
    assert "local network" in await failure(f"http://{host}:1/x")


@pytest.mark.parametrize(
    ("path", "local", "allow_local"),
    [
        ("/announce", Local.ANNOUNCE, False),
        ("/KEY/announce?info_hash=x", Local.ANNOUNCE, False),
        ("/x", Local.ALWAYS, False),
        ("/x", Local.NEVER, True),
    ],
)
async def test_what_may_stay_local(path, local, allow_local):
    async with served(reply()) as server:
        network = Network(server.port)
        http = guarded(network, allow_local=allow_local, name=["127.0.0.1"])
        assert await ask(http, f"http://name.example{path}", local) == b"hello"


async def test_of_a_host_s_addresses_only_the_global_ones_are_contacted():
    async with served(reply()) as server:
        network = Network(server.port)
        http = guarded(network, name=["127.0.0.1", GLOBAL_A])
        assert await ask(http, "http://name.example/x") == b"hello"
    assert network.asked == [GLOBAL_A]
    assert b"Host: name.example\r\n" in server.requests[0]


@pytest.mark.parametrize("local", [Local.ANNOUNCE, Local.ALWAYS])
async def test_a_redirect_from_outside_does_not_lead_inside(local):
    async with served(redirect("http://inside.example/announce")) as server:
        network = Network(server.port)
        http = guarded(network, outside=[GLOBAL_A], inside=["127.0.0.1"])
        with pytest.raises(TrackerError, match=r"inside.example is on this machine or the local network"):
            await ask(http, "http://outside.example/announce", local)
    assert network.asked == [GLOBAL_A]


async def test_a_redirect_inside_leads_to_an_announce_only():
    async with served(redirect("/announce"), redirect("/reboot")) as server:
        network = Network(server.port)
        http = guarded(network, inside=["127.0.0.1"])
        with pytest.raises(TrackerError, match="local network"):
            await ask(http, "http://inside.example/announce", Local.ANNOUNCE)
    assert len(server.requests) == 2


async def test_allow_local_lets_redirects_lead_anywhere():
    async with served(redirect("http://inside.example/x"), reply()) as server:
        network = Network(server.port)
        http = guarded(network, allow_local=True, outside=[GLOBAL_A], inside=["127.0.0.1"])
        assert await ask(http, "http://outside.example/announce") == b"hello"


async def test_a_name_that_changes_its_mind_is_looked_up_once_a_request():
    answers = [[GLOBAL_A], ["127.0.0.1"]]
    network = Network()

    async def rebinding(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        return answers.pop(0)

    http = make_http(user_agent="x", network=network, lookup=rebinding)
    async with served(reply()) as server:
        network.port = server.port
        assert await ask(http, "http://name.example/x") == b"hello"
        with pytest.raises(TrackerError, match="local network"):
            await ask(http, "http://name.example/x")
    assert network.asked == [GLOBAL_A]


async def test_an_address_that_is_silent_does_not_hold_up_the_next(autojump_clock):
    async with served(reply()) as server:
        network = Network(server.port, silent=[GLOBAL_B])
        http = guarded(network, name=[GLOBAL_B, GLOBAL_A])
        assert await ask(http, "http://name.example/x") == b"hello"
    assert trio.current_time() < 1


async def test_all_addresses_are_tried_and_the_first_error_told():
    network = Network(reachable=())
    http = guarded(network, name=[GLOBAL_B, GLOBAL_A])
    with pytest.raises(TrackerError, match=r"name.example: refused"):
        await ask(http, "http://name.example/x")
    assert network.asked == [GLOBAL_B, GLOBAL_A]


async def test_a_name_that_cannot_be_looked_up():
    async def nowhere(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        raise OSError(-2, "Name or service not known")

    http = make_http(user_agent="x", lookup=nowhere)
    with pytest.raises(TrackerError, match=r"^name.example: cannot be looked up"):
        await ask(http, "http://name.example/x")
