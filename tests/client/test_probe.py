"""The guided tour, over real loopback: each step in its order, and every way to end."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial

import attrs
import pytest
import trio

from tests.fakepeer import FakePeer, Script, handler
from tests.payload import random_bytes, single
from trio_torrent import (
    Address,
    Found,
    Metainfo,
    PeerError,
    Probed,
    ProtocolError,
    Reached,
    Settings,
    Step,
    TrackerError,
    probe,
    serve_tracker,
)
from trio_torrent.bitfield import Bitfield
from trio_torrent.client import probe as module
from trio_torrent.client.settings import PEER_ID_PREFIX
from trio_torrent.net.http import make_http
from trio_torrent.net.http_tracker import announce
from trio_torrent.net.tracker_server import TrackerServer
from trio_torrent.tracker.announce import Announce, AnnounceEvent
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all

LOCALHOST = "127.0.0.1"
PAYLOAD = random_bytes(3 * 32768)
SETTINGS = Settings(interface=LOCALHOST)

Report = Step | Found | Reached | Probed


def torrent(announce: str = "") -> Metainfo:
    return Metainfo.from_bytes(single(PAYLOAD, announce=announce).to_bytes())


METAINFO = torrent()


@attrs.define(eq=False)
class Town:
    """Peers that behave as they are told to, and what the tour reports."""

    nursery: trio.Nursery
    reports: list[Report] = attrs.field(factory=list)

    async def peer(self, script: Script, *, name: bytes = b"-FAKE00-", fast: bool = False) -> Address:
        return await self.serve(handler(METAINFO, PAYLOAD, script, name=name, fast=fast))

    async def serve(self, handle: Callable[[trio.abc.Stream, Address], Awaitable[None]]) -> Address:
        (listener,) = await trio.open_tcp_listeners(0, host=LOCALHOST)
        address = Address(*listener.socket.getsockname())
        self.nursery.start_soon(trio.serve_listeners, partial(_visited, handle, address), [listener])
        return address

    async def probe(self, *peers: Address, metainfo: Metainfo = METAINFO, **options: int) -> Probed:
        with trio.fail_after(30):  # a busy machine's
            return await probe(metainfo, peers=peers, settings=SETTINGS, report=self.reports.append, **options)


async def _visited(
    handle: Callable[[trio.abc.Stream, Address], Awaitable[None]], address: Address, stream: trio.SocketStream
) -> None:
    async with stream:
        await handle(stream, address)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with trio.open_nursery() as nursery:
        yield Town(nursery)
        nursery.cancel_scope.cancel()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what never comes."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(module, "UNCHOKE_SECONDS", 0.1)


@pytest.fixture
def refusing() -> Iterator[Callable[[], Address]]:
    """Addresses where nobody listens, and nobody can while the test lasts: a free port is soon another's."""
    with ExitStack() as held:

        def address() -> Address:
            bound = held.enter_context(socket.socket())
            bound.bind((LOCALHOST, 0))
            return Address(*bound.getsockname())

        yield address


async def honest(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await peer.wait_for(wire.Interested)
    await peer.serve()


async def leave(stream: trio.abc.Stream, address: Address) -> None:
    """Say nothing, and close the connection."""


async def silent(stream: trio.abc.Stream, address: Address) -> None:
    await trio.sleep_forever()


async def garbage(stream: trio.abc.Stream, address: Address) -> None:
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n")
    await stream.receive_some()


# -- the tour --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [False, True])
async def test_every_step_is_reported_in_its_order(town: Town, fast: bool):
    address = await town.peer(honest, fast=fast)
    probed = await town.probe(address, piece=1, offset=100, length=50)
    name, everything = b"-FAKE00-------------", Bitfield.full(3)
    assert town.reports == [
        Found(1, None),
        Step.PROBING,
        Reached(address, name, None),
        Probed(address, name, everything),
        Step.SAYING_INTERESTED,
        Step.WAITING_FOR_UNCHOKE,
        Step.REQUESTING,
        Step.WAITING_FOR_PIECE,
    ]
    block = wire.Piece(1, 100, PAYLOAD[32868:32918])
    assert probed == Probed(address, name, everything, block)


async def test_the_first_that_answers_wins_among_those_that_do_not(town: Town, refusing: Callable[[], Address]):
    """None of them is waited for."""
    bad = [refusing(), refusing(), await town.serve(garbage), await town.serve(leave)]
    mute = [await town.serve(silent) for _ in range(3)]

    async def slowly(stream: trio.abc.Stream, address: Address) -> None:
        await all_bad_reported(town, len(bad))
        await handler(METAINFO, PAYLOAD, honest)(stream, address)

    good = await town.serve(slowly)
    probed = await town.probe(*mute, *bad, good)
    assert probed.address == good
    reached = {report.address: report.reason for report in town.reports if isinstance(report, Reached)}
    assert reached == {
        bad[0]: "connection refused",
        bad[1]: "connection refused",
        bad[2]: "does not speak BitTorrent",
        bad[3]: "closed the connection at once",
        good: None,
    }


async def all_bad_reported(town: Town, count: int) -> None:
    while sum(isinstance(report, Reached) for report in town.reports) < count:  # noqa: ASYNC110  # nobody else tells
        await trio.sleep(0.002)


async def test_pieces_may_be_told_one_by_one_and_behind_the_handshake(town: Town):
    probed = await town.probe(await town.serve(terse), piece=2)
    assert probed.block == wire.Piece(2, 0, PAYLOAD[65536 : 65536 + 128])


async def terse(stream: trio.abc.Stream, address: Address) -> None:
    """Everything in one breath, before it is asked."""
    peer = FakePeer(stream, METAINFO, PAYLOAD, name=b"-TERSE-", fast=False)
    await stream.receive_some()
    await stream.send_all(bytes(peer.ours) + encode_all([wire.Have(0), wire.Have(2), wire.Unchoke()]))
    await peer.wait_for(wire.Interested)
    request = await peer.wait_for(wire.Request)
    assert isinstance(request, wire.Request)
    await peer.say(wire.KeepAlive(), wire.Have(1), peer.block(request))
    await trio.sleep_forever()


async def test_the_default_is_the_beginning(town: Town):
    probed = await town.probe(await town.peer(honest))
    assert probed.block == wire.Piece(0, 0, PAYLOAD[:128])


# -- how it may end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("piece", "offset", "length", "complaint"),
    [
        (3, 0, 1, "there is no piece 3: the torrent has 3"),
        (-1, 0, 1, "there is no piece -1"),
        (0, 32768 - 127, 128, "piece 0 has no block of 128 bytes at 32641"),
        (0, -1, 1, "piece 0 has no block of 1 bytes at -1"),
        (0, 0, 0, "piece 0 has no block of 0 bytes"),
        (0, 0, 16385, "piece 0 has no block of 16385 bytes"),
    ],
)
async def test_a_block_that_does_not_exist(
    town: Town, piece: int, offset: int, length: int, complaint: str, refusing: Callable[[], Address]
):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        await town.probe(refusing(), piece=piece, offset=offset, length=length)
    assert town.reports == []


