"""Bodies that land where they belong, on real sockets, and what becomes of the connection."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.payload import random_bytes
from trio_torrent.net.http import make_http
from trio_torrent.net.lane import Answer, Lane
from trio_torrent.wire.web_answers import WebSeedError

LARGE = random_bytes(3_000_000)
STEPS = (1, 700_000, 16_384, 3)  # sizes of places

Script = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def lane_to(*scripts: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Lane, str]]:
    """A lane, and the URL of a server that runs one script for each connection, in turn."""
    waiting = list(scripts)

    async def serve(stream: trio.SocketStream) -> None:
        over = stream if tls is None else trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        with suppress(trio.BrokenResourceError):
            await waiting.pop(0)(over)

    trusted = ssl.create_default_context()
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    http = make_http(user_agent="test/1", allow_local=True, context=trusted)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        lane = http.lane()
        try:
            yield lane, f"http{'' if tls is None else 's'}://127.0.0.1:{listener.socket.getsockname()[1]}/"
        finally:
            await lane.aclose()
        nursery.cancel_scope.cancel()
    assert not waiting


def answers(*bodies: bytes, head: bytes = b"", first: bytes = b"HTTP/1.1 200 OK") -> Script:
    """So many requests are answered with these bodies; the connection ends after the last."""

    async def script(stream: trio.abc.Stream) -> None:
        for body in bodies:
            assert await asked(stream)
            length = b"" if b"Transfer-Encoding" in head else b"Content-Length: %d\r\n" % len(body)
            await stream.send_all(first + b"\r\n" + length + head + b"\r\n")
            await stream.send_all(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if not length else body)

    return script


def says(data: bytes, *, then: Script | None = None) -> Script:
    """One request is answered with these very bytes."""

    async def script(stream: trio.abc.Stream) -> None:
        assert await asked(stream)
        await stream.send_all(data)
        if then is not None:
            await then(stream)

    return script


async def asked(stream: trio.abc.Stream) -> bool:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = await stream.receive_some()
        if not more:
            return False
        data += more
    return True


async def is_left(stream: trio.abc.Stream) -> None:
    """Nothing more is asked on the connection, which is closed."""
    assert not await asked(stream)


class Places:
    """Memory of this size, in places of all sizes."""

    def __init__(self, size: int) -> None:
        self.memory = bytearray(size)
        self.at = 0

    def buffers(self) -> Sequence[memoryview]:
        found: list[memoryview] = []
        at, view = self.at, memoryview(self.memory)
        while at < len(view):
            found.append(view[at : at + STEPS[len(found) % len(STEPS)]])
            at += len(found[-1])
        return found[:50]


async def take(answer: Answer, size: int) -> tuple[bytes, int]:
    """The body, and how many bytes of it landed."""
    places, landed = Places(size), 0
    while places.at < size:
        if answer.lands:
            count = await answer.receive_into(places.buffers)
            landed += count
        else:
            data = await answer.read()
            count = len(data)
            places.memory[places.at : places.at + count] = data
        if not count:
            break
        places.at += count
    else:
        assert not answer.lands
        assert await answer.read() == b""
    return bytes(places.memory[: places.at]), landed


async def get(lane: Lane, url: str, size: int) -> tuple[bytes, int]:
    async with lane.get(url, {}) as answer:
        return await take(answer, size)


async def test_a_large_body_lands_and_the_connection_is_kept():
    async with lane_to(answers(LARGE, LARGE)) as (lane, url):
        for _ in range(2):
            body, landed = await get(lane, url, len(LARGE))
            assert body == LARGE
            assert landed > 0.9 * len(LARGE)


async def test_what_came_with_the_head_comes_first():
    async with lane_to(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of it", then=is_left)) as (lane, url):
        async with lane.get(url, {}) as answer:
            assert not answer.lands
            assert await take(answer, 9) == (b"all of it", 0)
        await lane.aclose()


async def test_the_rest_lands_when_the_beginning_came_with_the_head():
    async def rest(stream: trio.abc.Stream) -> None:
        await may_send.wait()
        await stream.send_all(b" the rest")

    may_send = trio.Event()
    script = says(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nfirst", then=rest)
    async with lane_to(script) as (lane, url), lane.get(url, {}) as answer:
        assert await answer.read() == b"first"
        assert answer.lands
        may_send.set()
        assert await take(answer, 9) == (b" the rest", 9)


async def test_a_body_that_breaks_off():
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 3000001\r\n\r\n"
    async with lane_to(says(start + LARGE), says(start + b"a bit")) as (lane, url):
        body, landed = await get(lane, url, len(LARGE) + 1)
        assert body == LARGE
        assert landed > 0
        async with lane.get(url, {}) as answer:
            assert await answer.read() == b"a bit"
            with pytest.raises(WebSeedError, match="peer closed connection in the midst of a body"):
                await answer.read()


@pytest.mark.parametrize(
    "first",
    [
        answers(b"once", head=b"Connection: close\r\n"),
        answers(b"once", head=b"Connection: Keep-Alive, CLOSE\r\n"),
        answers(b"once", first=b"HTTP/1.0 200 OK"),
        says(b"HTTP/1.1 200 OK\r\n\r\nonce"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nonceHTTP/1.1 200 OK", then=is_left),
    ],
)
async def test_a_connection_that_the_server_does_not_keep_is_not_used_again(first: Script):
    async with lane_to(first, answers(b"again")) as (lane, url):
        assert (await get(lane, url, 4))[0] == b"once"
        assert (await get(lane, url, 5))[0] == b"again"


async def test_what_is_left_unread_costs_the_connection():
    async with lane_to(answers(LARGE), answers(b"again")) as (lane, url):
        async with lane.get(url, {}) as answer:
            assert await answer.receive_into(Places(10).buffers) == 10
        assert (await get(lane, url, 5))[0] == b"again"


async def test_no_more_is_read_than_the_body(tls: ssl.SSLContext):
    async def babbles(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"hello, and much that nobody asked for")

    script = says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", then=babbles)
    async with lane_to(script, answers(b"again"), tls=tls) as (lane, url):
        assert (await get(lane, url, 5))[0] == b"hello"
        assert (await get(lane, url, 5))[0] == b"again"


async def test_a_body_of_unknown_length_does_not_land_but_comes():
    async with lane_to(answers(LARGE, b"and so on", head=b"Transfer-Encoding: chunked\r\n")) as (lane, url):
        assert await get(lane, url, len(LARGE)) == (LARGE, 0)
        assert await get(lane, url, 9) == (b"and so on", 0)


async def test_chunks_of_a_byte_keep_nobody_from_his_turn():
    body = b"1\r\nx\r\n" * 500 + b"0\r\n\r\n"
    script = says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with lane_to(script) as (lane, url), trio.open_nursery() as nursery, lane.get(url, {}) as answer:
        nursery.start_soon(take_turns)
        for _ in range(500):
            assert await answer.read() == b"x"
        nursery.cancel_scope.cancel()
    assert turns > 490


async def test_no_body_is_none_whatever_is_announced():
    script = says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", then=answers(b"again"))
    async with lane_to(script) as (lane, url):
        async with lane.get(url, {}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        assert (await get(lane, url, 5))[0] == b"again"


async def test_what_is_said_before_the_answer_is_passed_over():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 3
    async with lane_to(says(early + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")) as (lane, url):
        assert (await get(lane, url, 1))[0] == b"x"


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Of a server that vouches for itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    return context


async def test_what_is_encrypted_does_not_land_but_comes(tls: ssl.SSLContext):
    async with lane_to(answers(LARGE, b"and so on"), tls=tls) as (lane, url):
        assert await get(lane, url, len(LARGE)) == (LARGE, 0)
        assert await get(lane, url, 9) == (b"and so on", 0)
