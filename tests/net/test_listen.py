"""Strangers at the door, on real loopback."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from trio_torrent.address import Address
from trio_torrent.net import listen as module
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.listen import (
    BREATHER_SECONDS,
    COMPLAINT_SECONDS,
    Reception,
    Welcome,
    open_listeners,
    own_addresses,
    port_of,
)
from trio_torrent.wire.handshake import Handshake

LOCALHOST = "127.0.0.1"
KNOWN = b"k" * 20
THEIRS = Handshake(KNOWN, b"-THEM00-............")


@attrs.define(eq=False)
class Guest:
    """Who was welcomed."""

    stream: trio.abc.Stream
    address: Address
    theirs: Handshake
    early: bytes


@attrs.define(eq=False)
class House:
    """A reception for one torrent, and who came."""

    boundary: Boundary = attrs.field(factory=Boundary)
    listeners: list[trio.SocketListener] = attrs.field(factory=list)
    arrivals: trio.MemorySendChannel[Guest] = attrs.field(init=False)
    guests: trio.MemoryReceiveChannel[Guest] = attrs.field(init=False)
    fails: bool = False

    def __attrs_post_init__(self) -> None:
        self.arrivals, self.guests = trio.open_memory_channel[Guest](100)

    def find(self, info_hash: bytes) -> Welcome | None:
        return self.welcome if info_hash == KNOWN else None

    async def welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        if self.fails:
            raise ZeroDivisionError
        await self.arrivals.send(Guest(stream, address, theirs, early))

    async def visit(self, host: str = LOCALHOST) -> trio.SocketStream:
        return await trio.open_tcp_stream(host, port_of(self.listeners))

    async def takes_guests(self) -> bool:
        """A proper guest is welcomed."""
        async with await self.visit() as stream:
            await stream.send_all(bytes(THEIRS))
            await (await self.guests.receive()).stream.aclose()
        return True


@asynccontextmanager
async def open_house(*, interface: str | None = LOCALHOST, pending: int = 256) -> AsyncIterator[House]:
    house = House()
    reception = Reception(house.find, house.boundary, pending=pending)
    house.listeners = await open_listeners(0, interface=interface)
    async with trio.open_nursery() as nursery:
        for listener in house.listeners:
            nursery.start_soon(reception.serve, listener)
        with trio.fail_after(5):
            yield house
        nursery.cancel_scope.cancel()
    assert all(listener.socket.fileno() == -1 for listener in house.listeners)


async def is_shown_out(stream: trio.SocketStream) -> bool:
    """The house closes the connection."""
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True  # with a reset, as there was something unread


# -- guests ----------------------------------------------------------------------------------------------------------


async def test_a_guest_is_handed_over_with_all_that_he_said():
    async with open_house() as house, await house.visit() as stream:
        await stream.send_all(bytes(THEIRS) + b"and more")
        guest = await house.guests.receive()
        assert (guest.theirs, guest.early) == (THEIRS, b"and more")
        assert guest.address == Address(*stream.socket.getsockname())
        await guest.stream.send_all(b"welcome")
        assert await stream.receive_some() == b"welcome"
        await guest.stream.aclose()


async def test_a_handshake_in_two_parts():
    async with open_house() as house, await house.visit() as stream:
        await stream.send_all(bytes(THEIRS)[:30])
        await trio.testing.wait_all_tasks_blocked(0.01)
        await stream.send_all(bytes(THEIRS)[30:])
        guest = await house.guests.receive()
        assert guest.theirs == THEIRS
        await guest.stream.aclose()


# -- others ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x13BitTorrent protocoL" + bytes(48),
        os.urandom(1000),
        bytes(Handshake(b"x" * 20, b"p" * 20)),  # for a torrent that is not here
    ],
    ids=["http", "nearly", "encrypted", "unknown"],
)
async def test_the_wrong_word_at_the_door(said: bytes):
    async with open_house() as house, await house.visit() as stream:
        await stream.send_all(said)
        assert await is_shown_out(stream)
        assert await house.takes_guests()
    assert house.boundary.unexpected == 0


async def test_who_leaves_at_once_or_in_mid_word():
    async with open_house() as house:
        for said in (b"", bytes(THEIRS)[:67]):
            async with await house.visit() as stream:
                await stream.send_all(said)
        assert await house.takes_guests()
    assert house.boundary.unexpected == 0


async def test_silence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "HANDSHAKE_SECONDS", 0.02)
    async with open_house() as house, await house.visit() as stream:
        assert await is_shown_out(stream)
    assert house.boundary.unexpected == 0


async def test_too_many_who_say_nothing():
    """Who has had the most time to say something makes room for the next one."""
    async with open_house(pending=2) as house, await house.visit() as one, await house.visit() as two:
        await trio.testing.wait_all_tasks_blocked(0.01)
        async with await house.visit() as three:
            assert await is_shown_out(one)
            await two.send_all(bytes(THEIRS))
            await (await house.guests.receive()).stream.aclose()
            await three.send_all(b"garbage")
            assert await is_shown_out(three)
        for _ in range(3):
            assert await house.takes_guests()
    assert house.boundary.unexpected == 0


async def test_a_flood_from_one_host_shows_out_its_own(autojump_clock: trio.testing.MockClock):
    house = House()
    reception = Reception(house.find, house.boundary, pending=10)
    async with trio.open_nursery() as nursery:
        patient, ours = trio.testing.memory_stream_pair()
        nursery.start_soon(reception.receive, ours, Address("9.9.9.9", 1))
        await trio.testing.wait_all_tasks_blocked()
        flood = [trio.testing.memory_stream_pair() for _ in range(100)]
        for number, (_, end) in enumerate(flood):
            nursery.start_soon(reception.receive, end, Address("6.6.6.6", number))
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(9)
        await patient.send_all(bytes(THEIRS))
        guest = await house.guests.receive()
        assert guest.address == Address("9.9.9.9", 1)
        assert [await is_closed(theirs) for theirs, _ in flood] == [True] * 91 + [False] * 9
        nursery.cancel_scope.cancel()
    assert house.boundary.unexpected == 0


async def test_those_who_wait_to_be_welcomed_are_no_more_than_the_hall_holds(
    autojump_clock: trio.testing.MockClock,
):
    """A torrent takes its time while its files are checked, say."""
    house = House()
    house.arrivals, house.guests = trio.open_memory_channel[Guest](0)
    reception = Reception(house.find, house.boundary, pending=2)
    async with trio.open_nursery() as nursery:
        visitors = []
        for number in range(5):
            theirs, ours = trio.testing.memory_stream_pair()
            visitors.append(theirs)
            nursery.start_soon(reception.receive, ours, Address("9.9.9.9", number))
            await theirs.send_all(bytes(THEIRS))
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(60)
        assert [await is_closed(theirs) for theirs in visitors] == [True] * 3 + [False] * 2
        assert {(await house.guests.receive()).address.port for _ in range(2)} == {3, 4}
        await trio.sleep(60)
        assert [await is_closed(theirs) for theirs in visitors] == [True] * 3 + [False] * 2
    assert house.boundary.unexpected == 0


@pytest.mark.parametrize("said", [b"", bytes(THEIRS)[:34], bytes(THEIRS)[:-1]])
async def test_who_stalls_is_shown_out_after_ten_seconds(said: bytes, autojump_clock: trio.testing.MockClock):
    house = House()
    reception = Reception(house.find, house.boundary)
    theirs, ours = trio.testing.memory_stream_pair()
    await theirs.send_all(said)
    start = trio.current_time()
    await reception.receive(ours, Address("9.9.9.9", 1))
    assert trio.current_time() - start == 10
    assert await is_closed(theirs)


async def test_what_nobody_foresaw_harms_only_the_one():
    async with open_house() as house, await house.visit() as stream:
        house.fails = True
        await stream.send_all(bytes(THEIRS))
        assert await is_shown_out(stream)
        house.fails = False
        assert await house.takes_guests()
    assert house.boundary.unexpected == 1


async def test_closing_the_house_shows_everyone_out():
    async with trio.open_nursery() as nursery:
        async with open_house() as house:
            silent = await house.visit()
            await trio.testing.wait_all_tasks_blocked(0.01)
        async with silent:
            assert await is_shown_out(silent)
        nursery.cancel_scope.cancel()


async def is_closed(stream: trio.abc.Stream) -> bool:
    """The other end is."""
    try:
        await stream.send_all(bytes(THEIRS)[:1])
    except trio.BrokenResourceError:
        return True
    return False


class Short(trio.abc.Listener[trio.SocketStream]):
    """Cannot accept, for these reasons and then for none."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = list(numbers)
        self.times: list[float] = []

    async def accept(self) -> trio.SocketStream:
        await trio.lowlevel.checkpoint()
        self.times.append(trio.current_time())
        if not self._numbers:
            await trio.sleep_forever()
        number = self._numbers.pop(0)
        raise OSError(number, os.strerror(number))

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_without_descriptors_it_breathes_and_goes_on(autojump_clock: trio.testing.MockClock):
    listener = Short(errno.EMFILE, errno.ECONNABORTED, errno.ENFILE, errno.ENOBUFS, errno.EPERM)
    house, start = House(), trio.current_time()
    with trio.move_on_after(10):
        await Reception(house.find, house.boundary).serve(listener)  # type: ignore[arg-type]  # not a real socket's
    breaths = [round((time - start) / BREATHER_SECONDS) for time in listener.times]
    assert breaths == [0, 1, 1, 2, 3, 3]


