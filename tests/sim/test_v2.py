"""BitTorrent v2 in virtual time: torrents of ours and scripted peers, honest and not (BEP 52)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from tests.fakepeer import FakePeer, Script, handler
from tests.metainfo.making import make_torrent
from tests.payload import random_bytes, write
from tests.simnet import Host, Network, Node, join, told
from trio_torrent.address import Address
from trio_torrent.client.events import PeerGone, TorrentEvent
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.perform import LEAF_RATE
from trio_torrent.disk.files import Files
from trio_torrent.disk.hashes import HashReader
from trio_torrent.metainfo.infohash import Version
from trio_torrent.wire import messages as wire

KiB = 1 << 10
US = Address("10.0.0.1", 6881)
PAYLOAD = random_bytes(40 * 64 * KiB + 1000)
METAINFO = Metainfo.from_bytes(make_torrent("payload.bin", {(): PAYLOAD}, "2", 64 * KiB))
SHARED = Metainfo.from_bytes(make_torrent("payload.bin", {(): PAYLOAD}, "2", 1024 * KiB))
"""Its pieces are so large that each comes from several peers."""
BARE = Metainfo.from_info(METAINFO.info_bytes)


def address(number: int) -> Address:
    return Address(f"10.0.1.{number}", 6881)


@attrs.frozen(eq=False)
class Meeting:
    """Our torrent, and what it told."""

    node: Node
    network: Network
    folder: Path
    events: list[TorrentEvent]

    def gone(self, reason: str) -> list[str]:
        """Who was dropped for this reason."""
        return [event.address for event in self.events if isinstance(event, PeerGone) and event.reason == reason]

    async def complete(self, seconds: float) -> None:
        """The download completes within so much virtual time, to the right bytes."""
        with trio.fail_after(seconds):
            await self.node.torrent.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
        assert (self.folder / "payload.bin").read_bytes() == PAYLOAD


@asynccontextmanager
async def meeting(folder: Path, metainfo: Metainfo, *scripts: Script) -> AsyncIterator[Meeting]:
    """Our torrent, and a v2 peer for each script. Afterwards nothing unexpected has happened."""
    theirs = METAINFO if metainfo is BARE else metainfo
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        for number, script in enumerate(scripts):
            name = f"-FAKE{number:02}-".encode()
            # Each has a line of its own, so that the pieces come from all of them.
            network.listen(Host(address(number), up=1e6), handler(theirs, PAYLOAD, script, name=name, v2=True))
        peers = [address(number) for number in range(len(scripts))]
        node = join(network, nursery, Host(US), metainfo, folder, peers=peers)
        events = await told(nursery, node)
        yield Meeting(node, network, folder, events)
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


# -- scripts ---------------------------------------------------------------------------------------------------------

Block = Callable[[FakePeer, wire.Request], wire.Piece]
Part = Callable[[wire.HashRequest], wire.Message | None]


@pytest.fixture
def true_part(tmp_path: Path) -> Part:
    """The right answer to a request for hashes, whatever the length of the pieces: it is one tree."""
    source = write(tmp_path / "source", {"payload.bin": PAYLOAD})
    reader, trees = HashReader(METAINFO, Files(source, METAINFO.layout)), METAINFO.trees
    return lambda request: reader.read(request, trees.of(request.root)[0])


def no_part(request: wire.HashRequest) -> wire.Message:
    return wire.HashReject(request)


def true_block(peer: FakePeer, request: wire.Request) -> wire.Piece:
    return peer.block(request)


@attrs.define
class Lies:
    """Wrong blocks, so many of them; then right ones."""

    left: int

    def __call__(self, peer: FakePeer, request: wire.Request) -> wire.Piece:
        if not self.left:
            return peer.block(request)
        self.left -= 1
        return wire.Piece(request.piece, request.offset, bytes(request.length))


def talker(part: Part, block: Block = true_block) -> Script:
    """A seed that answers what it is asked."""

    async def talk(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        async for message in peer:
            if isinstance(message, wire.Request):
                await peer.say(block(peer, message))
            elif isinstance(message, wire.HashRequest) and (answer := part(message)) is not None:
                await peer.say(answer)

    return talk


# -- wrong blocks ----------------------------------------------------------------------------------------------------


async def test_who_sent_a_wrong_block_is_convicted_by_the_leaves(
    tmp_path: Path, true_part: Part, autojump_clock: trio.testing.MockClock
):
    """Nobody else is; of one block that was wrong the leaves tell, and its piece is fetched once more."""
    told: list[wire.HashRequest] = []

    def tell(request: wire.HashRequest) -> wire.Message | None:
        told.append(request)
        return true_part(request)

    lies = Lies(1)
    scripts = [talker(tell), talker(tell), talker(tell, lies), talker(tell)]
    async with meeting(tmp_path, SHARED, *scripts) as swarm:
        await swarm.complete(60)
        assert lies.left == 0
        assert swarm.gone("sent a wrong block") == [str(address(2))]
        assert [(request.base, request.length) for request in told] == [(0, 64)]
        assert swarm.node.torrent.status.wasted < 1536 * KiB  # the piece, and what the end brought twice


async def test_where_nobody_tells_the_leaves_the_liar_is_found_all_the_same(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    honest = talker(no_part)
    lies = Lies(1)
    async with meeting(tmp_path, SHARED, honest, honest, talker(no_part, lies), honest) as swarm:
        await swarm.complete(120)
        assert lies.left == 0
        assert swarm.gone("sent a wrong block") == [str(address(2))]


# -- layers ----------------------------------------------------------------------------------------------------------


async def test_a_torrent_without_layers_has_them_from_peers(
    tmp_path: Path, true_part: Part, autojump_clock: trio.testing.MockClock
):
    async with meeting(tmp_path, BARE, talker(true_part)) as swarm:
        await swarm.complete(20)
        assert swarm.node.torrent.metainfo is not None
        assert swarm.node.torrent.metainfo.missing_layers == ()
        assert swarm.node.torrent.metainfo.piece_layers == METAINFO.piece_layers
        assert swarm.node.torrent.status.wasted == 0


async def test_liars_are_dropped_and_others_asked(
    tmp_path: Path, true_part: Part, autojump_clock: trio.testing.MockClock
):
    """One sends wrong hashes, one refuses, one stays silent; they come in this order, and the fourth comes last."""

    def wrong_part(request: wire.HashRequest) -> wire.Message:
        answer = true_part(request)
        assert isinstance(answer, wire.Hashes)
        return wire.Hashes(request, bytes(32) + answer.digests[32:])

    def late(seconds: float, part: Part) -> Script:
        async def wait_and_talk(peer: FakePeer) -> None:
            await trio.sleep(seconds)
            await talker(part)(peer)

        return wait_and_talk

    scripts = [talker(wrong_part), late(1, no_part), late(2, lambda request: None), late(5, true_part)]
    async with meeting(tmp_path, BARE, *scripts) as swarm:
        await swarm.complete(90)
        assert swarm.gone("sent wrong hashes") == [str(address(0))]
        assert swarm.gone("sent a wrong block") == []


async def test_without_layers_nothing_is_asked_for_and_nothing_had(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    async with meeting(tmp_path, BARE, talker(no_part)) as swarm:
        await trio.sleep(300)
        assert swarm.node.torrent.status.downloaded == 0
        assert swarm.node.torrent.status.pieces_done == 0
        assert swarm.node.torrent.status.peers == 1


async def test_what_is_there_already_is_compared_when_the_layers_have_come(
    tmp_path: Path, true_part: Part, autojump_clock: trio.testing.MockClock
):
    """A piece is wrong, another is missing; the others are not fetched."""
    wrong, missing = 3 * 64 * KiB, 30 * 64 * KiB
    there = bytearray(PAYLOAD)
    there[wrong] ^= 1
    there[missing : missing + 64 * KiB] = bytes(64 * KiB)
    write(tmp_path, {"payload.bin": bytes(there)})
    async with meeting(tmp_path, BARE, talker(true_part)) as swarm:
        await swarm.complete(20)
        assert swarm.node.torrent.status.downloaded == 2 * 64 * KiB


# -- what strangers ask for ------------------------------------------------------------------------------------------


async def test_layers_are_told_at_once_and_leaves_at_a_pace(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """Leaves cost reading and hashing; whoever wants many waits."""
    seed = write(tmp_path / "seed", {"payload.bin": PAYLOAD})
    (tree,) = METAINFO.trees
    layer = wire.HashRequest(tree.root, tree.piece_height, 0, 64, 0)
    leaves = [wire.HashRequest(tree.root, 0, 4 * piece, 4, tree.height - 1) for piece in range(32)]
    took: list[float] = []

    async def curious(peer: FakePeer) -> None:
        for requests in [layer], leaves, [wire.HashRequest(tree.root, 0, 0, 2048, 0)]:
            start = trio.current_time()
            await peer.say(*requests)
            for request in requests:
                async for message in peer:
                    if isinstance(message, wire.Hashes | wire.HashReject):
                        assert message.request == request
                        break
            took.append(trio.current_time() - start)
        assert isinstance(message, wire.HashReject)  # more than is read for anybody at once

    async with meeting(seed, METAINFO, curious):
        await trio.sleep(5)
    assert took[0] < 0.05
    assert took[1] > 32 * 64 * KiB / LEAF_RATE
    assert took[2] < 0.05


# -- names -----------------------------------------------------------------------------------------------------------

HYBRID = Metainfo.from_bytes(make_torrent("payload.bin", {(): PAYLOAD}, "hybrid", 64 * KiB))


@pytest.mark.parametrize("v2", [False, True])
async def test_a_hybrid_talks_to_both_kinds(tmp_path: Path, v2: bool, autojump_clock: trio.testing.MockClock):
    """We dial by the v1 name; who answers by the v2 one is asked for hashes."""
    asked: list[wire.HashRequest] = []

    def note(request: wire.HashRequest) -> None:
        asked.append(request)

    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        network.listen(Host(address(1)), handler(HYBRID, PAYLOAD, talker(note), v2=v2))
        bare = Metainfo.from_info(HYBRID.info_bytes)
        node = join(network, nursery, Host(US), bare, tmp_path, peers=[address(1)])
        with trio.fail_after(10):
            await node.torrent.wait_complete()
        assert bool(asked) is v2
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


async def test_who_does_not_know_the_v1_name_is_dialled_by_the_other(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        serve = handler(HYBRID, PAYLOAD, talker(no_part), v2=True)
        dials = 0

        async def strict(stream: trio.abc.Stream, address: Address) -> None:
            nonlocal dials
            dials += 1
            if dials == 1:
                await stream.aclose()
            else:
                await serve(stream, address)

        network.listen(Host(address(1)), strict)
        node = join(network, nursery, Host(US), HYBRID, tmp_path, peers=[address(1)])
        with trio.fail_after(10):
            await node.torrent.wait_complete()
        nursery.cancel_scope.cancel()
    assert dials == 2


# -- ours among ourselves --------------------------------------------------------------------------------------------

EDGES: Mapping[tuple[str, ...], bytes] = {
    ("a",): random_bytes(3 * 32 * KiB + 1, 1),
    ("b one",): b"1",
    ("c empty",): b"",
    ("d piece",): random_bytes(32 * KiB, 2),
    ("e block",): random_bytes(16 * KiB, 3),
    ("f",): random_bytes(2 * 32 * KiB - 1, 4),
    ("g",): random_bytes(32 * KiB + 16 * KiB, 5),
    ("h twin",): random_bytes(3 * 32 * KiB + 1, 1),
}


@pytest.mark.parametrize("layers", [True, False], ids=["with layers", "without"])
@pytest.mark.parametrize("version", ["2", "hybrid"])
async def test_files_of_every_shape(
    tmp_path: Path, version: Version, layers: bool, autojump_clock: trio.testing.MockClock
):
    """In a hybrid the padding behind each file is not asked for."""
    metainfo = Metainfo.from_bytes(make_torrent("folder", EDGES, version, 32 * KiB))
    files = {f"folder/{path[0]}": data for path, data in EDGES.items()}
    async with trio.open_nursery() as nursery:
        network, there = Network(nursery), address(1)
        seed = join(network, nursery, Host(there), metainfo, write(tmp_path / "seed", files))
        source = metainfo if layers else Metainfo.from_info(metainfo.info_bytes)
        node = join(network, nursery, Host(US), source, tmp_path / "out", peers=[there])
        with trio.fail_after(20):
            await node.torrent.wait_complete()
        assert {path: (tmp_path / "out" / path).read_bytes() for path in files} == files
        blocks = sum(-(-len(data) // (16 * KiB)) for data in EDGES.values())
        assert node.torrent.status.downloaded <= blocks * 16 * KiB
        nursery.cancel_scope.cancel()
    assert seed.boundary.unexpected == node.boundary.unexpected == 0