async def test_nobody_answers(town: Town, refusing: Callable[[], Address]):
    with pytest.raises(PeerError, match="no peer answered"):
        await town.probe(refusing(), await town.serve(garbage))
    assert [type(report) for report in town.reports] == [Found, Step, Reached, Reached]


async def says_nothing(peer: FakePeer) -> None:
    await trio.sleep_forever()


async def chokes(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await trio.sleep_forever()


async def never_delivers(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await peer.say(wire.Unchoke())
    await trio.sleep_forever()


async def leaves_at_the_request(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await peer.say(wire.Unchoke())
    await peer.wait_for(wire.Request)


async def has_nothing(peer: FakePeer) -> None:
    await peer.say(wire.Bitfield(bytes(1)), wire.Unchoke())
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (says_nothing, "sent no bitfield within 0.1 s"),
        (chokes, "sent no unchoke within 0.1 s"),
        (never_delivers, "sent no block within 0.1 s"),
        (leaves_at_the_request, "closed the connection instead of sending the block"),
        (has_nothing, "does not have piece 0"),
    ],
)
async def test_a_peer_that_is_of_no_use(town: Town, impatient: None, script: Script, complaint: str):
    address = await town.peer(script)
    with pytest.raises(PeerError) as error:
        await town.probe(address)
    assert str(error.value) == f"{address} {complaint}"


async def sends_another_block(peer: FakePeer) -> None:
    await peer.say_all_pieces()
    await peer.say(wire.Unchoke())
    await peer.wait_for(wire.Request)
    await peer.say(wire.Piece(0, 128, bytes(128)))
    await trio.sleep_forever()


async def breaks_the_protocol(peer: FakePeer) -> None:
    await peer.say(wire.Have(99))
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "complaint"),
    [(sends_another_block, "sent another block than asked for"), (breaks_the_protocol, "piece 99 of 3")],
)
async def test_a_peer_that_breaks_the_protocol(town: Town, script: Script, complaint: str):
    with pytest.raises(ProtocolError, match=complaint):
        await town.probe(await town.peer(script))


async def test_a_connection_that_is_reset(town: Town):
    async def resets(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.wait_for(wire.Interested)
        assert isinstance(peer.stream, trio.SocketStream)
        peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    address = await town.peer(resets)
    with pytest.raises(PeerError, match=re.escape(f"{address}: connection reset")):
        await town.probe(address)


# -- by way of a tracker ---------------------------------------------------------------------------------------------


@pytest.fixture
async def tracker(town: Town) -> TrackerServer:
    server: TrackerServer = await town.nursery.start(serve_tracker)
    return server


async def register(server: TrackerServer, port: int) -> None:
    said = Announce(METAINFO.info_hashes.wire, b"p" * 20, port, 0, 0, 0, AnnounceEvent.STARTED, 0, None, None)
    http = make_http(user_agent="test/1", allow_local=True)
    await announce(http, server.url, said)


async def test_peers_come_from_the_tracker_which_is_told_goodbye(town: Town, tracker: TrackerServer):
    address = await town.peer(honest)
    await register(tracker, address.port)
    probed = await town.probe(metainfo=torrent(tracker.url))
    assert probed.address == address
    assert town.reports[:3] == [Step.ANNOUNCING, Found(1, tracker.url), Step.PROBING]
    left = tracker.registry.peers(METAINFO.info_hashes.wire)
    assert [peer.address for peer in left] == [address]
    assert not any(peer.peer_id.startswith(PEER_ID_PREFIX.encode()) for peer in left)


async def test_a_tracker_that_knows_nobody(town: Town, tracker: TrackerServer):
    with pytest.raises(TrackerError, match="no tracker knows a peer"):
        await town.probe(metainfo=torrent(tracker.url))
    assert town.reports == [Step.ANNOUNCING, Found(0, tracker.url)]


async def test_a_tracker_that_cannot_be_reached(town: Town, refusing: Callable[[], Address]):
    with pytest.raises(TrackerError, match="refused"):
        await town.probe(metainfo=torrent(f"http://{refusing()}/announce"))
    assert town.reports == [Step.ANNOUNCING]


async def test_a_torrent_without_trackers(town: Town):
    with pytest.raises(TrackerError, match="no tracker knows a peer"):
        await town.probe()
