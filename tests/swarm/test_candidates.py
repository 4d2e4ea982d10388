"""Whom to dial, and when."""

from random import Random

import pytest

from trio_torrent.address import Address
from trio_torrent.swarm.candidates import MOST_FAILURES, MOST_HALF_OPEN, MOST_KNOWN, REST_SECONDS, Candidates

from .making import address

FAR_FUTURE = 1e9


def many(count: int) -> list[Address]:
    return [Address(f"198.51.{number >> 8}.{number & 255}", 1) for number in range(count)]


def having(*addresses: Address) -> Candidates:
    candidates = Candidates(Random(1))
    candidates.add(addresses, frozenset())
    return candidates


def test_an_address_is_dialled_once():
    candidates = having(address(1))
    assert candidates.next(0, room=10) == [address(1)]
    assert candidates.next(0, room=10) == []
    assert (candidates.half_open, candidates.busy, len(candidates)) == (1, 1, 1)
    candidates.connected(address(1))
    assert (candidates.half_open, candidates.busy) == (0, 1)
    assert candidates.next(FAR_FUTURE, room=10) == []


def test_what_is_known_is_not_added_again():
    candidates = having(address(1), address(1))
    assert len(candidates) == 1
    candidates.next(0, room=10)
    candidates.add([address(1)], frozenset())
    assert candidates.next(FAR_FUTURE, room=10) == []


def test_the_banned_are_passed_over():
    candidates = Candidates(Random(1))
    candidates.add([address(1), address(2)], {address(1)})
    assert candidates.next(0, room=10) == [address(2)]


def test_no_more_than_so_many_are_known():
    """Whoever is first in a flood of addresses is not decided by who sent it."""
    candidates = having(*many(MOST_KNOWN + 500))
    assert len(candidates) == MOST_KNOWN
    candidates.add([address(9)], frozenset())
    assert len(candidates) == MOST_KNOWN
    assert candidates.next(0, room=3) != many(3)


@pytest.mark.parametrize(("room", "dialled"), [(-5, 0), (0, 0), (1, 1), (7, 7), (1000, MOST_HALF_OPEN)])
def test_room_and_half_open_are_the_limits(room: int, dialled: int):
    assert len(having(*many(100)).next(0, room=room)) == dialled


def test_an_answer_makes_room_for_another_dial():
    candidates = having(*many(100))
    first = candidates.next(0, room=100)
    assert candidates.next(0, room=100) == []
    candidates.connected(first[0])
    candidates.failed(first[1], 0)
    assert len(candidates.next(0, room=100)) == 2


def test_failures_make_it_rest_longer_and_then_for_good():
    candidates, now = having(address(1)), 0.0
    for failures in range(1, MOST_FAILURES):
        assert candidates.next(now, room=1) == [address(1)]
        candidates.failed(address(1), now)
        assert candidates.next(now + REST_SECONDS * failures - 0.1, room=1) == []
        now += REST_SECONDS * failures
    assert candidates.next(now, room=1) == [address(1)]
    candidates.failed(address(1), now)
    assert candidates.next(FAR_FUTURE, room=1) == []
    assert (candidates.busy, len(candidates)) == (0, 1), "still known, so that it is not added again"


def test_success_wipes_the_slate():
    candidates, now = having(address(1)), 0.0
    for _ in range(10):
        assert candidates.next(now, room=1) == [address(1)]
        candidates.connected(address(1))
        candidates.succeeded(address(1))
        candidates.failed(address(1), now)
        now += REST_SECONDS


def test_for_good_is_for_good():
    candidates = having(address(1))
    candidates.next(0, room=1)
    candidates.failed(address(1), 0, for_good=True)
    assert candidates.next(FAR_FUTURE, room=1) == []


def test_who_came_by_himself_takes_room_and_is_not_dialled():
    candidates = having()
    candidates.arrived(address(1))
    candidates.succeeded(address(1))
    assert candidates.busy == 1
    candidates.failed(address(1), 0)
    assert (candidates.busy, len(candidates)) == (0, 0)
    assert candidates.next(FAR_FUTURE, room=1) == []


def test_who_came_by_himself_from_where_he_listens_is_not_dialled_meanwhile():
    candidates = having(address(1))
    candidates.arrived(address(1))
    assert candidates.next(0, room=1) == []
    candidates.failed(address(1), 0)
    assert candidates.next(REST_SECONDS, room=1) == [address(1)]


def test_who_came_by_himself_and_lied_is_not_dialled_afterwards():
    candidates = having(address(1))
    candidates.arrived(address(1))
    candidates.failed(address(1), 0, for_good=True)
    assert candidates.next(FAR_FUTURE, room=1) == []


def given_up(*addresses: Address) -> Candidates:
    candidates = having(*addresses)
    now = 0.0
    for _ in range(MOST_FAILURES):
        for dialled in candidates.next(now, room=MOST_KNOWN):
            candidates.failed(dialled, now)
        while (more := candidates.next(now, room=MOST_KNOWN)) != []:
            for dialled in more:
                candidates.failed(dialled, now)
        now += 1000
    return candidates


def test_named_again_a_given_up_address_gets_one_more_try():
    """It may have been our own line that was down."""
    candidates = given_up(address(1))
    assert candidates.next(FAR_FUTURE, room=10) == []
    candidates.add([address(1)], frozenset())
    assert candidates.next(FAR_FUTURE, room=10) == [address(1)]
    candidates.failed(address(1), FAR_FUTURE)
    assert candidates.next(2 * FAR_FUTURE, room=10) == []


def test_what_is_no_use_for_good_gets_none():
    candidates = having(address(1))
    candidates.next(0, room=1)
    candidates.failed(address(1), 0, for_good=True)
    candidates.add([address(1)], frozenset())
    assert candidates.next(FAR_FUTURE, room=10) == []


def test_the_given_up_make_room():
    candidates = given_up(*many(MOST_KNOWN))
    candidates.add([address(1)], frozenset())
    assert candidates.next(0, room=10) == [address(1)]
    assert len(candidates) == MOST_KNOWN
