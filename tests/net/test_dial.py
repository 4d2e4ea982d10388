"""Outgoing connections: those that come about, and why others do not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest
import trio

from trio_torrent.address import Address
from trio_torrent.errors import PeerError, ShortageError
from trio_torrent.net.dial import CONNECT_SECONDS, dial, in_words

LOCALHOST = "127.0.0.1"


async def reason(address: Address, *, interface: str | None = None) -> str:
    with pytest.raises(PeerError) as error:
        await dial(address, interface=interface)
    return str(error.value)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that nobody listens at, nor can begin to meanwhile."""
    with socket.socket() as bound:
        bound.bind((LOCALHOST, 0))
        yield bound.getsockname()[1]


async def test_connected():
    (listener,) = await trio.open_tcp_listeners(0, host=LOCALHOST)
    address = Address(*listener.socket.getsockname())
    async with listener, await dial(address) as ours, await listener.accept() as theirs:
        await ours.send_all(b"hello")
        assert await theirs.receive_some() == b"hello"


async def test_from_a_local_address():
    (listener,) = await trio.open_tcp_listeners(0, host=LOCALHOST)
    address = Address(*listener.socket.getsockname())
    async with listener, await dial(address, interface="127.0.0.2"), await listener.accept() as theirs:
        assert theirs.socket.getpeername()[0] == "127.0.0.2"


async def test_refused(closed_port: int):
    assert await reason(Address(LOCALHOST, closed_port)) == "connection refused"


async def test_an_interface_of_the_other_kind(closed_port: int):
    assert "not supported" in await reason(Address("::1", closed_port), interface=LOCALHOST)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("a..b", 1),  # UnicodeError, without asking anybody
        ("x" * 64 + ".example", 1),
        ("nul\0.example", 1),  # ValueError
        (LOCALHOST, 65536),  # OverflowError
    ],
)
async def test_an_address_that_is_none(host: str, port: int):
    assert await reason(Address(host, port))


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch):
    async def unknown(*args: object, **options: object) -> trio.SocketStream:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio, "open_tcp_stream", unknown)
    assert await reason(Address("nobody.example", 1)) == "Name or service not known"


async def test_no_answer(monkeypatch: pytest.MonkeyPatch, autojump_clock):
    async def never(*args: object, **options: object) -> trio.SocketStream:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(trio, "open_tcp_stream", never)
    start = trio.current_time()
    assert await reason(Address("192.0.2.1", 1)) == "timed out"
    assert trio.current_time() - start == CONNECT_SECONDS


async def test_several_addresses_of_one_host_that_all_fail(monkeypatch: pytest.MonkeyPatch):
    """As trio tells of it."""
    attempts = ExceptionGroup(
        "multiple connection attempts failed",
        [ConnectionRefusedError(errno.ECONNREFUSED, "x"), OSError(errno.ENETUNREACH, "y")],
    )

    async def fails(*args: object, **options: object) -> trio.SocketStream:
        raise OSError("all attempts to connect to somewhere failed") from attempts

    monkeypatch.setattr(trio, "open_tcp_stream", fails)
    assert await reason(Address("somewhere.example", 1)) == "connection refused"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNREFUSED])
async def test_our_own_shortage_is_told_apart(number: int, monkeypatch: pytest.MonkeyPatch):
    async def fails(*args: object, **options: object) -> trio.SocketStream:
        raise OSError("all attempts to connect to 192.0.2.1:1 failed") from OSError(number, "x")

    monkeypatch.setattr(trio, "open_tcp_stream", fails)
    with pytest.raises(PeerError) as error:
        await dial(Address("192.0.2.1", 1))
    assert isinstance(error.value, ShortageError) == (number != errno.ECONNREFUSED)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "whatever"), "no route to host"),
        (OSError(errno.EPERM, "Operation not permitted"), "Operation not permitted"),
        (OSError("in plain words"), "in plain words"),
        (ExceptionGroup("", [ExceptionGroup("", [OSError(errno.EMFILE, "x")])]), "too many open files"),
        (ValueError(), "ValueError"),
        (trio.BrokenResourceError("broken"), "broken"),
    ],
)
def test_in_words(error: BaseException, words: str):
    assert in_words(error) == words


def test_the_cause_is_what_counts():
    error = trio.BrokenResourceError("socket connection broken")
    error.__cause__ = ConnectionResetError(errno.ECONNRESET, "x")
    assert in_words(error) == "connection reset"
