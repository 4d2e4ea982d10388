"""Who may stay, and who goes for whom."""

from __future__ import annotations

import attrs
import pytest

from trio_torrent.swarm.admission import MOST_FROM_A_SITE, Guest, Verdict, admit, incoming_places, least
from trio_torrent.swarm.events import PeerId

IDEAL = Guest(PeerId(0), None, incoming=False, useful=True, active=True, rank=5, since=0.0)
FULL = Verdict(refusal="too many connections")
YES = Verdict()


def guest(number: int, **what) -> Guest:
    return attrs.evolve(IDEAL, peer=PeerId(number), since=float(number), **what)


def instead_of(number: int) -> Verdict:
    return Verdict(instead_of=PeerId(number))


NEWCOMER = guest(100, useful=False, incoming=True)
DIALLED = guest(100, useful=False)


def judge(newcomer: Guest, *guests: Guest, places: int = 3, incoming: int = 3, crowded: bool = False) -> Verdict:
    return admit(newcomer, guests, places=places, incoming=incoming, crowded=crowded)


def test_while_there_is_room_everyone_is_welcome():
    assert judge(NEWCOMER) == YES
    assert judge(NEWCOMER, guest(1), guest(2)) == YES


def test_among_the_ideal_there_is_no_room():
    assert judge(NEWCOMER, guest(1), guest(2), guest(3)) == FULL
    assert judge(DIALLED, guest(1), guest(2), guest(3)) == FULL


def test_the_useless_go_first_and_the_longest_of_them():
    guests = [guest(1), guest(2, useful=False), guest(3, useful=False)]
    assert judge(NEWCOMER, *guests) == instead_of(2)
    assert judge(NEWCOMER, *reversed(guests)) == instead_of(2)


def test_of_the_useless_those_go_who_are_many_at_one_site():
    guests = [guest(1, useful=False, site="a"), guest(2, useful=False, site="b"), guest(3, useful=False, site="b")]
    assert judge(NEWCOMER, *guests) == instead_of(2)


@pytest.mark.parametrize(("rank", "verdict"), [(3, FULL), (4, FULL), (5, instead_of(2)), (9, instead_of(2))])
def test_the_idle_go_for_a_higher_rank(rank: int, verdict: Verdict):
    guests = [guest(1, rank=1), guest(2, active=False, rank=4), guest(3, active=False, rank=8)]
    assert judge(attrs.evolve(NEWCOMER, rank=rank), *guests) == verdict


def test_who_comes_in_does_not_take_the_places_that_are_kept():
    inside = [guest(1, incoming=True), guest(2, incoming=True)]
    assert judge(NEWCOMER, *inside, incoming=2) == FULL
    assert judge(DIALLED, *inside, incoming=2) == YES
    assert judge(NEWCOMER, *inside, guest(3, useful=False), incoming=2) == FULL, "that place is not his to take"
    assert judge(NEWCOMER, guest(1, incoming=True, useful=False), guest(2, incoming=True), incoming=2) == instead_of(1)


def test_what_was_lent_to_those_who_came_in_is_taken_back():
    """There was nobody to be dialled when they came."""
    guests = [guest(number, incoming=True, rank=10 - number) for number in (1, 2, 3)]
    assert judge(DIALLED, *guests, incoming=2) == instead_of(3)
    assert judge(DIALLED, *guests, incoming=3) == FULL


def test_a_public_host_has_only_so_many():
    family = [guest(number, incoming=True, site="a") for number in range(MOST_FROM_A_SITE)]
    newcomer = attrs.evolve(NEWCOMER, site="a")
    refused = Verdict(refusal="too many connections from its host")
    assert judge(newcomer, *family, places=50, incoming=50) == refused
    assert judge(newcomer, *family[1:], places=50, incoming=50) == YES
    assert judge(attrs.evolve(newcomer, site="b"), *family, places=50, incoming=50) == YES
    assert judge(attrs.evolve(newcomer, site=None), *family, places=50, incoming=50) == YES
    assert judge(attrs.evolve(newcomer, incoming=False), *family, places=50, incoming=50) == YES


def test_at_a_public_host_the_useless_go_for_their_neighbours():
    family = [guest(number, incoming=True, site="a", useful=number != 2) for number in range(MOST_FROM_A_SITE)]
    assert judge(attrs.evolve(NEWCOMER, site="a"), *family, places=50, incoming=50) == instead_of(2)


def test_in_a_crowd_another_must_go():
    assert judge(NEWCOMER, guest(1), crowded=True) == FULL
    assert judge(NEWCOMER, crowded=True) == FULL
    assert judge(NEWCOMER, guest(1), guest(2, useful=False), crowded=True) == instead_of(2)


def test_whom_to_part_with_if_it_must_be():
    assert least([]) is None
    assert least([guest(1)]) == 1
    assert least([guest(1, rank=1), guest(2, rank=9, active=False)]) == 2
    assert least([guest(1, rank=3), guest(2, rank=2)]) == 2
    assert least([guest(1, active=False), guest(2, useful=False), guest(3, useful=False)]) == 2


@pytest.mark.parametrize(("places", "theirs"), [(1, 1), (2, 2), (3, 3), (4, 3), (10, 7), (50, 35)])
def test_a_share_is_kept_for_those_whom_we_choose(places: int, theirs: int):
    assert incoming_places(places, others_wait=True) == theirs
    assert incoming_places(places, others_wait=False) == places
