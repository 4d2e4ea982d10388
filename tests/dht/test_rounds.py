"""When peers are looked for again."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from trio_torrent.dht.rounds import FEW_FIRST, FEW_MOST, JITTER, REGULAR, THIN, THIN_FIRST, Rounds


def one(rounds: Rounds, now: float, *, few: bool, nodes: int = 8, peers: int = 0) -> float:
    """A whole round, that ends at `now`; the seconds until the next."""
    rounds.begin()
    rounds.looking()
    rounds.found(peers)
    rounds.met(nodes, nodes)
    rounds.end(now, few=few)
    return rounds.due(few=few) - now


def about(seconds: float) -> object:
    return pytest.approx(seconds, rel=JITTER)


def several(count: int, *, few: bool, nodes: int = 8) -> list[float]:
    rounds, now, pauses = Rounds(Random(1)), 0.0, []
    for _ in range(count):
        pauses.append(one(rounds, now, few=few, nodes=nodes))
        now += pauses[-1]
    return pauses


def test_the_first_is_due_at_once():
    assert Rounds(Random(1)).due(few=False) < 0


def test_with_enough_peers_it_is_every_quarter_of_an_hour():
    pauses = several(20, few=False)
    assert pauses == [about(REGULAR)] * 20
    assert len(set(pauses)) == 20, "torrents that began together must part"


def test_with_few_peers_it_is_soon_then_less_often():
    assert several(5, few=True) == [about(FEW_FIRST * factor) for factor in (1, 2, 4)] + [about(FEW_MOST)] * 2


@pytest.mark.parametrize("few", [False, True])
def test_when_the_dht_itself_is_young_it_is_sooner_still(few):
    pauses = several(1000, few=few, nodes=THIN - 1)
    assert pauses[:3] == [about(THIN_FIRST), about(2 * THIN_FIRST), about(4 * THIN_FIRST)]
    assert all(later > sooner for sooner, later in pairwise(pauses[:5]))
    assert pauses[-1] == about(FEW_MOST)


def test_haste_is_forgotten():
    rounds = Rounds(Random(1))
    assert [one(rounds, 0, few=True) for _ in range(3)][-1] == about(4 * FEW_FIRST)
    assert one(rounds, 0, few=False) == about(REGULAR)
    assert one(rounds, 0, few=True) == about(FEW_FIRST)


def test_peers_that_become_few_bring_it_forward():
    rounds = Rounds(Random(1))
    one(rounds, 0, few=False)
    assert rounds.due(few=True) == about(FEW_FIRST)


def test_a_wish_is_granted_once_and_not_at_once():
    rounds = Rounds(Random(1))
    one(rounds, 0, few=False)
    rounds.wish()
    assert rounds.due(few=False) == about(FEW_FIRST)
    assert one(rounds, 100, few=False) == about(REGULAR)


def test_the_status_says_what_goes_on():
    rounds = Rounds(Random(1))
    assert str(rounds.status(0, few=True, ready=False)) == "not looking"
    rounds.begin()
    assert str(rounds.status(0, few=True, ready=False)) == "waiting for the first node"
    assert str(rounds.status(0, few=True, ready=True)) == "waiting for its turn"
    rounds.looking()
    assert str(rounds.status(1, few=True, ready=True)) == "looking for peers"
    rounds.found(2)
    rounds.found(3)
    assert str(rounds.status(1, few=True, ready=True)) == "looking for peers: 5 given"
    rounds.met(40, 8)
    rounds.met(20, 7)
    rounds.end(10, few=False)
    status = rounds.status(40, few=False, ready=True)
    assert (status.peers, status.nodes, status.announced_to, status.last) == (5, 60, 15, 30)
    assert status.next == about(REGULAR - 30)
    assert str(status).startswith("working: 5 given, 60 nodes answered, next lookup in ")
    rounds.stop()
    assert (rounds.status(40, few=False, ready=True).state, rounds.status(40, few=False, ready=True).next) == (
        "not looking",
        None,
    )


def test_the_status_of_silence():
    rounds = Rounds(Random(1))
    one(rounds, 0, few=False, nodes=0)
    status = rounds.status(1000, few=False, ready=True)
    assert (status.state, status.next, str(status)) == (
        "no node has answered",
        0,
        "no node has answered: next lookup in 0 s",
    )
