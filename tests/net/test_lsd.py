"""The tasks of local service discovery, over sockets that only seem to be members of a group."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from trio_torrent.address import Address
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.lsd import ENTER_AGAIN_SECONDS, Enter, discover, entrances
from trio_torrent.swarm.lsd import APART_SECONDS, Neighbourhood
from trio_torrent.wire.lsd import GROUP_IPV4, GROUP_IPV6, PORT, LocalAnnounce, decode_local, encode_local

ONE, TWO = b"1" * 20, b"2" * 20


class FakeGroup(socket.socket):
    """Remembers what is sent to the group; what is sent to its own address has come from it."""

    def __init__(self, family: socket.AddressFamily, *, broken: bool = False) -> None:
        super().__init__(family, socket.SOCK_DGRAM)
        self.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.setblocking(False)
        self.sent: list[tuple[bytes, Any]] = []
        self.broken = broken

    def sendto(self, data: Any, address: Any) -> int:  # type: ignore[override]  # as it is used
        if self.broken:
            raise OSError("network unreachable")
        self.sent.append((data, address))
        return len(data)

    def comes(self, datagram: bytes) -> None:
        with socket.socket(self.family, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, self.getsockname())


@attrs.define(eq=False)
class Bench:
    """Discovery that is running."""

    groups: list[FakeGroup]
    torrents: list[bytes] = attrs.field(factory=lambda: [ONE])
    found: list[tuple[bytes, Address]] = attrs.field(factory=list)
    boundary: Boundary = attrs.field(factory=Boundary)
    changed: trio.Event = attrs.field(factory=trio.Event)
    tries: int = 0
    locked: bool = False

    def find(self, info_hash: bytes, address: Address) -> None:
        self.found.append((info_hash, address))
        self.changed.set()

    async def have_found(self, count: int) -> None:
        while len(self.found) < count:
            self.changed = trio.Event()
            await self.changed.wait()

    async def run(self) -> None:
        neighbourhood = Neighbourhood(6881, Random(1))
        ways: list[Enter] = [partial(self.enter, group) for group in self.groups]
        await discover(ways, neighbourhood, lambda: self.torrents, self.find, self.boundary)

    def enter(self, group: FakeGroup) -> socket.socket:
        self.tries += 1
        if self.locked and group is self.groups[0]:
            raise OSError("no such device")
        return group


@pytest.fixture
def groups() -> Iterator[list[FakeGroup]]:
    members = [FakeGroup(socket.AF_INET), FakeGroup(socket.AF_INET6)]
    yield members
    for member in members:
        member.close()


async def test_both_groups_are_told(groups: list[FakeGroup], nursery: trio.Nursery):
    nursery.start_soon(Bench(groups).run)
    await trio.testing.wait_all_tasks_blocked()
    addresses = [address for group in groups for _, address in group.sent]
    assert addresses == [(GROUP_IPV4, PORT), (GROUP_IPV6, PORT)]
    assert {decode_local(said).info_hashes for group in groups for said, _ in group.sent} == {(ONE,)}


async def test_no_network_is_no_catastrophe(groups: list[FakeGroup], nursery: trio.Nursery):
    bench = Bench([FakeGroup(socket.AF_INET, broken=True), groups[1]])
    nursery.start_soon(bench.run)
    await trio.testing.wait_all_tasks_blocked()
    assert len(groups[1].sent) == 1
    assert bench.boundary.unexpected == 0


async def test_a_group_that_could_not_be_entered_is_tried_again(
    groups: list[FakeGroup], nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
):
    """A laptop's network comes up after its programs."""
    bench = Bench(groups, locked=True)
    nursery.start_soon(bench.run)
    await trio.sleep(ENTER_AGAIN_SECONDS / 2)
    assert (bench.tries, len(groups[0].sent), len(groups[1].sent)) == (2, 0, 1)
    bench.locked = False
    bench.torrents.append(TWO)
    await trio.sleep(ENTER_AGAIN_SECONDS)
    assert [decode_local(said).info_hashes for said, _ in groups[0].sent] == [(TWO,)]
    await trio.sleep(5 * ENTER_AGAIN_SECONDS)
    assert bench.tries == 3


async def test_nothing_counts_as_said_before_there_is_a_group(
    groups: list[FakeGroup], nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
):
    bench = Bench(groups[:1], locked=True)
    nursery.start_soon(bench.run)
    await trio.sleep(1.5)
    bench.locked = False
    await trio.sleep(ENTER_AGAIN_SECONDS)
    assert len(groups[0].sent) == 1


@pytest.mark.parametrize(("broken", "again"), [([True, True], 1), ([True, False], 0)])
async def test_what_went_nowhere_is_said_again(
    broken: list[bool],
    again: int,
    groups: list[FakeGroup],
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
):
    """If it reached one group, the other may have no way out at all: that would not be heard once a minute."""
    for group, is_broken in zip(groups, broken, strict=True):
        group.broken = is_broken
    nursery.start_soon(Bench(groups).run)
    await trio.sleep(1.5)
    groups[0].broken = groups[1].broken = False
    await trio.sleep(APART_SECONDS)
    assert len(groups[0].sent) == again
    assert len(groups[1].sent) == 1


async def test_neighbours_are_heard(groups: list[FakeGroup], nursery: trio.Nursery):
    bench = Bench(groups)
    nursery.start_soon(bench.run)
    groups[0].comes(b"rubbish")
    groups[0].comes(bytes(5000))
    groups[0].comes(encode_local(LocalAnnounce(7000, (ONE, TWO), "theirs"), ipv6=False))
    groups[1].comes(encode_local(LocalAnnounce(7001, (ONE,)), ipv6=True))
    with trio.fail_after(5):
        await bench.have_found(3)
    assert sorted(bench.found) == [
        (ONE, Address("127.0.0.1", 7000)),
        (ONE, Address("::1", 7001)),
        (TWO, Address("127.0.0.1", 7000)),
    ]
    assert bench.boundary.unexpected == 0


async def test_it_closes_its_sockets(groups: list[FakeGroup]):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Bench(groups).run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [group.fileno() for group in groups] == [-1, -1]


@pytest.mark.parametrize("interface", ["127.0.0.1", "127.0.0.5", "::1"])
def test_there_are_no_neighbours_on_the_loopback_interface(interface: str):
    assert entrances(interface) == []


def test_where_there_is_no_such_interface_there_is_no_way():
    (enter,) = entrances("192.0.2.1")
    with pytest.raises(OSError, match="No such device"):
        enter()
