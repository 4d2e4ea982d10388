"""From a link to the whole content in virtual time, among peers of all kinds; and peers who hear of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha1
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from tests.fakepeer import FakePeer
from tests.payload import random_bytes, single, write
from tests.simnet import Handler, Host, Network, Node, join, told
from trio_torrent.address import Address
from trio_torrent.bencode import Value, decode, encode
from trio_torrent.client.events import Checked, MetadataDone, PeerGone, TorrentEvent
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.errors import MetainfoError, StoppedError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.swarm.extensions import METADATA
from trio_torrent.swarm.stall import Stall
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import ExtendedHandshake, decode_extended, encode_extended
from trio_torrent.wire.handshake import EXTENDED, Handshake
from trio_torrent.wire.ut_metadata import (
    METADATA_PIECE,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    decode_metadata,
    encode_metadata,
    metadata_pieces,
)

PAYLOAD = random_bytes(3 * 32768 + 77)


def with_more(metainfo: Metainfo, more: Mapping[bytes, Value]) -> Metainfo:
    """The torrent with more in its info dictionary."""
    info = decode(metainfo.info_bytes, max_depth=10)
    assert isinstance(info, dict)
    return Metainfo.from_bytes(encode({b"info": {**info, **more}}))


METAINFO = with_more(single(PAYLOAD), {b"x": random_bytes(4 * METADATA_PIECE)})  # five pieces of info dictionary
INFO = METAINFO.info_bytes
US = Address("10.0.0.1", 6881)
THEIRS = 3  # their number for metadata


def address(number: int) -> Address:
    return Address(f"10.0.{1 + number // 250}.{1 + number % 250}", 6881)


# -- scripted peers --------------------------------------------------------------------------------------------------

Script = Callable[[FakePeer], Awaitable[None]]
Answer = Callable[[int], MetadataData | MetadataReject | None]


def piece_of(info: bytes, piece: int) -> MetadataData:
    return MetadataData(piece, len(info), info[piece * METADATA_PIECE : (piece + 1) * METADATA_PIECE])


def giver(answer: Answer, *, size: int = len(INFO), delay: float = 0.0, everything: bool = True) -> Script:
    """Says that it has an info dictionary of this size, and answers; None is no answer. Serves pieces, too."""

    async def script(peer: FakePeer) -> None:
        ours = ExtendedHandshake(extensions={"ut_metadata": THEIRS}, metadata_size=size)
        await peer.say(encode_extended(ours))
        if everything:
            await peer.say_all_pieces()
            await peer.say(wire.Unchoke())
        async for message in peer:
            match message:
                case wire.Request():
                    await peer.say(peer.block(message))
                case wire.Extended(number, payload) if number == THEIRS:
                    request = decode_metadata(payload)
                    assert isinstance(request, MetadataRequest)
                    await trio.sleep(delay)
                    if (said := answer(request.piece)) is not None:
                        await peer.say(wire.Extended(METADATA, encode_metadata(said)))
                case _:
                    pass

    return script


honest = giver(lambda piece: piece_of(INFO, piece))
slow = giver(lambda piece: piece_of(INFO, piece), delay=0.2)


def lies_a_little(piece: int) -> MetadataData:
    right = piece_of(INFO, piece)
    return right if piece else attrs.evolve(right, data=bytes(len(right.data)))


LIARS = {
    "wrong hash": giver(lambda piece: piece_of(bytes(len(INFO)), piece), everything=False),
    "one wrong piece": giver(lies_a_little, everything=False),
    "wrong size, kept": giver(lambda piece: piece_of(bytes(50_000), piece), size=50_000, everything=False),
    "wrong size, not kept": giver(lambda piece: piece_of(INFO, piece), size=len(INFO) + 1, everything=False),
    "contradicts itself": giver(lambda piece: piece_of(INFO + b"x", piece), everything=False),
    "endless reject": giver(MetadataReject, everything=False),
    "silent": giver(lambda piece: None, everything=False),
    "drip": giver(lambda piece: piece_of(bytes(len(INFO)), piece), delay=2.5, everything=False),
}


@asynccontextmanager
async def swarm(
    tmp_path: Path, *scripts: Script, source: Magnet | None = None, metainfo: Metainfo = METAINFO
) -> AsyncIterator[tuple[Node, list[TorrentEvent]]]:
    """A torrent of ours that begins as a link, and a peer for each script. Nothing unexpected happens."""

    def handler(script: Script, number: int) -> Handler:
        async def handle(stream: trio.abc.Stream, _: Address) -> None:
            async with stream:
                name = f"-FAKE{number:03}-".encode()
                peer = FakePeer(stream, metainfo, PAYLOAD, name=name, fast=False)
                peer.ours = attrs.evolve(peer.ours, reserved=EXTENDED)
                try:
                    await peer.shake_hands()
                    await script(peer)
                except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
                    pass  # we have left

        return handle

    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        for number, script in enumerate(scripts):
            network.listen(Host(address(number)), handler(script, number))
        peers = [address(number) for number in range(len(scripts))]
        node = join(network, nursery, Host(US), source or METAINFO.magnet, tmp_path, peers=peers)
        events = await told(nursery, node)
        yield node, events
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


async def learned_after(tmp_path: Path, *scripts: Script) -> float:
    """Seconds until it is known what there is."""
    async with swarm(tmp_path, *scripts) as (node, _):
        started = trio.current_time()
        with trio.fail_after(60):
            await node.torrent.wait_metadata()
        return trio.current_time() - started


# -- the everyday ----------------------------------------------------------------------------------------------------


async def test_from_a_link_to_the_content(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, honest) as (node, events):
        torrent = node.torrent
        before = torrent.metainfo
        assert before is None
        assert (torrent.status.state, torrent.status.total, torrent.name) == (State.METADATA, 0, "payload.bin")
        with trio.fail_after(1):
            await torrent.wait_metadata()
        assert torrent.metainfo is not None
        assert torrent.metainfo.info_bytes == INFO
        with trio.fail_after(10):
            await torrent.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
    assert (tmp_path / "payload.bin").read_bytes() == PAYLOAD
    assert [type(event) for event in events[:2]] == [MetadataDone, Checked]
    assert not [event for event in events if isinstance(event, PeerGone) and event.reason != "both have everything"]


async def test_by_its_hash_alone(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, honest, source=Magnet(METAINFO.info_hashes)) as (node, _):
        assert node.torrent.name == METAINFO.info_hashes.wire.hex()
        with trio.fail_after(10):
            await node.torrent.wait_complete()
        assert node.torrent.name == "payload.bin"


async def test_peers_that_a_link_names_are_dialled(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        there = join(network, nursery, Host(address(0)), METAINFO, write(tmp_path / "there", {"payload.bin": PAYLOAD}))
        await there.torrent.wait_complete()
        link = attrs.evolve(METAINFO.magnet, peers=(address(0),))
        node = join(network, nursery, Host(US), link, tmp_path / "here")
        with trio.fail_after(10):
            await node.torrent.wait_complete()
        assert (node.boundary.unexpected, there.boundary.unexpected) == (0, 0)
        nursery.cancel_scope.cancel()


async def test_what_is_there_already_is_not_fetched_again(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    half = PAYLOAD[: 2 * 32768]
    write(tmp_path, {"payload.bin": half})
    async with swarm(tmp_path, honest) as (node, _):
        with trio.fail_after(10):
            await node.torrent.wait_complete()
        assert node.torrent.status.downloaded == len(PAYLOAD) - len(half)
        assert (node.torrent.status.seeds, node.torrent.status.peers) == (0, 0)


async def test_both_sides_by_a_link_wait_for_a_third_that_knows(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """Nobody knows; then somebody comes in who does."""
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        link = METAINFO.magnet
        one = join(network, nursery, Host(address(1)), link, tmp_path / "one")
        two = join(network, nursery, Host(address(2)), link, tmp_path / "two", peers=[address(1)])
        await trio.sleep(20)
        assert [node.torrent.status.stall for node in (one, two)] == [Stall.NO_METADATA] * 2
        source = write(tmp_path / "source", {"payload.bin": PAYLOAD})
        join(network, nursery, Host(address(3)), METAINFO, source, peers=[address(1)])
        with trio.fail_after(30):
            await one.torrent.wait_complete()
            await two.torrent.wait_complete()
        assert (one.boundary.unexpected, two.boundary.unexpected) == (0, 0)
        nursery.cancel_scope.cancel()


async def test_stopped_before_anything_is_known(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path) as (node, _):
        await trio.sleep(1)
        assert node.torrent.status.reason == "no peers known"
        await node.torrent.stop()
        with pytest.raises(StoppedError):
            await node.torrent.wait_metadata()
        with pytest.raises(StoppedError):
            await node.torrent.wait_complete()


async def test_what_is_right_and_of_no_use_is_an_error(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    bad = b"d4:name1:xe"
    source = Magnet(InfoHashes(sha1(bad).digest()))
    metainfo = attrs.evolve(METAINFO, info=attrs.evolve(METAINFO.info, info_hashes=source.info_hashes))
    script = giver(lambda piece: piece_of(bad, piece), size=len(bad), everything=False)
    async with swarm(tmp_path, script, source=source, metainfo=metainfo) as (node, _):
        with trio.fail_after(5), pytest.raises(MetainfoError, match="piece length"):
            await node.torrent.wait_metadata()
        assert node.torrent.status.state is State.FAILED


# -- liars -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LIARS)
@pytest.mark.parametrize("count", [1, 9])
async def test_liars_cost_little(tmp_path: Path, kind: str, count: int, autojump_clock: trio.testing.MockClock):
    """At most five seconds more than one slow honest peer alone."""
    alone = await learned_after(tmp_path / "alone", slow)
    among = await learned_after(tmp_path / "among", *[LIARS[kind]] * count, slow)
    assert among <= alone + 5


async def test_all_kinds_of_liars_together(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    alone = await learned_after(tmp_path / "alone", slow)
    among = await learned_after(tmp_path / "among", *[liar for liar in LIARS.values() for _ in range(5)], slow)
    assert among <= alone + 5


async def test_liars_are_not_kept(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, LIARS["wrong hash"], slow) as (node, events):
        with trio.fail_after(20):
            await node.torrent.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
        gone = {event.address: event.reason for event in events if isinstance(event, PeerGone)}
        assert gone.get(str(address(1))) == "both have everything"
        assert gone.get(str(address(0))) == "sent wrong metadata"


# -- gossip ----------------------------------------------------------------------------------------------------------


async def chain(tmp_path: Path, metainfo: Metainfo, *, links: int, settings: Settings, seconds: float) -> list[int]:
    """Nobody has anything, and each knows only the one before: how many peers each is connected to in the end."""
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        nodes = [
            join(
                network,
                nursery,
                Host(address(number)),
                metainfo,
                tmp_path / str(number),
                peers=[address(number - 1)] if number else [],
                settings=settings,
            )
            for number in range(links)
        ]
        await trio.sleep(seconds)
        counts = [node.torrent.status.peers for node in nodes]
        assert [node.boundary.unexpected for node in nodes] == [0] * links
        nursery.cancel_scope.cancel()
    return counts


@pytest.mark.slow
async def test_all_of_a_chain_find_each_other(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    settings = Settings(trackers=False)
    assert await chain(tmp_path, METAINFO, links=6, settings=settings, seconds=90) == [5] * 6


@pytest.mark.slow
async def test_not_if_the_user_does_not_want_it(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    settings = Settings(trackers=False, pex=False)
    assert await chain(tmp_path, METAINFO, links=4, settings=settings, seconds=200) == [1, 2, 2, 1]


@pytest.mark.slow
async def test_never_of_a_private_torrent(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    settings = Settings(trackers=False)
    assert await chain(tmp_path, with_more(METAINFO, {b"private": 1}), links=4, settings=settings, seconds=200) == [
        1,
        2,
        2,
        1,
    ]


# -- giving ----------------------------------------------------------------------------------------------------------


async def test_we_give_the_info_dictionary(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """All of it at once, three times; and then no more."""
    write(tmp_path, {"payload.bin": PAYLOAD})
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        node = join(network, nursery, Host(US), METAINFO, tmp_path)
        await node.torrent.wait_complete()
        stream = await network.connect_from(Host(address(1)))(US)
        peer = FakePeer(stream, METAINFO, PAYLOAD, name=b"-FAKE00-", fast=False)
        peer.ours = Handshake(METAINFO.info_hashes.wire, b"f" * 20, EXTENDED)
        await peer.greet()
        greeting = await peer.wait_for(wire.Extended)
        assert isinstance(greeting, wire.Extended)
        theirs = decode_extended(greeting)
        assert theirs is not None
        assert theirs.metadata_size == len(INFO)
        pieces = metadata_pieces(len(INFO))
        number = theirs.extensions["ut_metadata"]
        requests = [
            wire.Extended(number, encode_metadata(MetadataRequest(piece))) for _ in range(4) for piece in range(pieces)
        ]
        await peer.say(encode_extended(ExtendedHandshake(extensions={"ut_metadata": 9})), *requests)
        answers = []
        for _ in requests:
            answer = await peer.wait_for(wire.Extended)
            assert isinstance(answer, wire.Extended)
            assert answer.number == 9
            answers.append(decode_metadata(answer.payload))
        given = [answer for answer in answers if isinstance(answer, MetadataData)]
        assert given == [piece_of(INFO, piece) for piece in range(pieces)] * 3
        assert sum(isinstance(answer, MetadataReject) for answer in answers) == pieces
        assert node.boundary.unexpected == 0
        nursery.cancel_scope.cancel()


async def test_the_info_dictionary_of_a_private_torrent_is_not_given(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    private = with_more(METAINFO, {b"private": 1})
    write(tmp_path / "seed", {"payload.bin": PAYLOAD})
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        seed = join(network, nursery, Host(address(0)), private, tmp_path / "seed")
        await seed.torrent.wait_complete()
        node = join(network, nursery, Host(US), private.magnet, tmp_path / "leech", peers=[address(0)])
        await trio.sleep(30)
        assert node.torrent.status.stall is Stall.NO_METADATA
        nursery.cancel_scope.cancel()
