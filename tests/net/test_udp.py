"""One port's datagrams, on real loopback."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from trio_torrent.net.boundary import Boundary
from trio_torrent.net.udp import BATCH, Datagrams, open_datagrams

LOCALHOST = "127.0.0.1"


class Post:
    """What came, and from where."""

    def __init__(self) -> None:
        self.letters: list[tuple[bytes, str, int]] = []
        self._came = trio.Event()

    def __call__(self, data: bytes, host: str, port: int) -> None:
        self.letters.append((data, host, port))
        self._came.set()

    async def wait(self, count: int) -> list[tuple[bytes, str, int]]:
        with trio.fail_after(5):
            while len(self.letters) < count:
                self._came = trio.Event()
                await self._came.wait()
        return self.letters


@asynccontextmanager
async def running(datagrams: Datagrams) -> AsyncIterator[Boundary]:
    boundary = Boundary()
    async with trio.open_nursery() as nursery:
        with datagrams:
            nursery.start_soon(datagrams.run, boundary)
            yield boundary
            nursery.cancel_scope.cancel()


async def test_there_and_back():
    one, other, post, answers = open_datagrams(0), open_datagrams(0), Post(), Post()
    async with running(one), running(other):
        with one.listen(b"d", post), other.listen(b"d", answers):
            assert other.send(b"does it come?", LOCALHOST, one.port)
            assert await post.wait(1) == [(b"does it come?", LOCALHOST, other.port)]
            assert one.send(b"d", *post.letters[0][1:])
            assert await answers.wait(1) == [(b"d", LOCALHOST, one.port)]


async def test_both_families_on_one_port():
    one, other, post = open_datagrams(0), open_datagrams(0), Post()
    assert one.families == {socket.AF_INET, socket.AF_INET6}
    async with running(one), running(other):
        with one.listen(b"d", post):
            assert other.send(b"d", "::1", one.port)
            assert other.send(b"d", LOCALHOST, one.port)
            assert {host for _, host, _ in await post.wait(2)} == {"::1", LOCALHOST}


async def test_by_the_first_byte():
    one, other, dicts, small = open_datagrams(0), open_datagrams(0), Post(), Post()
    async with running(one), running(other):
        with one.listen(b"d", dicts), one.listen(range(4), small):
            for data in (b"", b"x", b"\0\1", b"d1", b"\3", b"d2"):
                assert other.send(data, LOCALHOST, one.port)
            await dicts.wait(2)
            assert [data for data, *_ in dicts.letters] == [b"d1", b"d2"]
            assert [data for data, *_ in small.letters] == [b"\0\1", b"\3"]


async def test_a_byte_has_one_listener_at_a_time():
    with open_datagrams(0, interface=LOCALHOST) as one:
        with one.listen(b"ab", Post()), pytest.raises(ValueError, match="already"), one.listen(b"bc", Post()):
            pass
        with one.listen(b"bc", Post()):
            pass


async def test_a_flood_is_read_in_portions():
    one, other, post = open_datagrams(0, interface=LOCALHOST), open_datagrams(0, interface=LOCALHOST), Post()
    sent = sum(other.send(b"d%d" % number, LOCALHOST, one.port) for number in range(BATCH + 20))
    async with running(one), running(other):
        with one.listen(b"d", post):
            letters = await post.wait(sent)
            assert [data for data, *_ in letters] == [b"d%d" % number for number in range(sent)]


async def test_a_receiver_that_fails_harms_nobody():
    one, other, post = open_datagrams(0), open_datagrams(0), Post()

    def fail(data: bytes, host: str, port: int) -> None:
        raise ZeroDivisionError

    async with running(one) as boundary, running(other):
        with one.listen(b"x", fail), one.listen(b"d", post):
            other.send(b"x", LOCALHOST, one.port)
            await trio.testing.wait_all_tasks_blocked(0.01)
            other.send(b"d", LOCALHOST, one.port)
            await post.wait(1)
            assert boundary.unexpected == 1


@pytest.mark.parametrize(
    ("data", "host", "port"),
    [(bytes(100_000), LOCALHOST, 1), (b"d", "::1", 1), (b"d", LOCALHOST, 70_000), (b"d", "255.255.255.255", 1)],
)
def test_what_cannot_be_sent_is_dropped(data: bytes, host: str, port: int):
    with open_datagrams(0, interface=LOCALHOST) as one:
        assert not one.send(data, host, port)


def test_a_port_that_is_taken():
    with open_datagrams(0, interface=LOCALHOST) as one, pytest.raises(OSError, match="in use") as error:
        open_datagrams(one.port, interface=LOCALHOST)
    assert error.value.errno == errno.EADDRINUSE


def test_an_ipv6_port_that_is_taken_leaves_ipv4():
    with open_datagrams(0, interface="::") as one:
        assert one.families == {socket.AF_INET6}
        with open_datagrams(one.port) as other:
            assert other.families == {socket.AF_INET}


def test_an_address_that_is_not_ours():
    with pytest.raises(OSError, match="address"):
        open_datagrams(0, interface="192.0.2.1")
