"""Whom we unchoke, and what we answer."""

import pytest

from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.choker import OPTIMISTIC_SECONDS, ROUND_SECONDS
from trio_torrent.swarm.commands import Send, Serve, Unserve
from trio_torrent.swarm.peers import Peer
from trio_torrent.swarm.serving import (
    GUEST_SECONDS,
    LATE_SECONDS,
    MOST_ASKED,
    MOST_BAD_REQUESTS,
    MOST_FOR_NOTHING,
    MOST_GUESTS,
    MOST_QUEUED,
)
from trio_torrent.swarm.superseed import OFFERS
from trio_torrent.wire import messages as wire

from .making import BLOCK, NOW, PIECES, Swarm, every_block, make_peer, make_swarm


def interested(swarm: Swarm, peer: Peer) -> Peer:
    swarm.join(peer)
    peer.interested = True
    swarm.serving.interest_changed(peer, NOW)
    return peer


def unchoked(swarm: Swarm) -> set[int]:
    return {peer.id for peer in swarm.peers.values() if not peer.we_choke}


@pytest.fixture(params=[False, True], ids=["plain", "fast"])
def served(request) -> tuple[Swarm, Peer]:
    """We have pieces 0 and 4, and the peer is unchoked."""
    swarm = make_swarm(have=[0, 4])
    peer = interested(swarm, make_peer(fast=request.param))
    assert swarm.commands.of(Send)[-1] == Send(peer.id, (wire.Unchoke(),))
    return swarm, peer


# -- requests --------------------------------------------------------------------------------------------------------


def test_what_is_asked_for_in_one_chunk_is_served_in_one_go(served):
    swarm, peer = served
    requests = [wire.Request(0, 0, BLOCK), wire.Request(4, 0, 1000), wire.Request(0, BLOCK, 5)]
    swarm.serving.requested(peer, requests, NOW)
    assert swarm.commands.take() == [Serve(peer.id, tuple(requests))]
    assert list(peer.serving) == requests


@pytest.mark.parametrize(
    "request_",
    [
        wire.Request(1, 0, BLOCK),  # we lack it
        wire.Request(PIECES, 0, BLOCK),
        wire.Request(2**32 - 1, 0, BLOCK),
        wire.Request(0, 0, 0),
        wire.Request(0, 0, MOST_ASKED + 1),
        wire.Request(0, BLOCK, BLOCK + 1),
        wire.Request(0, 2**32 - 1, 2**32 - 1),
        wire.Request(4, 0, 1001),
    ],
)
def test_what_is_not_there_is_refused_and_counted(served, request_):
    swarm, peer = served
    swarm.serving.requested(peer, [request_], NOW)
    refusal = Send(peer.id, (wire.Reject(request_.piece, request_.offset, request_.length),))
    assert swarm.commands.take() == ([refusal] if peer.fast else [])
    assert (peer.bad_requests, peer.serving) == (1, {})


def test_the_choked_are_refused_and_it_is_no_fault_of_theirs(served):
    swarm, peer = served
    peer.we_choke = True
    swarm.serving.requested(peer, [wire.Request(0, 0, BLOCK)], NOW)
    assert len(swarm.commands.take()) == peer.fast
    assert (peer.bad_requests, peer.serving) == (0, {})


def test_asking_twice_is_asking_once(served):
    swarm, peer = served
    request = wire.Request(0, 0, BLOCK)
    swarm.serving.requested(peer, [request, request], NOW)
    swarm.serving.requested(peer, [request], NOW)
    assert swarm.commands.take() == [Serve(peer.id, (request,))]


def test_a_peer_may_queue_so_much_and_no_more(served):
    """Also when all of it comes in one chunk."""
    swarm, peer = served
    requests = [wire.Request(0, offset, 16) for offset in range(MOST_QUEUED + 500)]
    swarm.serving.requested(peer, requests[: MOST_QUEUED - 1], NOW)
    swarm.commands.take()
    swarm.serving.requested(peer, requests[MOST_QUEUED - 1 :], NOW)
    assert len(peer.serving) == MOST_QUEUED
    assert swarm.commands.of(Serve) == [Serve(peer.id, (requests[MOST_QUEUED - 1],))]
    assert peer.bad_requests == 0


def test_refusals_are_said_together():
    """A peer that had thousands of requests on their way when it was choked reads what we say, and is not cut off."""
    swarm = make_swarm(have=[0])
    peer = swarm.join(make_peer(fast=True))
    requests = [wire.Request(0, offset, 16) for offset in range(3000)]
    swarm.serving.requested(peer, requests, NOW)
    assert swarm.commands.take() == [
        Send(peer.id, tuple(wire.Reject(request.piece, request.offset, request.length) for request in requests))
    ]
    assert swarm.serving.complaint(peer) is None


