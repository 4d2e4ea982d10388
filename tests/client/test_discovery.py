"""Looking for peers in the DHT, in virtual time: when, by which names, and what comes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import attrs
import pytest
import trio
import trio.testing

from tests.fakedht import FakeDht, known_dht
from tests.fakepeer import FakePeer, handler
from tests.metainfo.making import make_torrent
from tests.payload import random_bytes, single, write
from tests.simnet import Host, Network, Node, join
from trio_torrent.address import Address
from trio_torrent.client.discovery import Discovery
from trio_torrent.client.finder import Standing
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.dht.rounds import FEW_FIRST, FEW_MOST, REGULAR
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.boundary import Boundary
from trio_torrent.wire import messages as wire
from trio_torrent.wire.handshake import Handshake

NAME, OTHER = b"n" * 20, b"o" * 20
ONE, TWO, THREE = (Address("10.0.1.1", 1), Address("10.0.1.2", 2), Address("10.0.1.3", 3))
PORT = 6881
PAYLOAD = random_bytes(5 * 32768 + 1000)
METAINFO = single(PAYLOAD)
US = Address("10.0.0.1", PORT)


HUNGRY, CONTENT, COMPLETE = Standing(seed=False, few=True), Standing(seed=False, few=False), Standing(True, False)


@attrs.define(eq=False)
class Bench:
    """A discovery, and what it has found."""

    dht: FakeDht
    names: tuple[bytes, ...] = (NAME,)
    standing: Standing = HUNGRY
    found: list[tuple[tuple[Address, ...], str]] = attrs.field(factory=list)
    boundary: Boundary = attrs.field(factory=Boundary)
    discovery: Discovery = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        async def found(addresses: Sequence[Address], source: str) -> None:
            await trio.lowlevel.checkpoint()
            self.found.append((tuple(addresses), source))

        self.discovery = Discovery(
            self.dht,
            names=lambda: self.names,
            port=PORT,
            standing=lambda: self.standing,
            found=found,
            random=Random(1),
            boundary=self.boundary,
        )

    @property
    def times(self) -> list[float]:
        return [asked.at for asked in self.dht.asked]


@asynccontextmanager
async def looking(bench: Bench) -> AsyncIterator[float]:
    """Its task is running since."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.discovery.run)
        yield trio.current_time()
        nursery.cancel_scope.cancel()


async def test_it_looks_and_announces_at_once(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(batches=((ONE, TWO), (THREE,))), names=(NAME, OTHER))
    async with looking(bench) as start:
        await trio.sleep(1.5)
        asked = sorted((asked.at - start, asked.name, asked.port or 0) for asked in bench.dht.asked)
        assert asked == [(0, NAME, PORT), (0, OTHER, PORT)]
        assert bench.found == [((ONE, TWO), "dht")] * 2, "as they come, not at the end"
        assert bench.discovery.status.state == "looking for peers"
        await trio.sleep(5)
        status = bench.discovery.status
    assert (status.state, status.peers, status.nodes, status.announced_to) == ("working", 6, 16, 16)
    assert bench.boundary.unexpected == 0


async def test_it_looks_again_soon_while_peers_are_few(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(pause=0))
    async with looking(bench) as start:
        await trio.sleep(3600)
    assert bench.times[0] == start
    assert bench.times[1] - start == pytest.approx(FEW_FIRST, rel=0.1)
    assert 3600 / FEW_MOST * 0.9 < len(bench.times) < 3600 / FEW_MOST * 1.1 + 3


async def test_it_looks_again_seldom_when_there_are_enough(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(pause=0), standing=CONTENT)
    async with looking(bench) as start:
        await trio.sleep(2 * 3600)
    assert len(bench.times) == pytest.approx(2 * 3600 / REGULAR, abs=1.5)
    assert bench.times[1] - start == pytest.approx(REGULAR, rel=0.1)


async def test_peers_that_leave_are_noticed(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(pause=0), standing=CONTENT)
    async with looking(bench) as start:
        await trio.sleep(200)
        bench.standing = HUNGRY
        await trio.sleep(60)
    assert [time - start < 240 for time in bench.times] == [True, True]


async def test_a_wish_is_granted_within_a_minute(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(pause=0), standing=CONTENT)
    async with looking(bench) as start:
        for _ in range(1000):
            await trio.sleep(0.1)
            bench.discovery.look_now()
    assert [round((time - start) / FEW_FIRST) for time in bench.times] == [0, 1]


async def test_who_has_everything_says_so_and_asks_for_others(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(), standing=COMPLETE)
    async with looking(bench):
        await trio.sleep(1)
    (asked,) = bench.dht.asked
    assert (asked.seed, asked.noseed) == (True, True)


