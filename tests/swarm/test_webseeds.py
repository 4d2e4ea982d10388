"""Web seeds: when each is tried again, and what the scheduler does for them that it does not do for others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import attrs
import pytest

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.availability import SKIP
from trio_torrent.swarm.commands import Ask, Command, Drop, Send
from trio_torrent.swarm.contacts import IDLE_SECONDS
from trio_torrent.swarm.events import Joined, PeerId, PieceFailed, Received, Tick, Wanted
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.scheduler import Limits, Scheduler
from trio_torrent.swarm.webseeds import RESTS, Standing, WebSeedState, WebSeedStatus
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import ExtendedHandshake, encode_extended

from .making import BLOCK, GEOMETRY, NOW, PIECES, address, landed

URL = "http://a.example/"
EVERYTHING = wire.Bitfield(bytes(Bitfield.full(PIECES)))

# -- how one stands --------------------------------------------------------------------------------------------------


def test_rests_grow_and_a_block_ends_them():
    standing = Standing(URL)
    rests = []
    for _ in range(len(RESTS) + 2):
        standing.rest("why", NOW)
        rests.append(standing.not_before - NOW)
    assert rests == [*RESTS, RESTS[-1], RESTS[-1]]
    standing.gave(1)
    standing.rest("why", NOW)
    assert standing.not_before - NOW == RESTS[0]


@pytest.mark.parametrize(("wish", "rest"), [(None, 1.0), (0.0, 1.0), (100.0, 100.0)])
def test_a_wish_is_respected_but_not_less_than_usual(wish: float | None, rest: float):
    standing = Standing(URL)
    standing.rest("busy", NOW, seconds=wish)
    assert standing.not_before == NOW + rest


def test_what_users_see():
    standing = Standing(URL)

    def seen() -> tuple[WebSeedStatus, bool]:
        return standing.status(NOW), standing.is_over

    assert seen() == (WebSeedStatus(URL, WebSeedState.WAITING, 0, None, None), False)
    standing.begin()
    standing.gave(10)
    standing.gave(5)
    assert seen() == (WebSeedStatus(URL, WebSeedState.ACTIVE, 15, None, None), False)
    standing.rest("gone", NOW - 0.5)
    assert seen() == (WebSeedStatus(URL, WebSeedState.RESTING, 15, "gone", 0.5), False)
    assert str(standing.status(NOW)) == "resting: gone"
    standing.begin()
    standing.go_on("lacks one")
    assert seen() == (WebSeedStatus(URL, WebSeedState.WAITING, 15, "lacks one", None), False)
    standing.give_up("lied")
    assert seen() == (WebSeedStatus(URL, WebSeedState.GIVEN_UP, 15, "lied", None), True)
    standing.finish()
    assert seen() == (WebSeedStatus(URL, WebSeedState.DONE, 15, None, None), False)  # more may be wanted
    standing.begin()
    standing.stop()
    assert seen() == (WebSeedStatus(URL, WebSeedState.WAITING, 15, None, None), False)


# -- among peers -----------------------------------------------------------------------------------------------------


def make(connections: int = 50) -> Scheduler:
    return Scheduler(
        GEOMETRY,
        Bitfield(PIECES),
        ours=Ours(b"m" * 20, 6881, "us"),
        random=Random(1),
        now=NOW,
        limits=Limits(connections, 8),
    )


def web(number: int, url: str = URL) -> Joined:
    return Joined(PeerId(number), Address(url, 0), b"", fast=False, incoming=False, web=True)


def peer(number: int) -> Joined:
    return Joined(PeerId(number), address(number), bytes([number]) * 20, fast=False, incoming=False)


def drops(commands: Sequence[Command]) -> list[tuple[int, str, bool]]:
    return [(command.peer, command.reason, command.for_good) for command in commands if isinstance(command, Drop)]


def test_they_take_no_place_from_peers_nor_peers_from_them():
    scheduler = make(connections=1)
    for joined in (web(1), web(2, "http://b.example/"), peer(3), web(4, "http://c.example/")):
        assert not drops(scheduler.handle(joined, NOW))
    assert drops(scheduler.handle(peer(5), NOW)) == [(3, "made place for another", False)]
    assert drops(scheduler.handle(Tick(crowded=True), NOW)) == [(5, "made place for another torrent", False)]
    assert not drops(scheduler.handle(Tick(crowded=True), NOW))


def test_nothing_is_said_to_them_nor_of_them():
    """Not even when they are there for hours: what we have, that we are alive, who else is there, where we are."""
    scheduler = Scheduler(
        GEOMETRY, Bitfield(PIECES, [0]), ours=Ours(b"m" * 20, 6881, "us"), random=Random(1), now=NOW, pex=True
    )
    said = [*scheduler.handle(web(1), NOW), *scheduler.handle(attrs.evolve(peer(2), extended=True), NOW)]
    speaks = encode_extended(ExtendedHandshake(extensions={"ut_pex": 7}))
    pieces = wire.Bitfield(bytes(Bitfield(PIECES, [1])))
    said += scheduler.handle(Received(PeerId(1), (speaks, pieces)), NOW)
    said += scheduler.handle(Received(PeerId(2), (speaks,)), NOW)
    for seconds in range(50, 400, 50):
        for number in (1, 2):
            said += scheduler.handle(Received(PeerId(number), (wire.KeepAlive(),)), NOW + seconds)
        said += scheduler.handle(Tick(), NOW + seconds)
    messages = [(send.peer, type(message)) for send in said if isinstance(send, Send) for message in send.messages]
    assert {kind for number, kind in messages if number == 1} == {wire.Interested}  # which its connection lets pass
    assert {kind for number, kind in messages if number == 2} >= {wire.Extended, wire.KeepAlive}


def test_what_is_left_out_is_not_waited_for_by_them():
    """One that has everything is sent away when nothing more is wanted, and not for good."""
    scheduler = make()
    scheduler.handle(web(1), NOW)
    itself = encode_extended(ExtendedHandshake(upload_only=True))
    scheduler.handle(Received(PeerId(1), (itself, EVERYTHING, wire.Unchoke())), NOW)
    nothing = Wanted(tuple((piece, SKIP) for piece in range(PIECES)))
    assert drops(scheduler.handle(nothing, NOW)) == [(1, "both want nothing", False)]


def test_they_are_not_counted_as_peers():
    scheduler = make()
    scheduler.handle(web(1), NOW)
    scheduler.handle(Received(PeerId(1), (EVERYTHING, wire.Unchoke())), NOW)
    snapshot = scheduler.snapshot(NOW)
    assert (snapshot.peers, snapshot.seeds, snapshot.known) == (0, 0, 0)


def test_a_run_is_asked_for_in_order_and_goes_on_after_a_pause():
    scheduler = make()
    scheduler.handle(web(1), NOW)
    asked: list[int] = []
    commands = scheduler.handle(Received(PeerId(1), (EVERYTHING, wire.Unchoke())), NOW)
    while asks := [command for command in commands if isinstance(command, Ask)]:
        requests = [request for ask in asks for request in ask.requests]
        asked += dict.fromkeys(request.piece for request in requests)
        commands = scheduler.handle(Received(PeerId(1), tuple(map(landed, requests)), len(asked)), NOW)
    assert sorted(asked) == list(range(PIECES))
    breaks = sum(after != before + 1 for before, after in pairwise(asked))
    assert breaks <= 1  # where the torrent ends


def test_a_wrong_piece_convicts_the_url_for_good():
    scheduler = make()
    scheduler.handle(web(1), NOW)
    (ask,) = [
        command
        for command in scheduler.handle(Received(PeerId(1), (EVERYTHING, wire.Unchoke())), NOW)
        if isinstance(command, Ask)
    ]
    piece = next(request.piece for request in ask.requests if GEOMETRY.piece_size(request.piece) == 2 * BLOCK)
    blocks = tuple(landed(request) for request in ask.requests if request.piece == piece)
    scheduler.handle(Received(PeerId(1), blocks, 1), NOW)
    assert drops(scheduler.handle(PieceFailed(piece, (b"x", b"y")), NOW)) == [(1, "sent a wrong block", True)]
    assert drops(scheduler.handle(web(2), NOW)) == [(2, "banned", False)]
    assert not drops(scheduler.handle(web(3, "http://b.example/"), NOW))


def test_a_sign_of_life_is_enough():
    scheduler = make()
    scheduler.handle(web(1), NOW)
    now = NOW + IDLE_SECONDS - 1
    scheduler.handle(Received(PeerId(1), (wire.KeepAlive(),)), now)
    assert not drops(scheduler.handle(Tick(), now + 2))


def test_an_address_that_is_a_url_reads_as_one():
    assert str(Address(URL, 0)) == URL