def test_a_nuisance_is_one_after_so_many(served):
    swarm, peer = served
    swarm.serving.requested(peer, [wire.Request(1, 0, BLOCK)] * MOST_BAD_REQUESTS, NOW)
    assert swarm.serving.complaint(peer) is None
    swarm.serving.requested(peer, [wire.Request(1, 0, BLOCK)], NOW)
    assert swarm.serving.complaint(peer) == "asks for what is not there"


def test_a_cancelled_request_is_not_served(served):
    swarm, peer = served
    request = wire.Request(0, 0, BLOCK)
    swarm.serving.requested(peer, [request], NOW)
    swarm.commands.take()
    swarm.serving.cancelled(peer, wire.Cancel(0, 0, BLOCK))
    swarm.serving.cancelled(peer, wire.Cancel(0, 0, BLOCK))
    assert swarm.commands.take() == [Unserve(peer.id, (request,))]
    assert peer.serving == {}


def test_what_is_served_is_counted_and_no_longer_waits(served):
    swarm, peer = served
    requests = (wire.Request(0, 0, BLOCK), wire.Request(4, 0, 1000))
    swarm.serving.requested(peer, list(requests), NOW)
    swarm.serving.served(peer, requests, NOW)
    assert (peer.to_them.total, swarm.serving.meter.total, peer.serving) == (BLOCK + 1000, BLOCK + 1000, {})


# -- choking ---------------------------------------------------------------------------------------------------------


def test_newcomers_get_free_slots_at_once_and_no_more_than_there_are():
    swarm = make_swarm(slots=2)
    for number in (1, 2, 3):
        interested(swarm, make_peer(number))
    assert unchoked(swarm) == {1, 2}


def test_saying_it_twice_is_saying_it_once(served):
    swarm, peer = served
    swarm.serving.interest_changed(peer, NOW)
    assert swarm.commands.take() == []


def test_who_loses_interest_or_leaves_gives_its_slot_to_another():
    swarm = make_swarm(slots=1)
    one, two, three = (interested(swarm, make_peer(number)) for number in (1, 2, 3))
    assert unchoked(swarm) == {1}
    one.interested = False
    swarm.serving.interest_changed(one, NOW)
    assert unchoked(swarm) == {2}
    swarm.leave(two)
    assert unchoked(swarm) == {3}
    assert three.interested


def test_a_choke_comes_before_the_end_of_what_was_asked():
    """So that rejects, which the end brings, are not answered with new requests (BEP 6)."""
    swarm = make_swarm(have=[0], slots=1)
    peer = interested(swarm, make_peer())
    swarm.serving.requested(peer, [wire.Request(0, 0, BLOCK)], NOW)
    swarm.commands.take()
    peer.interested = False
    swarm.serving.interest_changed(peer, NOW)
    assert swarm.commands.take() == [Send(peer.id, (wire.Choke(),)), Unserve(peer.id)]
    assert peer.serving == {}


def test_every_ten_seconds_the_fastest_are_chosen_anew():
    swarm = make_swarm(slots=1)
    slow, fast = interested(swarm, make_peer(1)), interested(swarm, make_peer(2))
    slow.from_them.add(1000, NOW + 9)
    fast.from_them.add(9000, NOW + 9)
    swarm.serving.tick(NOW + ROUND_SECONDS - 0.1)
    assert unchoked(swarm) == {slow.id}
    swarm.serving.tick(NOW + ROUND_SECONDS)
    assert unchoked(swarm) == {fast.id}
    swarm.commands.take()
    swarm.serving.tick(NOW + ROUND_SECONDS + 0.1)
    assert swarm.commands.take() == []


def test_a_seed_does_not_look_at_who_gave():
    swarm = make_swarm(have=range(PIECES), slots=1)
    first, gives = interested(swarm, make_peer(1)), interested(swarm, make_peer(2))
    first.to_them.add(1, NOW)
    gives.from_them.add(9000, NOW + 9)
    swarm.serving.tick(NOW + ROUND_SECONDS)
    assert unchoked(swarm) == {first.id}


def test_every_thirty_seconds_somebody_else_is_tried():
    swarm = make_swarm(slots=2)
    best, second, hopeful = (interested(swarm, make_peer(number)) for number in (1, 2, 3))
    for peer, count in ((best, 9000), (second, 5000)):
        peer.from_them.add(count, NOW + 1)
    swarm.serving.tick(NOW + ROUND_SECONDS)
    assert unchoked(swarm) == {best.id, second.id}
    swarm.serving.tick(NOW + OPTIMISTIC_SECONDS)
    assert unchoked(swarm) == {best.id, hopeful.id}