async def test_what_turns_out_to_be_private_is_not_asked_for_again(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(pause=0))
    async with looking(bench):
        await trio.sleep(1)
        bench.names = ()
        await trio.sleep(3600)
    assert len(bench.dht.asked) == 1


async def test_it_waits_until_there_is_somebody_to_ask(autojump_clock: trio.testing.MockClock):
    bench = Bench(FakeDht(batches=((ONE,),)))
    async with looking(bench):
        await trio.sleep(600)
        assert bench.discovery.status.state == "waiting for the first node"
        assert len(bench.dht.asked) == 1
        bench.dht.known.set()
        await trio.sleep(1.1)
        assert bench.found == [((ONE,), "dht")]


async def test_it_ends_in_the_midst_of_a_lookup(autojump_clock: trio.testing.MockClock):
    bench = Bench(known_dht(batches=((ONE,),), pause=100))
    async with looking(bench) as start:
        await trio.sleep(1)
        assert bench.dht.under_way == 1
    assert (bench.dht.under_way, trio.current_time() - start) == (0, 1)
    assert bench.discovery.status.state == "not looking"


async def test_a_bug_in_one_lookup_is_counted_and_not_the_end(autojump_clock: trio.testing.MockClock, caplog):
    bench = Bench(known_dht(broken=True))
    async with looking(bench):
        await trio.sleep(1)
        bench.dht.broken = False
        await trio.sleep(FEW_FIRST)
        assert bench.discovery.status.state == "working"
    assert bench.boundary.unexpected == 1
    assert "a lookup in the DHT" in caplog.text


# -- in a torrent ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def torrent(
    tmp_path: Path, dht: FakeDht, source: Metainfo | Magnet = METAINFO, *, seed: Metainfo | None = None
) -> AsyncIterator[tuple[Node, Network]]:
    """Ours, and perhaps another at ONE that has all of it."""
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        if seed is not None:
            whole = write(tmp_path / "seed", {seed.name: PAYLOAD})
            join(network, nursery, Host(ONE), seed, whole)
        yield join(network, nursery, Host(US), source, tmp_path / "get", dht=dht), network
        nursery.cancel_scope.cancel()


