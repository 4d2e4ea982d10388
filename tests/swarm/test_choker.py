"""Whom to serve, by tables."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.swarm.choker import NEW_PEER_SECONDS, Candidate, choose_optimistic, choose_unchoked
from trio_torrent.swarm.events import PeerId

OLD = NEW_PEER_SECONDS * 2


def some(*rates: float) -> list[Candidate]:
    """Peers 0, 1, 2... with these rates."""
    return [Candidate(PeerId(number), rate, OLD) for number, rate in enumerate(rates)]


@pytest.mark.parametrize(
    ("rates", "optimistic", "slots", "chosen"),
    [
        ((), None, 4, set()),
        ((), 7, 4, set()),
        ((5, 9, 1, 7), None, 2, {1, 3}),
        ((5, 9, 1, 7), None, 9, {0, 1, 2, 3}),
        ((5, 9, 1, 7), 2, 2, {1, 2}),  # the optimistic one takes a slot
        ((5, 9, 1, 7), 1, 2, {1, 3}),  # also when it would have had one
        ((5, 9, 1, 7), 2, 1, {2}),
        ((5, 9, 1, 7), 99, 2, {1, 3}),  # it has left, or lost interest
        ((0, 0, 0), None, 2, {0, 1}),  # nobody gives anything: whoever came first
    ],
)
def test_choose_unchoked(rates, optimistic, slots, chosen):
    assert choose_unchoked(some(*rates), optimistic=optimistic, slots=slots) == chosen


@given(rates=st.lists(st.floats(0, 1e9), max_size=12), optimistic=st.integers(0, 12), slots=st.integers(1, 8))
def test_every_slot_is_used_and_nobody_slower_is_chosen(rates, optimistic, slots):
    candidates = some(*rates)
    chosen = choose_unchoked(candidates, optimistic=PeerId(optimistic), slots=slots)
    assert len(chosen) == min(slots, len(candidates))
    left_out = [candidate.rate for candidate in candidates if candidate.peer not in chosen]
    by_rate = [candidate.rate for candidate in candidates if candidate.peer in chosen and candidate.peer != optimistic]
    assert not left_out or not by_rate or min(by_rate) >= max(left_out)


@pytest.mark.parametrize("seed", range(5))
def test_the_optimistic_one_is_choked_so_far(seed):
    unchoked = frozenset({PeerId(0), PeerId(2)})
    assert choose_optimistic(some(1, 2, 3, 4), unchoked=unchoked, random=Random(seed)) in {1, 3}


def test_there_is_none_when_all_are_unchoked():
    assert choose_optimistic(some(1), unchoked=frozenset({PeerId(0)}), random=Random(1)) is None
    assert choose_optimistic([], unchoked=frozenset(), random=Random(1)) is None


def test_newcomers_are_three_times_as_likely():
    candidates = [Candidate(PeerId(0), 0, OLD), Candidate(PeerId(1), 0, NEW_PEER_SECONDS - 1)]
    random = Random(1)
    picks = [choose_optimistic(candidates, unchoked=frozenset(), random=random) for _ in range(2000)]
    assert 0.7 < picks.count(PeerId(1)) / len(picks) < 0.8
