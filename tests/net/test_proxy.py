"""Proxies that a user gives: their URLs, and requests by way of scripted ones on loopback."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio

from trio_torrent.errors import TrackerError
from trio_torrent.net.http import make_http
from trio_torrent.net.proxy import Proxy
from trio_torrent.net.reach import Local

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://p.example:3128", Proxy("http", "p.example", 3128)),
        ("http://p.example", Proxy("http", "p.example", 8080)),
        ("socks5://p.example", Proxy("socks5", "p.example", 1080)),
        ("socks5h://[::1]:9050", Proxy("socks5", "::1", 9050)),
        ("SOCKS5://me:p%40ss@1.2.3.4:1", Proxy("socks5", "1.2.3.4", 1, "me", "p@ss")),
        ("http://me@p.example:1", Proxy("http", "p.example", 1, "me", "")),
    ],
)
def test_urls(url, proxy):
    assert Proxy.parse(url) == proxy


@pytest.mark.parametrize(
    "url",
    [
        "",
        "p.example:1",
        "https://p.example",
        "socks4://p.example",
        "socks5://",
        "http://p:x",
        "http://[::1",
        "http://p:99999",
        f"socks5://me:{'secret' * 50}@p.example",
    ],
)
def test_what_is_no_proxy(url):
    with pytest.raises(ValueError, match=r"^proxy ") as caught:
        Proxy.parse(url)
    assert "secret" not in str(caught.value)


def test_a_password_is_not_shown():
    assert "secret" not in repr(Proxy.parse("socks5://me:secret@p.example"))


@attrs.define
class FakeProxy:
    """Plays a proxy and what lies behind it; `replies` are sent byte by byte, one list for each connection."""

    replies: Sequence[bytes]
    port: int = 0
    heard: list[bytes] = attrs.field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        for reply in self.replies:
            data = await stream.receive_some()
            if not data:
                return
            self.heard.append(bytes(data))
            try:
                for at in range(len(reply)):
                    await stream.send_all(reply[at : at + 1])
            except trio.BrokenResourceError:
                return  # who was told nonsense need not hear it to the end
        await stream.send_eof()


@asynccontextmanager
async def proxied(*replies: bytes) -> AsyncIterator[FakeProxy]:
    proxy = FakeProxy(replies)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1"))
        proxy.port = listener.socket.getsockname()[1]
        yield proxy
        nursery.cancel_scope.cancel()


async def nobody(host: str) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up here")


async def get(url: str, proxy: str, local: Local = Local.NEVER, *, allow_local: bool = False) -> bytes:
    parsed = Proxy.parse(proxy)
    http = make_http(user_agent="test/1", lookup=nobody, proxy=parsed, allow_local=allow_local)
    return await http.get(url, limit=1000, seconds=5, local=local)


async def failure(url: str, proxy: str, local: Local = Local.NEVER) -> str:
    with pytest.raises(TrackerError) as caught:
        await get(url, proxy, local)
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


async def test_by_way_of_socks_the_proxy_looks_the_name_up():
    async with proxied(b"\5\0", b"\5\0\0\1" + bytes(6), OK) as proxy:
        assert await get("http://t.example/announce?x", f"socks5://127.0.0.1:{proxy.port}") == b"hello"
    assert proxy.heard[:2] == [b"\5\1\0", b"\5\1\0\3\x09t.example\0\x50"]
    assert proxy.heard[2].startswith(b"GET /announce?x HTTP/1.1\r\nHost: t.example\r\n")


async def test_by_way_of_socks_with_a_login():
    async with proxied(b"\5\2", b"\1\0", b"\5\0\0\1" + bytes(6), OK) as proxy:
        assert await get("http://t.example:81/", f"socks5://me:secret@127.0.0.1:{proxy.port}") == b"hello"
    assert proxy.heard[1] == b"\1\2me\6secret"


async def test_by_way_of_an_http_proxy():
    async with proxied(OK) as proxy:
        assert await get("http://t.example/announce?x", f"http://me:secret@127.0.0.1:{proxy.port}") == b"hello"
    (request,) = proxy.heard
    assert request.startswith(b"GET http://t.example/announce?x HTTP/1.1\r\n")
    login = base64.b64encode(b"me:secret")
    assert b"proxy-authorization: basic " + login.lower() in request.lower()


async def test_https_goes_through_an_http_proxy_unread():
    async with proxied(b"HTTP/1.1 200 OK\r\n\r\n", b"no TLS at all") as proxy:
        assert "TLS failed" in await failure("https://t.example/announce", f"http://127.0.0.1:{proxy.port}")
    assert proxy.heard[0].startswith(b"CONNECT t.example:443 HTTP/1.1\r\n")
    assert proxy.heard[1][:1] == b"\x16"


async def test_https_goes_through_socks_unread():
    async with proxied(b"\5\0", b"\5\0\0\1" + bytes(6), b"no TLS at all") as proxy:
        assert "TLS failed" in await failure("https://t.example/announce", f"socks5://127.0.0.1:{proxy.port}")
    assert proxy.heard[2][:1] == b"\x16"


@pytest.mark.parametrize(
    ("scheme", "replies", "words"),
    [
        ("socks5", [b"\5\xff"], "wants a login"),
        ("socks5", [b"\5\0", b"\5\5\0\1" + bytes(6)], "cannot connect: connection refused"),
        ("socks5", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak SOCKS 5"),
        ("socks5", [b"\5"], "the proxy closed the connection"),
        ("http", [b"\5\0" * 100], "t.example: "),
        ("http", [b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"], "answered 407"),
    ],
)
async def test_what_is_wrong_with_a_proxy_is_told(scheme, replies, words):
    async with proxied(*replies) as proxy:
        assert words in await failure("http://t.example/announce", f"{scheme}://127.0.0.1:{proxy.port}")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_is_not_there(scheme):
    told = await failure("http://t.example/announce", f"{scheme}://me:secret@127.0.0.1:1")
    assert told == "the proxy 127.0.0.1: Connection refused"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("host", ["localhost", "router", "127.0.0.1", "[::1]", "192.168.0.1", "nas.local"])
async def test_what_sounds_local_is_not_asked_of_a_proxy(scheme, host):
    async with proxied(b"") as proxy:
        for path in ("", "x", "announce?x"):
            assert "local network" in await failure(f"http://{host}/{path}", f"{scheme}://127.0.0.1:{proxy.port}")
    assert proxy.heard == []


async def test_unless_it_is_a_plain_announce_or_allowed():
    async with proxied(OK) as proxy:
        by = f"http://127.0.0.1:{proxy.port}"
        assert await get("http://nas.local/announce?info_hash=x", by, Local.ANNOUNCE) == b"hello"
        assert await get("http://nas.local/x", by, allow_local=True) == b"hello"


async def test_a_redirect_from_outside_does_not_lead_inside():
    moved = (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: http://nas.local/announce\r\n\r\n"
    )
    async with proxied(moved) as proxy:
        told = await failure("http://t.example/announce", f"http://127.0.0.1:{proxy.port}", Local.ANNOUNCE)
    assert "nas.local is on this machine or the local network" in told
    assert len(proxy.heard) == 1


@pytest.mark.parametrize(
    ("scheme", "replies", "asked"),
    [
        ("socks5", (b"\5\0", b"\5\0\0\1" + bytes(6), OK), b"GET /x HTTP/1.1\r\n"),
        ("http", (OK,), b"GET http://t.example/x HTTP/1.1\r\n"),
    ],
)
async def test_web_seeds_are_asked_by_way_of_it_too(scheme, replies, asked):
    async with proxied(*replies) as proxy:
        parsed = Proxy.parse(f"{scheme}://127.0.0.1:{proxy.port}")
        http = make_http(user_agent="test/1", lookup=nobody, proxy=parsed)
        lane = http.lane()
        body = b""
        async with lane.get("http://t.example/x", {}) as answer:
            while data := await answer.read():
                body += data
        await lane.aclose()
    assert body == b"hello"
    assert proxy.heard[-1].startswith(asked)
