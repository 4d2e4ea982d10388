"""A torrent of ours among scripted peers, in virtual time over memory streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.fakepeer import FakePeer, Script, handler
from tests.payload import multi, random_bytes, single, write
from tests.simnet import Host, Network, Node, join, told
from trio_torrent.address import Address
from trio_torrent.client.events import Checked, DialRefused, FileDone, PeerGone, TorrentEvent
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.errors import ShortageError, StorageError
from trio_torrent.net.dial import Connect
from trio_torrent.net.places import Places
from trio_torrent.swarm.shares import Budget
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode
from trio_torrent.wire.handshake import Handshake

PAYLOAD = random_bytes(5 * 32768 + 1000)
METAINFO = single(PAYLOAD)
US = Address("10.0.0.1", 6881)


def address(number: int) -> Address:
    return Address(f"10.0.1.{number}", 6881)


@asynccontextmanager
async def swarm(
    tmp_path: Path,
    *scripts: Script,
    metainfo: Metainfo = METAINFO,
    fast: bool = False,
    settings: Settings | None = None,
    payload: bytes = PAYLOAD,
    named: bool = True,
    **options: Any,
) -> AsyncIterator[tuple[Node, list[TorrentEvent], Network]]:
    """Our torrent, and a peer for each script, which it is told of if they are to be `named`.

    Afterwards nothing unexpected has happened.
    """
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        for number, script in enumerate(scripts):
            name = f"-FAKE{number:02}-".encode()
            network.listen(Host(address(number)), handler(metainfo, payload, script, name=name, fast=fast))
        peers = [address(number) for number in range(len(scripts)) if named]
        node = join(network, nursery, Host(US), metainfo, tmp_path, peers=peers, settings=settings, **options)
        events = await told(nursery, node)
        yield node, events, network
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


async def complete(node: Node, tmp_path: Path, *, seconds: float) -> None:
    """The download completes within so much virtual time, to the right bytes."""
    with trio.fail_after(seconds):
        await node.torrent.wait_complete()
    assert (tmp_path / "payload.bin").read_bytes() == PAYLOAD
    assert node.torrent.status.state is State.SEEDING


async def honest(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await peer.wait_for(wire.Interested)
    await peer.serve()


async def silent(peer: FakePeer) -> None:
    await trio.sleep_forever()


def gone(events: list[TorrentEvent]) -> list[str]:
    return [event.reason for event in events if isinstance(event, PeerGone)]


# -- the everyday ----------------------------------------------------------------------------------------------------


async def test_a_download_from_one_peer(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, honest) as (node, _, _):
        await complete(node, tmp_path, seconds=2)
        status = node.torrent.status
        assert (status.done, status.downloaded, status.wasted) == (len(PAYLOAD), len(PAYLOAD), 0)


async def test_a_download_from_many_peers(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, *[honest] * 5) as (node, _, _):
        await complete(node, tmp_path, seconds=2)


async def test_files_are_laid_out_and_announced_one_by_one(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    parts = {"a/one": PAYLOAD[:40_000], "empty": b"", "two": PAYLOAD[40_000:]}
    async with swarm(tmp_path, honest, metainfo=multi(parts)) as (node, events, _):
        with trio.fail_after(2):
            await node.torrent.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
        done = {event.path for event in events if isinstance(event, FileDone)}
        assert done == {"folder/a/one", "folder/empty", "folder/two"}
    assert {path: (tmp_path / "folder" / path).read_bytes() for path in parts} == parts


async def test_what_is_there_already_is_not_fetched_again(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    half = PAYLOAD[: 3 * 32768]
    write(tmp_path, {"payload.bin": half + bytes(len(PAYLOAD) - len(half))})
    async with swarm(tmp_path, honest) as (node, _, _):
        await complete(node, tmp_path, seconds=2)
        assert node.torrent.status.downloaded == len(PAYLOAD) - len(half)


async def test_a_complete_torrent_is_not_downloaded(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path, {"payload.bin": PAYLOAD})
    async with swarm(tmp_path) as (node, _, _):
        await complete(node, tmp_path, seconds=1)


async def test_every_piece_is_told_to_everyone_once_it_is_verified(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    listened: list[int] = []

    async def listener(peer: FakePeer) -> None:
        async for message in peer:
            match message:
                case wire.Have(piece):
                    listened.append(piece)
                case _:
                    pass

    async with swarm(tmp_path, honest, listener) as (node, _, _):
        await complete(node, tmp_path, seconds=2)
        await trio.sleep(1)
    assert sorted(listened) == list(range(METAINFO.geometry.pieces))


# -- peers that go wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [False, True])
async def test_a_peer_that_chokes_in_mid_download_owes_nothing(
    tmp_path: Path, fast: bool, autojump_clock: trio.testing.MockClock
):
    """Its requests go to others at once, and it is used again when it unchokes."""
    used_again = trio.Event()

    async def chokes(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.wait_for(wire.Interested)
        await peer.say(wire.Unchoke())
        first = await peer.wait_for(wire.Request)
        assert isinstance(first, wire.Request)
        await peer.say(peer.block(first), wire.Choke())
        with trio.move_on_after(20):
            async for message in peer:
                if fast and isinstance(message, wire.Request):
                    await peer.say(wire.Reject(message.piece, message.offset, message.length))
        await peer.say(wire.Unchoke())
        request = await peer.wait_for(wire.Request)
        assert isinstance(request, wire.Request)
        used_again.set()
        await peer.say(peer.block(request))
        await peer.serve()

    async with swarm(tmp_path, chokes, fast=fast) as (node, _, _):
        await trio.sleep(10)
        assert node.torrent.status.reason == "all peers choke us"
        await complete(node, tmp_path, seconds=15)
        assert used_again.is_set()
        assert node.torrent.status.wasted == 0


async def test_what_a_choking_peer_owed_comes_from_another(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async def chokes_for_good(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.wait_for(wire.Interested)
        await peer.say(wire.Unchoke())
        await peer.wait_for(wire.Request)
        await peer.say(wire.Choke())
        await trio.sleep_forever()

    async with swarm(tmp_path, chokes_for_good, honest) as (node, _, _):
        await complete(node, tmp_path, seconds=2)


async def test_a_peer_that_disconnects_in_mid_block(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async def leaves(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        request = await peer.wait_for(wire.Request)
        assert isinstance(request, wire.Request)
        await peer.stream.send_all(encode(peer.block(request))[:5000])

    async def comes_late(peer: FakePeer) -> None:
        await trio.sleep(3)
        await honest(peer)

    async with swarm(tmp_path, leaves, comes_late) as (node, events, _):
        await complete(node, tmp_path, seconds=6)
        assert "closed the connection" in gone(events)


async def test_a_bad_block_is_never_kept_and_its_sender_is_banned(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    async def lies(peer: FakePeer) -> None:
        peer.payload = bytes(len(PAYLOAD))
        await honest(peer)

    async def comes_late(peer: FakePeer) -> None:
        await trio.sleep(5)
        await honest(peer)

    async with swarm(tmp_path, lies, comes_late) as (node, events, network):
        await complete(node, tmp_path, seconds=8)
        assert "sent a wrong block" in gone(events)
        assert node.torrent.status.wasted >= 32768
        await trio.sleep(600)
        assert [to for _, to in network.dialled].count(address(0)) == 1, "a liar is not dialled again"


async def test_one_bad_block_among_many_peers_convicts_only_its_sender(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    """Each piece comes from several peers; the piece is fetched again from one alone to know who lied."""

    async def lies_at_times(peer: FakePeer) -> None:
        peer.payload = bytes([PAYLOAD[0] ^ 1]) + PAYLOAD[1:]
        await honest(peer)

    payload_pieces = single(PAYLOAD, piece_length=131072)  # eight blocks each: shared by all three
    async with swarm(tmp_path, lies_at_times, honest, honest, metainfo=payload_pieces) as (node, events, _):
        await complete(node, tmp_path, seconds=30)
        assert gone(events).count("sent a wrong block") <= 1
        assert {event.address for event in events if isinstance(event, DialRefused)} == set()


async def test_an_unknown_message_is_skipped(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async def strange(peer: FakePeer) -> None:
        await peer.say(wire.Unknown(250, 1000))
        await peer.say_all_pieces()
        await peer.say(wire.Unknown(99, 5), wire.KeepAlive(), wire.Port(1), wire.Extended(7, b"de"))
        await honest_after_bitfield(peer)

    async with swarm(tmp_path, strange) as (node, _, _):
        await complete(node, tmp_path, seconds=2)


async def honest_after_bitfield(peer: FakePeer) -> None:
    await peer.wait_for(wire.Interested)
    await peer.serve()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (wire.Bitfield(bytes(9)), "a bad bitfield: 9 bytes for 6 pieces"),
        (wire.Bitfield(b"\xff"), "a bad bitfield: a spare bit is set"),
        (wire.Have(6), "piece 6 of 6"),
        (wire.Have(2**32 - 1), "piece 4294967295 of 6"),
        (wire.HaveAll(), "an unexpected haveall message"),
    ],
)
async def test_a_peer_that_breaks_the_protocol_is_dropped(
    tmp_path: Path, said: wire.Message, reason: str, autojump_clock: trio.testing.MockClock
):
    async def breaks(peer: FakePeer) -> None:
        await peer.say(said)
        await trio.sleep_forever()

    async with swarm(tmp_path, breaks, honest) as (node, events, _):
        await complete(node, tmp_path, seconds=2)
        assert reason in gone(events)


async def test_a_peer_that_owes_us_for_too_long_loses_its_requests(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    async def never_delivers(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        async for _ in peer:
            pass

    async def has_the_rest(peer: FakePeer) -> None:
        await trio.sleep(1)
        await honest(peer)

    async with swarm(tmp_path, never_delivers, has_the_rest) as (node, _, _):
        await complete(node, tmp_path, seconds=30)


async def test_a_block_that_comes_after_all_is_no_harm(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async def very_late(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        request = await peer.wait_for(wire.Request)
        assert isinstance(request, wire.Request)
        await trio.sleep(25)
        await peer.say(peer.block(request), wire.Piece(0, 3, b"junk that nobody asked for"))
        await peer.serve()

    async with swarm(tmp_path, very_late) as (node, _, _):
        await complete(node, tmp_path, seconds=60)


async def test_a_silent_peer_is_dropped_at_last(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, silent) as (_, events, _):
        await trio.sleep(119)
        assert not gone(events)
        await trio.sleep(4)
        assert gone(events) == ["silent for too long"]


async def test_a_peer_that_does_not_read_does_not_cost_memory(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """It is cut off when a bounded number of messages waits for it."""
    write(tmp_path, {"payload.bin": PAYLOAD})

    async def asks_and_does_not_read(peer: FakePeer) -> None:
        await peer.say(wire.Interested())
        await trio.sleep(1)
        for _ in range(3000):  # all refused, as there is no such piece; the refusals pile up
            await peer.say(wire.Request(0, 16384 * 9, 16384))
        await trio.sleep_forever()

    async with swarm(tmp_path, asks_and_does_not_read, fast=True) as (node, events, _):
        await trio.sleep(60)
        assert gone(events) == ["asks for what is not there"]
        assert node.torrent.status.peers == 0


# -- many addresses --------------------------------------------------------------------------------------------------


async def test_one_good_peer_among_49_that_say_nothing_or_refuse(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    """All are dialled at once, never one after the other."""
    scripts = [silent] * 24 + [honest]
    async with swarm(tmp_path, *scripts) as (node, _, _):
        node.torrent.add_peers(Address(f"10.9.9.{number}", 6881) for number in range(25))
        await complete(node, tmp_path, seconds=1)


async def test_no_more_than_thirty_dials_hang_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path) as (node, _, network):
        holes = [Address(f"10.9.9.{number}", 6881) for number in range(40)]
        for hole in holes:
            network.swallow(hole)
        node.torrent.add_peers(holes)
        await trio.sleep(0.9)
        assert len(network.dialled) == 30
        await trio.sleep(1)
        assert {to for _, to in network.dialled} == set(holes)
        await trio.sleep(100)
        assert network.most_hanging == 30


async def test_two_hundred_black_holes_in_front_of_a_good_peer(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path) as (node, _, network):
        holes = [Address(f"10.9.{number}.9", 6881) for number in range(200)]
        for hole in holes:
            network.swallow(hole)
        network.listen(Host(address(0)), handler(METAINFO, PAYLOAD, honest))
        node.torrent.add_peers([*holes, address(0)])
        await complete(node, tmp_path, seconds=8)


async def test_fifty_that_take_the_connection_and_say_nothing(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """Nor do they close it: a client that insists on encryption does so, and waits for more."""

    async def mute(stream: trio.abc.Stream, address: Address) -> None:
        async with stream:
            await trio.sleep_forever()

    async with swarm(tmp_path) as (node, _, network):
        mutes = [Address(f"10.9.{number}.9", 6881) for number in range(50)]
        for one in mutes:
            network.listen(Host(one), mute)
        network.listen(Host(address(0)), handler(METAINFO, PAYLOAD, honest))
        node.torrent.add_peers([*mutes, address(0)])
        await complete(node, tmp_path, seconds=4)


async def test_fifty_from_one_host_that_come_and_say_nothing(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """A seed that comes after them is welcome all the same."""
    async with swarm(tmp_path) as (node, events, network), trio.open_nursery() as nursery:
        await trio.sleep(1)
        for number in range(50):
            script = partial(visit, network, Host(Address("10.6.6.6", 10_000 + number)), silent, f"-MUTE{number:02}-")
            nursery.start_soon(script)
        await trio.sleep(1)
        assert node.torrent.status.peers == 50
        nursery.start_soon(visit, network, Host(address(0)), honest, "-SEED00-")
        await complete(node, tmp_path, seconds=2)
        assert "made place for another" in gone(events)
        nursery.cancel_scope.cancel()


async def test_torrents_of_one_client_share_its_places(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """The first one takes them all, and gives half of them back when there is a second one."""
    other = single(random_bytes(100_000, seed=2), name="other.bin")
    async with trio.open_nursery() as nursery:
        network, places = Network(nursery), Places(Budget(connections=20, attempts=5, looks=2))
        nodes = []
        for metainfo, tens in ((METAINFO, 1), (other, 2)):
            peers = [Address(f"10.0.{tens}.{number}", 6881) for number in range(40)]
            for number, peer in enumerate(peers):
                network.listen(Host(peer), handler(metainfo, b"", silent, name=f"-FAKE{number:02}-".encode()))
            host = Host(Address(f"10.0.0.{tens}", 6881))
            nodes.append(join(network, nursery, host, metainfo, tmp_path / str(tens), peers=peers, places=places))
            await trio.sleep(40)
            if len(nodes) == 1:
                assert nodes[0].torrent.status.peers == 20
        counts = [node.torrent.status.peers for node in nodes]
        nursery.cancel_scope.cancel()
    assert counts == [10, 10]
    assert all(node.boundary.unexpected == 0 for node in nodes)


async def test_our_own_shortage_is_not_held_against_a_peer(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
):
    """However often: it is tried again every few seconds."""
    real = Network.connect_from

    def short_of_descriptors(self: Network, host: Host) -> Connect:
        connect, start = real(self, host), trio.current_time()

        async def try_to(address: Address) -> trio.abc.Stream:
            if trio.current_time() < start + 60:
                raise ShortageError("too many open files")
            return await connect(address)

        return try_to

    monkeypatch.setattr(Network, "connect_from", short_of_descriptors)
    async with swarm(tmp_path, honest) as (node, events, _):
        await complete(node, tmp_path, seconds=70)
        refused = [event.reason for event in events if isinstance(event, DialRefused)]
        assert set(refused) == {"too many open files"}
        assert 8 <= len(refused) <= 12


async def visit(network: Network, host: Host, script: Script, name: str) -> None:
    """Dial our torrent, shake hands, and follow the script."""
    async with await network.connect_from(host)(US) as stream:
        peer = FakePeer(stream, METAINFO, PAYLOAD, name=name.encode(), fast=False)
        try:
            await peer.greet()
            await script(peer)
        except (trio.BrokenResourceError, EOFError):
            pass  # shown out, as may be


async def test_a_thousand_that_dribble_their_handshake(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """A byte in five seconds, each. They are shown out after ten, or when others come, who are let in at once."""
    left: list[float] = []

    async def dribbles(host: Host) -> None:
        async with await network.connect_from(host)(US) as stream:
            start = trio.current_time()
            try:
                for byte in bytes(Handshake(METAINFO.info_hashes.wire, b"-SLOW00-............")):
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(5)
            except trio.BrokenResourceError:
                left.append(trio.current_time() - start)

    async with swarm(tmp_path) as (node, _, network), trio.open_nursery() as nursery:
        await trio.sleep(1)
        for number in range(1000):
            nursery.start_soon(dribbles, Host(Address(f"10.7.{number >> 8}.{number & 255}", 9)))
        await trio.sleep(1)
        nursery.start_soon(visit, network, Host(address(0)), honest, "-SEED00-")
        await complete(node, tmp_path, seconds=1)
        await trio.sleep(20)
        assert len(left) == 1000
        assert max(left) <= 10 + 5, "it notices at its next byte"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("by_user", "expected"),
    [(True, [0, 2, 5, 10, 19, 36, 69, 130, *range(251, 3600, 181)]), (False, [0, 61, 182])],
    ids=["own", "heard of"],
)
async def test_an_address_that_fails_rests_longer_each_time(
    tmp_path: Path, by_user: bool, expected: list[int], autojump_clock: trio.testing.MockClock
):
    """The user's own may be starting up; it is never given up. The clock ticks once a second."""
    async with swarm(tmp_path) as (node, events, network):
        await trio.sleep(1)
        if by_user:
            node.torrent.add_peers([address(9)])
        else:
            node.engine.meet(address(9), "lsd")
        await trio.sleep(3600)
        times = [round(when - network.dialled[0][0]) for when, _ in network.dialled]
        assert times == expected
        assert {event for event in events if isinstance(event, DialRefused)} == {
            DialRefused(str(address(9)), "connection refused")
        }
        assert node.torrent.status.reason == "no known peer can be reached"


