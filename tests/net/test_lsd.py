"""The tasks of local service discovery, over sockets that only seem to be members of a group."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from trio_torrent.address import Address
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.lsd import discover, open_groups
from trio_torrent.swarm.lsd import Neighbourhood
from trio_torrent.wire.lsd import GROUP_IPV4, GROUP_IPV6, PORT, LocalAnnounce, decode_local, encode_local

ONE, TWO = b"1" * 20, b"2" * 20


class FakeGroup(socket.socket):
    """Remembers what is sent to the group; what is sent to its own address has come from it."""

    def __init__(self, family: socket.AddressFamily, *, broken: bool = False) -> None:
        super().__init__(family, socket.SOCK_DGRAM)
        self.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.setblocking(False)
        self.sent: list[tuple[bytes, Any]] = []
        self._broken = broken

    def sendto(self, data: Any, address: Any) -> int:  # type: ignore[override]  # as it is used
        if self._broken:
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

    def find(self, info_hash: bytes, address: Address) -> None:
        self.found.append((info_hash, address))
        self.changed.set()

    async def have_found(self, count: int) -> None:
        while len(self.found) < count:
            self.changed = trio.Event()
            await self.changed.wait()

    async def run(self) -> None:
        neighbourhood = Neighbourhood(6881, Random(1))
        await discover(self.groups, neighbourhood, lambda: self.torrents, self.find, self.boundary)


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
    assert open_groups(interface) == []


def test_where_there_is_no_such_interface_there_are_no_groups():
    assert open_groups("192.0.2.1") == []