async def test_without_descriptors_it_says_so_but_seldom(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
):
    listener = Short(*[errno.EMFILE] * round(2.5 * COMPLAINT_SECONDS / BREATHER_SECONDS))
    house = House()
    with trio.move_on_after(60):
        await Reception(house.find, house.boundary).serve(listener)  # type: ignore[arg-type]  # not a real socket's
    assert len(listener.times) == 101
    assert (
        caplog.record_tuples
        == [("trio_torrent", logging.WARNING, "cannot take more connections now: Too many open files")] * 3
    )


async def test_without_descriptors_those_who_say_nothing_go(autojump_clock: trio.testing.MockClock):
    house = House()
    reception = Reception(house.find, house.boundary)
    async with trio.open_nursery() as nursery:
        theirs, ours = trio.testing.memory_stream_pair()
        nursery.start_soon(reception.receive, ours, Address("9.9.9.9", 1))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(reception.serve, Short(errno.EMFILE))  # type: ignore[arg-type]  # not a real socket's
        with trio.fail_after(1):
            assert await theirs.receive_some() == b""
        nursery.cancel_scope.cancel()


# -- ports -----------------------------------------------------------------------------------------------------------


async def test_ipv4_and_ipv6_share_one_port():
    async with open_house(interface=None) as house:
        assert {listener.socket.family for listener in house.listeners} == {socket.AF_INET, socket.AF_INET6}
        assert len({listener.socket.getsockname()[1] for listener in house.listeners}) == 1
        for host in (LOCALHOST, "::1"):
            async with await house.visit(host) as stream:
                await stream.send_all(bytes(THEIRS))
                guest = await house.guests.receive()
                assert guest.address.host == host
                await guest.stream.aclose()