async def test_we_do_not_talk_to_ourselves(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path) as (node, _, network):
        node.torrent.add_peers([US])
        await trio.sleep(3600)
        assert len(network.dialled) == 1
        assert node.torrent.status.peers == 0


# -- serving ---------------------------------------------------------------------------------------------------------


async def test_nothing_that_is_not_verified_is_served(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """A request for what we lack, what does not exist, or while choked is not answered; with BEP 6 it is refused."""
    write(tmp_path, {"payload.bin": PAYLOAD[:32768] + bytes(len(PAYLOAD) - 32768)})
    served: list[wire.Message] = []

    async def asks(peer: FakePeer) -> None:
        await peer.say(wire.Request(0, 0, 16384))  # choked still
        await peer.say(wire.Interested())
        await peer.wait_for(wire.Unchoke)
        await peer.say(
            wire.Request(1, 0, 16384),
            wire.Request(0, 16384, 16385),
            wire.Request(0, 0, 0),
            wire.Request(99, 0, 16384),
            wire.Request(0, 16384, 16384),
            wire.Request(0, 2**32 - 1, 5),
        )
        async for message in peer:
            served.append(message)

    async with swarm(tmp_path, asks, fast=True):
        await trio.sleep(3)
    assert served == [
        wire.Reject(1, 0, 16384),
        wire.Reject(0, 16384, 16385),
        wire.Reject(0, 0, 0),
        wire.Reject(99, 0, 16384),
        wire.Reject(0, 2**32 - 1, 5),
        wire.Piece(0, 16384, PAYLOAD[16384:32768]),
    ]


async def test_a_cancelled_request_is_answered_by_one_of_the_two(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    write(tmp_path, {"payload.bin": PAYLOAD})
    answers: list[wire.Message] = []
    request = wire.Request(0, 0, 16384)

    async def cancels(peer: FakePeer) -> None:
        await peer.say(wire.Interested())
        await peer.wait_for(wire.Unchoke)
        await peer.say(request, wire.Request(1, 0, 16384), wire.Cancel(0, 0, 16384))
        async for message in peer:
            answers.append(message)

    async with swarm(tmp_path, cancels, fast=True):
        await trio.sleep(3)
    assert answers == [wire.Reject(0, 0, 16384), wire.Piece(1, 0, PAYLOAD[32768 : 32768 + 16384])]


async def test_a_file_that_shrinks_behind_our_back_is_compared_again_and_fetched(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    write(tmp_path, {"payload.bin": PAYLOAD})
    cut = trio.Event()

    async def asks(peer: FakePeer) -> None:
        await peer.say(wire.Interested())
        await peer.wait_for(wire.Unchoke)
        (tmp_path / "payload.bin").write_bytes(PAYLOAD[:40_000])
        await peer.say(wire.Request(4, 0, 16384))
        assert [type(message) async for message in peer] == [], "nothing is served"
        cut.set()

    async def gives(peer: FakePeer) -> None:
        await cut.wait()
        await honest(peer)

    async with swarm(tmp_path, asks, gives) as (node, events, _):
        with trio.fail_after(5):
            await cut.wait()
        node.torrent.add_peers([address(1)])
        await trio.sleep(3)
        assert node.torrent.status.downloaded == len(PAYLOAD) - 32768, "the first piece was still there"
        await complete(node, tmp_path, seconds=1)
        assert [event.have for event in events if isinstance(event, Checked)] == [6, 1]


async def test_a_path_that_cannot_be_written_stops_the_torrent(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    (tmp_path / "payload.bin").mkdir()
    async with swarm(tmp_path, honest) as (node, _, _):
        with pytest.raises(StorageError, match="Is a directory"), trio.fail_after(5):
            await node.torrent.wait_complete()


# -- ours among ours -------------------------------------------------------------------------------------------------


async def test_a_swarm_of_ours(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """One seed, eight leechers that know the seed and each other: everyone completes, and helps."""
    write(tmp_path / "0", {"payload.bin": PAYLOAD})
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        hosts = [Host(address(number), up=100_000) for number in range(9)]
        nodes = [
            join(network, nursery, host, METAINFO, tmp_path / str(number), peers=[h.address for h in hosts])
            for number, host in enumerate(hosts)
        ]
        with trio.fail_after(60):
            for node in nodes:
                await node.torrent.wait_complete()
        uploads = [node.torrent.status.uploaded for node in nodes]
        nursery.cancel_scope.cancel()
    assert all((tmp_path / str(number) / "payload.bin").read_bytes() == PAYLOAD for number in range(9))
    assert uploads[0] < 8 * len(PAYLOAD), "the seed did not do it all"
    assert all(node.boundary.unexpected == 0 for node in nodes)