def test_an_optimistic_one_that_leaves_is_missed_by_nobody():
    swarm = make_swarm(slots=1)
    best, hopeful = interested(swarm, make_peer(1)), interested(swarm, make_peer(2))
    swarm.serving.tick(NOW + OPTIMISTIC_SECONDS)
    assert unchoked(swarm) == {hopeful.id}
    swarm.leave(hopeful)
    assert unchoked(swarm) == {best.id}


def test_who_wants_nothing_more_loses_its_slot():
    """It says so in its handshake, and may go on to say that it is interested (BEP 21)."""
    swarm = make_swarm(slots=1)
    peer = interested(swarm, make_peer())
    peer.upload_only = True
    swarm.serving.interest_changed(peer, NOW)
    assert unchoked(swarm) == set()
    swarm.serving.interest_changed(peer, NOW)
    assert unchoked(swarm) == set()


def test_who_was_refused_leaves_without_a_trace():
    swarm = make_swarm(slots=1)
    refused = make_peer(9)
    swarm.peers[refused.id] = refused
    swarm.leave(refused)
    interested(swarm, make_peer(1))
    assert unchoked(swarm) == {1}


# -- for nothing -----------------------------------------------------------------------------------------------------


def starting(swarm: Swarm, peer: Peer, have=(), now: float = NOW) -> Peer:
    """A peer that comes when all slots are taken."""
    swarm.join(peer, have)
    swarm.serving.opened(peer, now)
    return peer


@pytest.fixture
def busy() -> Swarm:
    """A seed whose only slot is taken."""
    swarm = make_swarm(have=range(PIECES), slots=1)
    interested(swarm, make_peer(99))
    swarm.commands.take()
    return swarm


def offered(swarm: Swarm) -> list[int]:
    return [
        message.piece
        for send in swarm.commands.of(Send)
        for message in send.messages
        if isinstance(message, wire.AllowedFast)
    ]


def test_a_starting_peer_is_offered_what_it_lacks(busy):
    starting(busy, make_peer(fast=True), [1])
    assert offered(busy) == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("fast", "have", "upload_only"), [(False, (), False), (True, range(PIECES), False), (True, (), True)]
)
def test_others_are_offered_nothing(busy, fast, have, upload_only):
    peer = make_peer(fast=fast)
    peer.upload_only = upload_only
    starting(busy, peer, have)
    assert offered(busy) == []


def test_nothing_is_offered_to_who_gets_a_slot_anyway():
    swarm = make_swarm(have=range(PIECES), slots=1)
    starting(swarm, make_peer(fast=True))
    assert offered(swarm) == []


def test_nothing_is_offered_that_we_lack():
    swarm = make_swarm(have=[3], slots=1)
    interested(swarm, make_peer(99))
    starting(swarm, make_peer(fast=True))
    assert offered(swarm) == [3]


def test_in_a_crowd_few_are_offered_something(busy):
    """Nor does it help to leave and come again."""
    for number in range(1, MOST_GUESTS + 2):
        busy.leave(starting(busy, make_peer(number, fast=True)))
    assert len(offered(busy)) == MOST_GUESTS * PIECES
    starting(busy, make_peer(50, fast=True), now=NOW + GUEST_SECONDS - 1)
    assert offered(busy) == []
    starting(busy, make_peer(51, fast=True), now=NOW + GUEST_SECONDS)
    assert len(offered(busy)) == PIECES


def test_what_is_offered_is_given_although_it_is_choked(busy):
    peer = starting(busy, make_peer(fast=True), [1])
    busy.commands.take()
    mine, other = every_block(0), wire.Request(1, 0, BLOCK)
    busy.serving.requested(peer, [*mine, other], NOW)
    assert busy.commands.take() == [Send(peer.id, (wire.Reject(1, 0, BLOCK),)), Serve(peer.id, tuple(mine))]
    assert peer.bad_requests == 0


def test_but_so_often_and_no_more(busy):
    peer = starting(busy, make_peer(fast=True))
    whole = tuple(every_block(0))
    for _ in range(MOST_FOR_NOTHING):
        busy.serving.requested(peer, list(whole), NOW)
        assert busy.commands.of(Serve) == [Serve(peer.id, whole)]
        busy.serving.served(peer, whole, NOW)
    busy.serving.requested(peer, list(whole), NOW)
    assert busy.commands.of(Serve) == []


