"""Whom we unchoke, and what we answer."""

import pytest

from trio_torrent.swarm.choker import OPTIMISTIC_SECONDS, RECHOKE_SECONDS
from trio_torrent.swarm.commands import Send, Serve, Unserve
from trio_torrent.swarm.peers import Peer
from trio_torrent.swarm.serving import MOST_ASKED, MOST_BAD_REQUESTS, MOST_QUEUED
from trio_torrent.wire import messages as wire

from .making import BLOCK, NOW, PIECES, Swarm, make_peer, make_swarm


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
    swarm.serving.requested(peer, requests)
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
    swarm.serving.requested(peer, [request_])
    refusal = Send(peer.id, (wire.Reject(request_.piece, request_.offset, request_.length),))
    assert swarm.commands.take() == ([refusal] if peer.fast else [])
    assert (peer.bad_requests, peer.serving) == (1, {})


def test_the_choked_are_refused_and_it_is_no_fault_of_theirs(served):
    swarm, peer = served
    peer.we_choke = True
    swarm.serving.requested(peer, [wire.Request(0, 0, BLOCK)])
    assert len(swarm.commands.take()) == peer.fast
    assert (peer.bad_requests, peer.serving) == (0, {})


def test_asking_twice_is_asking_once(served):
    swarm, peer = served
    request = wire.Request(0, 0, BLOCK)
    swarm.serving.requested(peer, [request, request])
    swarm.serving.requested(peer, [request])
    assert swarm.commands.take() == [Serve(peer.id, (request,))]


def test_a_peer_may_queue_so_much_and_no_more(served):
    """Also when all of it comes in one chunk."""
    swarm, peer = served
    requests = [wire.Request(0, offset, 16) for offset in range(MOST_QUEUED + 500)]
    swarm.serving.requested(peer, requests[: MOST_QUEUED - 1])
    swarm.commands.take()
    swarm.serving.requested(peer, requests[MOST_QUEUED - 1 :])
    assert len(peer.serving) == MOST_QUEUED
    assert swarm.commands.of(Serve) == [Serve(peer.id, (requests[MOST_QUEUED - 1],))]
    assert peer.bad_requests == 0


def test_refusals_are_said_together():
    """A peer that had thousands of requests on their way when it was choked reads what we say, and is not cut off."""
    swarm = make_swarm(have=[0])
    peer = swarm.join(make_peer(fast=True))
    requests = [wire.Request(0, offset, 16) for offset in range(3000)]
    swarm.serving.requested(peer, requests)
    assert swarm.commands.take() == [
        Send(peer.id, tuple(wire.Reject(request.piece, request.offset, request.length) for request in requests))
    ]
    assert not swarm.serving.is_nuisance(peer)


def test_a_nuisance_is_one_after_so_many(served):
    swarm, peer = served
    swarm.serving.requested(peer, [wire.Request(1, 0, BLOCK)] * MOST_BAD_REQUESTS)
    assert not swarm.serving.is_nuisance(peer)
    swarm.serving.requested(peer, [wire.Request(1, 0, BLOCK)])
    assert swarm.serving.is_nuisance(peer)


def test_a_cancelled_request_is_not_served(served):
    swarm, peer = served
    request = wire.Request(0, 0, BLOCK)
    swarm.serving.requested(peer, [request])
    swarm.commands.take()
    swarm.serving.cancelled(peer, wire.Cancel(0, 0, BLOCK))
    swarm.serving.cancelled(peer, wire.Cancel(0, 0, BLOCK))
    assert swarm.commands.take() == [Unserve(peer.id, (request,))]
    assert peer.serving == {}


def test_what_is_served_is_counted_and_no_longer_waits(served):
    swarm, peer = served
    requests = (wire.Request(0, 0, BLOCK), wire.Request(4, 0, 1000))
    swarm.serving.requested(peer, list(requests))
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
    swarm.serving.requested(peer, [wire.Request(0, 0, BLOCK)])
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
    swarm.serving.tick(NOW + RECHOKE_SECONDS - 0.1)
    assert unchoked(swarm) == {slow.id}
    swarm.serving.tick(NOW + RECHOKE_SECONDS)
    assert unchoked(swarm) == {fast.id}
    swarm.commands.take()
    swarm.serving.tick(NOW + RECHOKE_SECONDS + 0.1)
    assert swarm.commands.take() == []


def test_a_seed_looks_at_who_takes_the_most():
    swarm = make_swarm(have=range(PIECES), slots=1)
    gives, takes = interested(swarm, make_peer(1)), interested(swarm, make_peer(2))
    gives.from_them.add(9000, NOW + 9)
    takes.to_them.add(1000, NOW + 9)
    swarm.serving.tick(NOW + RECHOKE_SECONDS)
    assert unchoked(swarm) == {takes.id}


def test_every_thirty_seconds_somebody_else_is_tried():
    swarm = make_swarm(slots=2)
    best, second, hopeful = (interested(swarm, make_peer(number)) for number in (1, 2, 3))
    swarm.serving.tick(NOW + RECHOKE_SECONDS)
    for peer, count in ((best, 9000), (second, 5000)):
        peer.from_them.add(count, NOW + OPTIMISTIC_SECONDS - 1)
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
