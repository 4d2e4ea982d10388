"""The DHT of a client: whether there is one, where, and what it remembers. Real sockets, at loopback addresses."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from tests.net.test_dht import open_node, open_village
from tests.simnet import InlineWorkers
from trio_torrent import Address, Settings, open_client
from trio_torrent.client import dht as client_dht
from trio_torrent.client.dht import FILE, SAVE_SECONDS, Memory, open_dht
from trio_torrent.dht.endpoint import Family
from trio_torrent.dht.saved import load
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dht import Dht
from trio_torrent.net.udp import open_datagrams

HOST = "127.0.0.77"
LOCAL = Settings(port=0, interface=HOST, allow_local=True, dht_routers=())
TORRENT = b"h" * 20


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"dht": False}, False),
        ({"proxy": "socks5://127.0.0.1:1"}, False),
        ({"allow_local": False}, False),
        ({"allow_local": False, "dht_routers": [Address("127.0.0.1", 1)]}, True),
        ({"allow_local": False, "dht_routers": [Address("192.168.0.1", 1)]}, True),
        ({"allow_local": False, "dht_routers": [Address("router.example", 1)]}, False),
        ({"allow_local": False, "interface": "192.168.0.2"}, True),
        ({"allow_local": False, "interface": None}, True),
        ({"allow_local": False, "interface": "::1"}, False),
    ],
)
def test_where_there_is_one(changes, wanted):
    """Not beside a proxy; not at a loopback address, from where there is nobody to speak to."""
    assert client_dht._is_wanted(attrs.evolve(LOCAL, **changes)) is wanted


async def test_it_has_the_port_of_the_client():
    async with open_client(LOCAL) as client:
        assert client.dht is not None
        assert client.dht.port == client.port
        assert client.unexpected == 0


async def test_without_it_there_is_no_socket():
    async with open_client(attrs.evolve(LOCAL, dht=False)) as client:
        assert client.dht is None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, client.port))


async def test_where_the_port_is_taken_it_has_another():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        taken = other.getsockname()[1]
        async with open_client(attrs.evolve(LOCAL, port=taken)) as client:
            assert client.port == taken
            assert client.dht is not None
            assert client.dht.port not in (0, taken)


async def test_without_a_socket_the_client_works_all_the_same(monkeypatch, caplog):
    def refuse(port: int, *, interface: str | None) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(client_dht, "open_datagrams", refuse)
    async with open_client(LOCAL) as client:
        assert client.dht is None
    assert "there is no UDP port to be had (Too many open files)" in caplog.text


async def test_it_finds_peers_through_the_routers_of_the_settings():
    async with open_village(3) as places:
        await places[1].dht.announce(TORRENT, 7001)
        async with open_client(attrs.evolve(LOCAL, dht_routers=(str(places[0].address),))) as client:
            assert client.dht is not None
            async with client.dht.lookup(TORRENT) as finding:
                found = {peer async for batch in finding for peer in batch}
            assert finding.answered
        assert found == {Address("127.0.0.2", 7001)}
        assert client.unexpected == 0


async def test_it_remembers_whom_it_knew(tmp_path: Path):
    """A client that is given no way in at all finds the one that it had found before."""
    settings = attrs.evolve(LOCAL, state_folder=tmp_path / "state")
    async with open_node() as place:
        async with open_client(attrs.evolve(settings, dht_routers=(place.address,))) as client:
            assert client.dht is not None
            own = await met(client.dht)
        kept = load((tmp_path / "state" / FILE).read_bytes())[Family.IPV4]
        assert (kept.id, len(kept.contacts)) == (own, 1)
        async with open_client(settings) as client:
            assert client.dht is not None
            assert await met(client.dht) == own


async def met(dht: Dht) -> bytes:
    """It has somebody in its table; its id."""
    async with dht.lookup(TORRENT) as finding:
        async for _ in finding:
            pass
    node = dht.status.families[Family.IPV4]
    assert node.nodes
    return node.id


async def test_who_met_nobody_does_not_forget_those_before(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"what was known")
    async with open_client(attrs.evolve(LOCAL, state_folder=tmp_path)) as client:
        assert client.dht is not None
    assert (tmp_path / FILE).read_bytes() == b"what was known"


@pytest.mark.parametrize("content", [b"", b"garbage", b"d1:vi1e1:4d2:idi5eee", bytes(1 << 20)])
async def test_whatever_is_in_the_file_it_begins(tmp_path: Path, content: bytes):
    (tmp_path / FILE).write_bytes(content)
    async with open_client(attrs.evolve(LOCAL, state_folder=tmp_path)) as client:
        assert client.dht is not None
        assert client.dht.status.nodes == 0


async def test_it_is_saved_from_time_to_time(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    times: list[float] = []

    class Watched(Memory):
        def save(self, dht: Dht) -> None:
            times.append(trio.current_time())

    with open_datagrams(0, interface=HOST) as datagrams:
        dht = Dht(datagrams, Boundary(), routers=())
    async with trio.open_nursery() as nursery:
        start = trio.current_time()
        nursery.start_soon(Watched(tmp_path, InlineWorkers()).keep, dht)
        await trio.sleep(3 * SAVE_SECONDS + 1)
        nursery.cancel_scope.cancel()
    assert [time - start for time in times] == [SAVE_SECONDS, 2 * SAVE_SECONDS, 3 * SAVE_SECONDS]


async def test_a_disk_that_fails_is_told_to_the_log(tmp_path: Path, caplog):
    (tmp_path / "state").write_bytes(b"a file, and not a folder")
    async with open_node() as one, open_node("127.0.0.2", routers=(one.address,)) as place:
        await met(place.dht)
        with caplog.at_level(logging.WARNING):
            Memory(tmp_path / "state", InlineWorkers()).save(place.dht)
    assert "cannot save whom the DHT knows" in caplog.text


async def test_an_error_of_the_block_comes_out_and_nothing_is_left():
    boundary = Boundary()
    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError), flatten_subgroups=True):
        async with open_dht(LOCAL, 0, InlineWorkers(), boundary) as dht:
            assert dht is not None
            port = dht.port
            raise ZeroDivisionError
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, port))
    assert boundary.unexpected == 0