def test_a_choke_leaves_what_may_be_had_for_nothing(busy):
    peer = starting(busy, make_peer(fast=True), [1])
    peer.interested = True
    busy.leave(busy.peers[99])
    assert not peer.we_choke
    free, other = wire.Request(0, 0, BLOCK), wire.Request(1, 0, BLOCK)
    busy.serving.requested(peer, [free, other], NOW)
    busy.commands.take()
    peer.interested = False
    busy.serving.interest_changed(peer, NOW)
    assert busy.commands.take() == [Send(peer.id, (wire.Choke(),)), Unserve(peer.id, (other,))]
    assert list(peer.serving) == [free]


# -- the choked who ask on -------------------------------------------------------------------------------------------


def test_who_asks_on_although_choked_is_a_nuisance_at_last(served):
    swarm, peer = served
    peer.interested = False
    swarm.serving.interest_changed(peer, NOW)
    request = wire.Request(0, 0, BLOCK)
    swarm.serving.requested(peer, [request] * MOST_QUEUED, NOW + LATE_SECONDS - 1)
    swarm.serving.requested(peer, [request] * MOST_BAD_REQUESTS, NOW + LATE_SECONDS)
    assert swarm.serving.complaint(peer) is None
    swarm.serving.requested(peer, [request], NOW + LATE_SECONDS)
    assert swarm.serving.complaint(peer) == "asks although it is choked"
    peer.interested = True
    swarm.serving.interest_changed(peer, NOW + LATE_SECONDS)
    assert swarm.serving.complaint(peer) is None


# -- superseeding ----------------------------------------------------------------------------------------------------


def superseed(*, fast: bool) -> tuple[Swarm, Peer, list[int]]:
    """A superseed with one peer, and what it was told of."""
    swarm = make_swarm(have=range(PIECES), superseed=True)
    peer = make_peer(fast=fast)
    assert swarm.serving.opening(peer) == ((wire.HaveNone(),) if fast else ())
    swarm.join(peer)
    return swarm, peer, haves(swarm, peer)


def haves(swarm: Swarm, peer: Peer) -> list[int]:
    sends = [send for send in swarm.commands.of(Send) if send.peer == peer.id]
    return [message.piece for send in sends for message in send.messages if isinstance(message, wire.Have)]


@pytest.mark.parametrize("fast", [False, True])
def test_a_superseed_seems_to_have_what_it_tells_of(fast):
    swarm, peer, told = superseed(fast=fast)
    assert len(told) == OFFERS
    assert not swarm.serving.upload_only, "or the peer would leave as soon as it has these"
    other = next(piece for piece in range(PIECES) if piece not in told)
    peer.interested = True
    swarm.serving.interest_changed(peer, NOW)
    swarm.commands.take()
    swarm.serving.requested(peer, [wire.Request(told[0], 0, 10), wire.Request(other, 0, 10)], NOW)
    assert swarm.commands.of(Serve) == [Serve(peer.id, (wire.Request(told[0], 0, 10),))]
    assert peer.bad_requests == 1


def test_a_superseed_tells_of_more_when_a_piece_was_passed_on():
    swarm, peer, told = superseed(fast=True)
    other = swarm.join(make_peer(2))
    swarm.commands.take()
    swarm.serving.gained(other, told[0], NOW)
    (third,) = haves(swarm, peer)
    swarm.serving.opened(swarm.join(make_peer(3), [told[1]]), NOW)
    (fourth,) = haves(swarm, peer)
    assert len({*told, third, fourth}) == 4


def test_a_superseed_becomes_a_seed():
    swarm, peer, told = superseed(fast=True)
    for number in (2, 3):
        swarm.serving.opened(swarm.join(make_peer(number), range(PIECES)), NOW)
    assert swarm.serving.opening(make_peer(4, fast=True)) == (wire.HaveAll(),)
    told += haves(swarm, peer)
    swarm.serving.tick(NOW + 1)
    told += haves(swarm, peer)
    assert sorted(told) == list(range(PIECES))
    swarm.serving.tick(NOW + 2)
    assert swarm.serving.upload_only


def test_who_has_not_everything_is_no_superseed():
    swarm = make_swarm(have=[1], superseed=True)
    assert swarm.serving.opening(make_peer()) == (wire.Bitfield(bytes(Bitfield(PIECES, [1]))),)


def test_a_superseed_gives_nothing_for_nothing():
    swarm = make_swarm(have=range(PIECES), slots=1, superseed=True)
    interested(swarm, make_peer(99))
    starting(swarm, make_peer(fast=True))
    assert offered(swarm) == []