async def honest(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await peer.wait_for(wire.Interested)
    await peer.serve()


async def test_a_torrent_is_downloaded_from_whom_the_dht_names(tmp_path, autojump_clock: trio.testing.MockClock):
    dht = known_dht(batches=((ONE,),), pause=0.1)
    async with torrent(tmp_path, dht) as (node, network):
        network.listen(Host(ONE), handler(METAINFO, PAYLOAD, honest))
        with trio.fail_after(2):
            await node.torrent.wait_complete()
        assert dht.asked[0].name == METAINFO.info_hashes.wire
        assert dht.asked[0].port == PORT
        await trio.sleep(1.5 * REGULAR)
        assert dht.asked[-1].seed
        assert node.torrent.status.dht is not None
        await node.torrent.stop()
        asked = len(dht.asked)
        await trio.sleep(2 * REGULAR)
    assert len(dht.asked) == asked
    assert node.boundary.unexpected == 0


async def test_a_private_torrent_and_the_dht_do_not_know_each_other(tmp_path, autojump_clock: trio.testing.MockClock):
    private = Metainfo.from_bytes(make_torrent("x", {(): PAYLOAD}, private=True, nodes=[THREE]))
    assert private.nodes == (THREE,)
    assert private.private
    dht = known_dht(batches=((ONE,),))
    seen: list[Handshake] = []
    said: list[wire.Message] = []

    async def watchful(peer: FakePeer) -> None:
        assert peer.theirs is not None
        seen.append(peer.theirs)
        await peer.say(wire.Port(7000))
        async for message in peer:
            said.append(message)

    async with torrent(tmp_path, dht, private) as (node, network):
        network.listen(Host(TWO), handler(private, b"", watchful, dht=True))
        node.torrent.add_peers([TWO])
        node.torrent.reannounce()
        await trio.sleep(100)
        assert node.torrent.status.dht is None
    assert dht.asked == []
    assert dht.told == {}
    assert not seen[0].dht
    assert not [message for message in said if isinstance(message, wire.Port)]


async def test_a_link_is_enough(tmp_path, autojump_clock: trio.testing.MockClock):
    """Nobody is named in it, and nobody knows yet what there is."""
    metainfo = Metainfo.from_bytes(make_torrent("x", {(): PAYLOAD}, "1"))
    dht = known_dht(batches=((ONE,),), pause=0.1)
    async with torrent(tmp_path, dht, metainfo.magnet, seed=metainfo) as (node, _):
        with trio.fail_after(5):
            await node.torrent.wait_complete()
        await trio.sleep(2 * REGULAR)
    assert [asked.name for asked in dht.asked[:2]] == [metainfo.info_hashes.wire] * 2
    assert dht.asked[-1].seed
    assert node.boundary.unexpected == 0


async def test_a_link_to_a_hybrid_leads_to_both_of_its_names(tmp_path, autojump_clock: trio.testing.MockClock):
    metainfo = Metainfo.from_bytes(make_torrent("x", {(): PAYLOAD}))
    link = attrs.evolve(metainfo.magnet, info_hashes=InfoHashes(v1=metainfo.info_hashes.v1))
    dht = known_dht(batches=((ONE,),), pause=0.1)
    async with torrent(tmp_path, dht, link, seed=metainfo) as (node, _):
        with trio.fail_after(5):
            await node.torrent.wait_complete()
        await trio.sleep(2 * REGULAR)
    assert dht.asked[0].name == metainfo.info_hashes.wire
    assert {asked.name for asked in dht.asked[1:]} == set(metainfo.info_hashes.all_wire)


class Indiscreet(Metainfo):
    """A private torrent whose owner tells everybody what there is, as ours would not."""

    @property
    def private(self) -> bool:
        return False


async def test_a_link_that_leads_to_a_private_torrent(tmp_path, autojump_clock: trio.testing.MockClock):
    """The DHT is not asked again, nor believed in what it says yet, and whom it has named is dialled no more."""
    metainfo = Indiscreet.from_bytes(make_torrent("x", {(): PAYLOAD}, "1", private=True))
    dht = known_dht(batches=((ONE,), *((TWO,) for _ in range(100))), pause=0.5)
    async with torrent(tmp_path, dht, metainfo.magnet, seed=metainfo) as (node, network):
        with trio.fail_after(5):
            await node.torrent.wait_metadata()
        assert len(dht.asked) == 1
        before = len(network.dialled)
        await trio.sleep(2 * REGULAR)
        assert node.torrent.status.dht is None
    assert len(dht.asked) == 1
    assert not {ONE, TWO} & {address for _, address in network.dialled[before:]}


@pytest.mark.parametrize("speaks", [True, False])
async def test_peers_tell_each_other_where_their_nodes_are(tmp_path, autojump_clock: trio.testing.MockClock, speaks):
    """Ours is told to who has said that it has one; theirs is taken from anybody, once a connection."""
    dht = known_dht(pause=0)
    peers: list[FakePeer] = []

    async def talkative(peer: FakePeer) -> None:
        peers.append(peer)
        await peer.say(wire.Port(0), *(wire.Port(port) for port in range(8000, 9000)))
        async for _ in peer:
            pass

    metainfo = Metainfo.from_bytes(make_torrent("x", {(): PAYLOAD}, nodes=[THREE]))
    async with torrent(tmp_path, dht, metainfo) as (node, network):
        network.listen(Host(TWO), handler(metainfo, b"", talkative, dht=speaks))
        node.torrent.add_peers([TWO])
        await trio.sleep(10)
    (peer,) = peers
    assert peer.theirs is not None
    assert peer.theirs.dht
    assert [message for message in peer.heard if isinstance(message, wire.Port)] == [wire.Port(dht.port)] * speaks
    assert dht.told == {THREE: 1, Address(TWO.host, 8000): 1}


async def test_who_knows_nobody_hears_what_the_dht_is_doing(tmp_path, autojump_clock: trio.testing.MockClock):
    dht = FakeDht()
    async with torrent(tmp_path, dht) as (node, _):
        await trio.sleep(3)
        assert node.torrent.status.reason == "no peers known (DHT: waiting for the first node)"
        dht.known.set()
        await trio.sleep(0.5)
        assert node.torrent.status.reason == "no peers known (DHT: looking for peers)"
        await trio.sleep(5)
        reason = node.torrent.status.reason
    assert reason is not None
    assert reason.startswith("no peers known (DHT: working: 8 nodes answered, next lookup in ")


async def test_a_hybrid_is_looked_for_by_both_names(tmp_path, autojump_clock: trio.testing.MockClock):
    dht = known_dht()
    metainfo = Metainfo.from_bytes(make_torrent("x", {(): PAYLOAD}))
    async with torrent(tmp_path, dht, metainfo):
        await trio.sleep(1)
    assert sorted(asked.name for asked in dht.asked) == sorted(metainfo.info_hashes.all_wire)
    assert len(dht.asked) == 2


async def test_asking_for_peers_asks_the_dht(tmp_path, autojump_clock: trio.testing.MockClock):
    dht = known_dht(pause=0)
    async with torrent(tmp_path, dht) as (node, _):
        await trio.sleep(400)  # past the first haste
        before = len(dht.asked)
        node.torrent.reannounce()
        await trio.sleep(FEW_FIRST * 1.2)
        assert len(dht.asked) == before + 1