async def test_where_we_would_reach_ourselves():
    async with open_house() as house:
        port = port_of(house.listeners)
        assert own_addresses(house.listeners) == {Address(LOCALHOST, port)}
    async with open_house(interface=None) as house:
        port = port_of(house.listeners)
        assert own_addresses(house.listeners) == {Address(LOCALHOST, port), Address("::1", port)}


async def test_an_ipv6_port_that_is_taken_leaves_ipv4():
    async with await open_ipv6() as taken:
        port = taken.socket.getsockname()[1]
        listeners = await open_listeners(port)
        assert [listener.socket.family for listener in listeners] == [socket.AF_INET]
        for listener in listeners:
            await listener.aclose()


async def open_ipv6() -> trio.SocketListener:
    (listener,) = await trio.open_tcp_listeners(0, host="::")
    return listener


async def test_a_port_that_is_taken():
    async with open_house() as house:
        with pytest.raises(OSError, match="in use") as error:
            await open_listeners(port_of(house.listeners), interface=LOCALHOST)
        assert error.value.errno == errno.EADDRINUSE


async def test_cancelled_in_between_nothing_stays_open(monkeypatch: pytest.MonkeyPatch):
    opened: list[trio.SocketListener] = []
    real = trio.open_tcp_listeners

    async def only_once(port: int, *, host: str, backlog: int) -> list[trio.SocketListener]:
        if opened:
            scope.cancel()
        opened.extend(listeners := await real(port, host=host, backlog=backlog))
        return listeners

    monkeypatch.setattr(trio, "open_tcp_listeners", only_once)
    with trio.CancelScope() as scope:
        await open_listeners(0)
    assert scope.cancelled_caught
    assert [listener.socket.fileno() for listener in opened] == [-1]
