"""Whom to dial, when, and for how long."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from trio_torrent.address import Address
from trio_torrent.swarm.candidates import (
    ATTEMPTS_PER_PLACE,
    GLANCE_SECONDS,
    LOOK_SECONDS,
    MOST_AT_ONCE,
    MOST_EAGER,
    MOST_LOOKS,
    MOST_TRYING,
    REST_SECONDS,
    SHORTAGE_SECONDS,
    Candidates,
)
from trio_torrent.swarm.events import Failure
from trio_torrent.swarm.mirror import Mirror
from trio_torrent.swarm.pool import MOST_FAILURES, USER
from trio_torrent.swarm.priority import priority

from .making import address

FAR_FUTURE = 1e9
MANY = 100  # free places
PEX = "peers"


def many(count: int) -> list[Address]:
    return [Address(f"198.51.{number >> 8}.{number & 255}", 1) for number in range(count)]


def having(*addresses: Address) -> Candidates:
    candidates = Candidates(Random(1))
    for start in range(0, len(addresses), MOST_AT_ONCE):
        candidates.add(addresses[start : start + MOST_AT_ONCE], PEX, frozenset())
    return candidates


def dialled(candidates: Candidates, now: float, free: int = MANY) -> list[Address]:
    return [attempt.address for attempt in candidates.next(now, free=free)]


# -- once, and not again ---------------------------------------------------------------------------------------------


def test_an_address_is_dialled_once():
    candidates = having(address(1))
    assert dialled(candidates, 0) == [address(1)]
    assert dialled(candidates, 0) == []
    assert (candidates.trying, len(candidates)) == (1, 1)
    candidates.joined(address(1))
    assert candidates.trying == 0
    assert dialled(candidates, FAR_FUTURE) == []


def test_what_is_known_is_not_added_again():
    candidates = having(address(1), address(1))
    assert len(candidates) == 1
    dialled(candidates, 0)
    candidates.add([address(1)], PEX, frozenset())
    assert dialled(candidates, FAR_FUTURE) == []


def test_the_banned_are_passed_over():
    candidates = Candidates(Random(1))
    candidates.add([address(1), address(2)], PEX, {address(1)})
    assert dialled(candidates, 0) == [address(2)]


def test_who_came_by_himself_and_is_not_known_is_not_dialled():
    candidates = having()
    candidates.joined(address(1))
    candidates.succeeded(address(1))
    candidates.left(address(1), 0)
    assert (len(candidates), dialled(candidates, FAR_FUTURE)) == (0, [])


def test_who_came_by_himself_and_is_named_then_is_not_dialled_meanwhile():
    candidates = having()
    candidates.joined(address(1))
    candidates.add([address(1)], PEX, frozenset())
    assert dialled(candidates, 0) == []
    candidates.left(address(1), 0)
    assert dialled(candidates, REST_SECONDS) == [address(1)]


def test_who_came_by_himself_from_where_he_listens_is_not_dialled_meanwhile():
    candidates = having(address(1))
    candidates.joined(address(1))
    assert dialled(candidates, 0) == []
    candidates.left(address(1), 0)
    assert dialled(candidates, REST_SECONDS - 1) == []
    assert dialled(candidates, REST_SECONDS) == [address(1)]


def test_who_came_by_himself_while_we_dialled_is_not_dialled_again():
    """The dial that is still on its way comes to nothing, or joins as well and is told to go; he is there all the
    same.
    """
    candidates = having(address(1))
    dialled(candidates, 0)
    candidates.joined(address(1))
    candidates.failed(address(1), 1, Failure.REFUSED)
    assert dialled(candidates, FAR_FUTURE) == []
    candidates.joined(address(1))
    candidates.left(address(1), 2)
    assert dialled(candidates, FAR_FUTURE) == []
    candidates.left(address(1), FAR_FUTURE)
    assert dialled(candidates, 2 * FAR_FUTURE) == [address(1)]


# -- how many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "count"),
    [(-5, 0), (0, 0), (1, ATTEMPTS_PER_PLACE), (7, 7 * ATTEMPTS_PER_PLACE), (1000, MOST_TRYING)],
)
def test_free_places_and_half_open_are_the_limits(free: int, count: int):
    assert len(dialled(having(*many(100)), 0, free)) == count


def test_an_answer_makes_room_for_another_dial():
    candidates = having(*many(100))
    first = dialled(candidates, 0)
    assert dialled(candidates, 0) == []
    candidates.joined(first[0])
    candidates.failed(first[1], 0, Failure.REFUSED)
    assert len(dialled(candidates, 0)) == 2


def test_of_what_a_stranger_names_at_once_only_so_much_is_looked_at():
    """The user may name as many as he likes."""
    for source, known in ((PEX, MOST_AT_ONCE), (USER, MOST_AT_ONCE + 100)):
        candidates = Candidates(Random(1))
        candidates.add(many(MOST_AT_ONCE + 100), source, frozenset())
        assert len(candidates) == known


# -- how long --------------------------------------------------------------------------------------------------------


def test_who_is_alone_gets_time():
    (attempt,) = having(address(1)).next(0, free=MANY)
    assert attempt.seconds == LOOK_SECONDS


def test_while_others_wait_it_is_a_glance():
    attempts = having(*many(MOST_TRYING + 1)).next(0, free=MANY)
    assert {attempt.seconds for attempt in attempts} == {GLANCE_SECONDS}


def test_looks_leave_room_for_glances():
    candidates = having(*many(MOST_TRYING))
    seconds = [attempt.seconds for attempt in candidates.next(0, free=MANY)]
    assert seconds.count(LOOK_SECONDS) == MOST_LOOKS
    assert seconds.count(GLANCE_SECONDS) == MOST_TRYING - MOST_LOOKS


def test_who_missed_the_glance_gets_a_look_when_everyone_has_had_theirs():
    addresses = many(MOST_TRYING + 5)
    candidates = having(*addresses)
    first = dialled(candidates, 0)
    for one in first:
        candidates.failed(one, GLANCE_SECONDS, Failure.LATE)
    second = candidates.next(GLANCE_SECONDS, free=MANY)
    assert {attempt.address for attempt in second[:5]} == set(addresses) - set(first)
    assert {attempt.seconds for attempt in second[5:]} == {LOOK_SECONDS}
    assert candidates.trying == MOST_LOOKS + (0 if second[0].seconds == LOOK_SECONDS else 5)


def black_holes(candidates: Candidates, seconds: float, *, since: float = 0.0) -> dict[Address, float]:
    """Nobody answers for so long; when each was dialled first."""
    first: dict[Address, float] = {}
    ends: dict[Address, float] = {}
    now = since
    while now < since + seconds:
        for one in [one for one, end in ends.items() if end <= now]:
            del ends[one]
            candidates.failed(one, now, Failure.LATE)
        for attempt in candidates.next(now, free=MANY):
            first.setdefault(attempt.address, now)
            ends[attempt.address] = now + attempt.seconds
        assert candidates.trying == len(ends) <= MOST_TRYING
        now += 0.25
    return first


def test_whoever_is_behind_200_black_holes_is_reached_in_seconds():
    first = black_holes(having(*many(201)), 30)
    assert len(first) == 201
    assert max(first.values()) <= 7 * GLANCE_SECONDS


def test_the_hopeless_do_not_stand_in_the_way_of_a_newcomer():
    """They have had their glances; now they get their looks, but not in all the places."""
    candidates = having(*many(200))
    black_holes(candidates, 12)
    assert candidates.trying == MOST_LOOKS
    candidates.add([address(1)], PEX, frozenset())
    assert dialled(candidates, 12) == [address(1)]


def test_a_glance_is_not_held_against_it_and_a_look_is():
    candidates = having(*many(MOST_TRYING + 1))
    one = dialled(candidates, 0)[0]
    candidates.failed(one, 1, Failure.LATE)
    known = candidates._pool.get(one)
    assert known is not None
    assert (known.failures, known.hurried) == (0, True)
    for other in candidates._trying.copy():
        candidates.failed(other, 1, Failure.REFUSED)
    assert one in dialled(candidates, 1)
    candidates.failed(one, 16, Failure.LATE)
    assert known.failures == 1


# -- failures --------------------------------------------------------------------------------------------------------


def test_failures_make_it_rest_longer_and_then_for_good():
    candidates, now = having(address(1)), 0.0
    for failures in range(1, MOST_FAILURES):
        assert dialled(candidates, now) == [address(1)]
        candidates.failed(address(1), now, Failure.REFUSED)
        assert dialled(candidates, now + REST_SECONDS * failures - 1) == []
        now += REST_SECONDS * failures
    assert dialled(candidates, now) == [address(1)]
    candidates.failed(address(1), now, Failure.REFUSED)
    assert dialled(candidates, FAR_FUTURE) == []
    assert (candidates.trying, len(candidates)) == (0, 1), "still known, so that it is not added again"


def test_success_wipes_the_slate():
    candidates, now = having(address(1)), 0.0
    for _ in range(10):
        assert dialled(candidates, now) == [address(1)]
        candidates.joined(address(1))
        candidates.succeeded(address(1))
        candidates.left(address(1), now)
        now += REST_SECONDS


def test_without_success_there_is_an_end():
    candidates, now = having(address(1)), 0.0
    for _ in range(MOST_FAILURES):
        assert dialled(candidates, now) == [address(1)]
        candidates.joined(address(1))
        candidates.left(address(1), now)
        now += REST_SECONDS * MOST_FAILURES
    assert dialled(candidates, FAR_FUTURE) == []


def test_our_own_shortage_is_nobodys_fault_and_makes_us_pause():
    candidates = having(address(1), address(2))
    assert len(dialled(candidates, 0, free=1)) == 2
    for _ in range(MOST_FAILURES + 1):
        candidates.failed(address(1), 0, Failure.SHORTAGE)
    candidates.failed(address(2), 0, Failure.SHORTAGE)
    assert dialled(candidates, SHORTAGE_SECONDS - 0.1) == []
    assert set(dialled(candidates, SHORTAGE_SECONDS)) == {address(1), address(2)}


def refused(candidates: Candidates, one: Address, now: float, until: float) -> list[float]:
    """When it is dialled, if it refuses every time."""
    times = []
    while now < until:
        if one in dialled(candidates, now):
            times.append(now)
            candidates.failed(one, now, Failure.REFUSED)
        now += 0.5
    return times


SOON = [0, 1, 3, 7, 15, 31, 63]
"""And those that follow are failures."""


def test_whom_the_user_names_may_be_starting_up():
    candidates = Candidates(Random(1))
    candidates.add([address(1)], USER, frozenset())
    first = SOON[-1] + REST_SECONDS
    assert refused(candidates, address(1), 0, first + 2 * REST_SECONDS) == [*SOON, first]


def test_whom_the_user_names_is_never_given_up():
    """Nobody else may ever name it."""
    candidates = Candidates(Random(1))
    candidates.add([address(1)], USER, frozenset())
    late = refused(candidates, address(1), 0, 4 * 3600)[-10:]
    assert [after - before for before, after in pairwise(late)] == [MOST_FAILURES * REST_SECONDS] * 9


def test_nobody_else_makes_us_call_again_so_soon():
    candidates = having(address(1))
    assert refused(candidates, address(1), 0, 1000) == [0, REST_SECONDS, 3 * REST_SECONDS]
    candidates.add([address(1)], USER, frozenset())
    assert refused(candidates, address(1), 1000, 1100) == [1000 + seconds for seconds in SOON]
    candidates.add([address(2)], PEX, frozenset())
    refused(candidates, address(2), 2000, 3000)
    candidates.add([address(2)], PEX, frozenset())
    assert refused(candidates, address(2), 3000, 4000) == [3000], "one more try"


def test_a_link_that_names_many_does_not_make_us_knock_at_all_their_doors_so_soon():
    candidates = Candidates(Random(1))
    candidates.add(many(MOST_EAGER), USER, frozenset())
    assert refused(candidates, many(1)[0], 0, 1.5) == [0, 1]
    candidates.add([address(1)], USER, frozenset())
    assert refused(candidates, address(1), 2, 10) == [2]


def test_one_of_the_users_own_who_was_here_may_be_starting_again():
    candidates = Candidates(Random(1))
    candidates.add([address(1)], USER, frozenset())
    refused(candidates, address(1), 0, 64)
    candidates.joined(address(1))
    candidates.succeeded(address(1))
    candidates.left(address(1), 100)
    assert refused(candidates, address(1), 100, 164) == [160, 161, 163]


def test_one_of_the_users_own_that_does_not_answer_at_all_is_left_alone():
    candidates = Candidates(Random(1))
    candidates.add([address(1)], USER, frozenset())
    dialled(candidates, 0)
    candidates.failed(address(1), LOOK_SECONDS, Failure.LATE)
    assert dialled(candidates, LOOK_SECONDS + REST_SECONDS - 1) == []


@pytest.mark.parametrize("how", ["dial", "peer"])
def test_for_good_is_for_good(how: str):
    candidates = having(address(1))
    dialled(candidates, 0)
    if how == "dial":
        candidates.failed(address(1), 0, Failure.FOR_GOOD)
    else:
        candidates.joined(address(1))
        candidates.left(address(1), 0, for_good=True)
    candidates.add([address(1)], PEX, frozenset())
    assert dialled(candidates, FAR_FUTURE) == []


def test_named_again_a_given_up_address_gets_one_more_try():
    """It may have been our own line that was down."""
    candidates, now = having(address(1)), 0.0
    for _ in range(MOST_FAILURES):
        assert dialled(candidates, now) == [address(1)]
        candidates.failed(address(1), now, Failure.REFUSED)
        now += 1000
    assert dialled(candidates, now) == []
    candidates.add([address(1)], PEX, frozenset())
    assert dialled(candidates, now) == [address(1)]
    candidates.failed(address(1), now, Failure.REFUSED)
    assert dialled(candidates, FAR_FUTURE) == []


def test_whom_the_user_names_again_need_not_rest():
    candidates = having(address(1))
    dialled(candidates, 0)
    candidates.failed(address(1), 0, Failure.REFUSED)
    candidates.add([address(1)], PEX, frozenset())
    assert dialled(candidates, 1) == []
    candidates.add([address(1)], USER, frozenset())
    assert dialled(candidates, 1) == [address(1)]


# -- in which order --------------------------------------------------------------------------------------------------


def test_whoever_is_first_is_not_decided_by_who_named_them():
    assert dialled(having(*many(300)), 0, free=1) != many(300)[:ATTEMPTS_PER_PLACE]


def test_where_we_know_our_address_the_order_is_canonical():
    us = Address("123.213.32.10", 6881)
    candidates = Candidates(Random(1), mirror=Mirror(known=[us]))
    candidates.add(many(500), PEX, frozenset())
    order = dialled(candidates, 0)
    ranks = [priority(us, one) or 0 for one in order]
    assert ranks == sorted((priority(us, one) or 0 for one in many(500)), reverse=True)[: len(ranks)]


def test_when_our_address_becomes_known_the_order_becomes_canonical():
    us, mirror = Address("123.213.32.10", 6881), Mirror(6881)
    candidates = Candidates(Random(1), mirror=mirror)
    candidates.add(many(500), PEX, frozenset())
    for name in "abc":
        mirror.told(f"{name}.example", us.host)
    ranks = [priority(us, one) or 0 for one in dialled(candidates, 0)]
    assert ranks == sorted((priority(us, one) or 0 for one in many(500)), reverse=True)[: len(ranks)]


def test_whom_the_user_names_comes_first():
    candidates = having(*many(300))
    candidates.add([address(1)], USER, frozenset())
    assert dialled(candidates, 0)[0] == address(1)


def test_ipv4_and_ipv6_are_tried_by_turns():
    sixes = [Address(f"2a00:{number:x}::1", 1) for number in range(300)]
    candidates = having(*sixes, *many(MOST_TRYING // 2))
    order = dialled(candidates, 0)
    assert sum(":" in one.host for one in order) == MOST_TRYING // 2
    assert [":" in one.host for one in order[:4]] in ([True, False] * 2, [False, True] * 2)


def test_the_end_of_a_rest_is_noticed_though_others_are_added_and_leave():
    candidates = having(address(1), address(2))
    dialled(candidates, 0)
    candidates.failed(address(1), 0, Failure.REFUSED)
    candidates.joined(address(2))
    for second in range(int(REST_SECONDS)):
        assert dialled(candidates, second) == []
    candidates.add([address(3)], PEX, frozenset())
    assert set(dialled(candidates, REST_SECONDS)) == {address(1), address(3)}


def test_whoever_named_an_address_first_is_counted():
    candidates = having(address(1), address(2))
    candidates.add([address(2), address(3)], "tracker x", frozenset())
    assert candidates.named == {PEX: 2, "tracker x": 1}
    candidates.named[PEX] = 0  # a copy
    assert candidates.named[PEX] == 2


def test_who_rests_is_called_at_once_when_we_want_something_again():
    candidates = having(address(1), address(2))
    assert len(dialled(candidates, 0)) == 2
    candidates.joined(address(1))
    candidates.left(address(1), 0)
    candidates.joined(address(2))
    candidates.left(address(2), 0, for_good=True)
    assert dialled(candidates, REST_SECONDS - 1) == []
    candidates.recall()
    assert dialled(candidates, REST_SECONDS - 1) == [address(1)], "the other has nothing for us, ever"
