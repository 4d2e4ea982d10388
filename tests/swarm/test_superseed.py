"""Which pieces a superseed tells of, and when it stops to be one."""

from collections import Counter
from copy import deepcopy
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.superseed import (
    ENOUGH,
    HAVES_AT_ONCE,
    OFFERS,
    PASSING_SECONDS,
    PATIENCE_SECONDS,
    Superseed,
    Telling,
)

from .making import NOW

SIZE = 12  # pieces
LENGTH = 100  # bytes of each


class Told:
    """A superseed, and what peers heard of it."""

    def __init__(self, size: int = SIZE, *, slots: int = 0, seed: int = 1) -> None:
        self.superseed = Superseed(Geometry.contiguous(LENGTH, size * LENGTH), slots=slots, random=Random(seed))
        self.size = size
        self.told: dict[int, list[int]] = {}
        self.now = NOW

    def hear(self, telling: Telling) -> dict[int, list[int]]:
        for peer, pieces in telling.items():
            self.told[peer] += pieces
        return {int(peer): list(pieces) for peer, pieces in telling.items()}

    def joins(self, peer: int, have: tuple[int, ...] = ()) -> dict[int, list[int]]:
        self.told[peer] = []
        said = self.hear(self.superseed.joined(PeerId(peer), self.now))
        self.hear(self.superseed.opened(PeerId(peer), Bitfield(self.size, have), self.now))
        return said

    def gains(self, peer: int, *pieces: int) -> dict[int, list[int]]:
        said: dict[int, list[int]] = {}
        for piece in pieces:
            said.update(self.hear(self.superseed.gained(PeerId(peer), piece, self.now)))
        return said

    def sends(self, peer: int, piece: int, size: int) -> dict[int, list[int]]:
        return self.hear(self.superseed.sent(PeerId(peer), piece, size, self.now))

    def passes(self, seconds: float) -> dict[int, list[int]]:
        self.now += seconds
        return self.hear(self.superseed.tick(self.now))


def test_everybody_is_told_of_pieces_of_its_own():
    table = Told()
    for peer in range(1, 7):
        assert len(table.joins(peer)[peer]) == OFFERS
    assert sorted(piece for pieces in table.told.values() for piece in pieces) == list(range(SIZE))


def test_the_order_is_random():
    assert Told(seed=1).joins(1) != Told(seed=2).joins(1)


def test_there_is_no_more_until_somebody_else_has_it():
    table = Told()
    one, two = table.joins(1)[1], table.joins(2)[2]
    assert table.gains(1, *one) == {}
    assert table.passes(1) == {}
    assert list(table.gains(2, one[0])) == [1]
    assert list(table.gains(1, *two)) == [2]


@pytest.mark.parametrize(("slots", "waits"), [(2, True), (3, False)])
def test_where_there_are_slots_for_all_nobody_waits(slots, waits):
    table = Told(slots=slots)
    first = table.joins(1)[1]
    table.joins(2)
    table.joins(3)
    assert (table.gains(1, first[0]) == {}) == waits


def test_nobody_is_told_of_what_it_has():
    """But what it is told of at first: then it has not said yet what it has."""
    table = Told(slots=1)
    table.joins(1, have=tuple(range(SIZE - 1)))
    table.passes(1)
    assert SIZE - 1 in table.told[1]
    assert not set(table.told[1][OFFERS:]) & set(range(SIZE - 1))


def test_what_others_have_comes_last():
    table = Told()
    table.joins(1, have=tuple(range(SIZE - 4)))
    table.joins(2)
    table.joins(3)
    rare = set(range(SIZE - 4, SIZE))
    assert rare <= {*table.told[1], *table.told[2], *table.told[3]}


def test_only_what_was_told_is_shown():
    table = Told()
    (piece, _) = table.joins(1)[1]
    assert table.superseed.shows(PeerId(1), piece)
    table.joins(2)
    assert not table.superseed.shows(PeerId(2), piece)


def test_what_left_with_its_only_owner_is_offered_to_others():
    table = Told()
    lost = table.joins(1)[1]
    table.joins(2)
    table.gains(1, lost[0])
    table.superseed.left(PeerId(1))
    for peer in range(3, 8):
        table.joins(peer)
    assert set(lost) <= {piece for peer in range(3, 8) for piece in table.told[peer]}


def test_a_seed_that_leaves_still_counts():
    table = Told()
    for peer in (1, 2):
        table.joins(peer, have=tuple(range(SIZE)))
        table.superseed.left(PeerId(peer))
    assert table.superseed.over


def test_who_stays_away_and_comes_again_counts_once():
    table = Told()
    for _ in range(3):
        table.joins(1, have=tuple(range(SIZE - 1)))
        table.superseed.left(PeerId(1))
    assert not table.superseed.over


def test_what_was_sent_to_a_peer_it_has():
    """Many do not say so to us, who have it."""
    table = Told()
    one, two = table.joins(1)[1], table.joins(2)[2]
    table.sends(1, one[0], LENGTH - 1)
    table.sends(1, two[0], LENGTH)  # it was not told of that
    assert table.passes(PASSING_SECONDS) == {}
    assert table.sends(1, one[0], 1) == {}
    assert list(table.passes(PASSING_SECONDS)) == [1]


def test_alone_with_us_a_silent_peer_gets_everything():
    table = Told(slots=1)
    table.joins(1)
    for piece in table.told[1]:  # which grows
        table.sends(1, piece, LENGTH)
    assert sorted(table.told[1]) == list(range(SIZE))


def test_who_can_pass_nothing_on_gets_more_after_a_while():
    table = Told()
    one = table.joins(1)[1]
    table.joins(2)
    table.now += 50
    table.gains(1, *one)
    assert table.passes(PASSING_SECONDS - 1) == {}
    assert [len(pieces) for pieces in table.passes(1).values()] == [OFFERS]


def test_what_one_does_not_fetch_goes_to_another():
    table = Told(4)
    one, two = table.joins(1)[1], table.joins(2)[2]
    assert table.passes(PATIENCE_SECONDS - 1) == {}
    assert table.passes(1) == {1: two, 2: one}


def test_when_it_is_over_everybody_learns_of_everything():
    table = Told()
    for peer in (1, 2, 3):
        table.joins(peer)
    for peer in (1, 2):
        table.gains(peer, *range(SIZE - 1))
    table.passes(1)
    assert not table.superseed.over
    assert table.gains(1, SIZE - 1) | table.gains(2, SIZE - 1) == {}
    table.passes(1)
    assert sorted(table.told[3]) == list(range(SIZE))
    assert table.passes(1) == {}
    assert table.joins(4) == {}
    assert table.superseed.shows(PeerId(4), 0)


def test_a_large_torrent_is_revealed_in_portions():
    size = HAVES_AT_ONCE * 2 + 500
    table = Told(size)
    table.joins(3)
    for peer in (1, 2):
        table.joins(peer, have=tuple(range(size)))
    before = len(table.told[3])
    portions = [len(table.passes(1).get(3, [])) for _ in range(4)]
    assert portions == [HAVES_AT_ONCE, HAVES_AT_ONCE, 500 - before, 0]


class World(RuleBasedStateMachine):
    """Three peers, four pieces, in any order: pieces are never forgotten, and the counts are right."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Told(4)
        self.has: dict[int, set[int]] = {}
        self.gone: Counter[int] = Counter()  # pieces of those who left complete

    @rule(peer=st.integers(1, 3), have=st.sets(st.integers(0, 3)))
    def join(self, peer: int, have: set[int]) -> None:
        if peer not in self.has:
            self.has[peer] = {0, 1, 2, 3} if self.table.superseed.over else have  # else it hears of everything at once
            self.table.joins(peer, tuple(have))

    @rule(peer=st.integers(1, 3), piece=st.integers(0, 3))
    def gain(self, peer: int, piece: int) -> None:
        if peer in self.has:
            self.has[peer].add(piece)
            self.table.gains(peer, piece)

    @rule(peer=st.integers(1, 3))
    def leave(self, peer: int) -> None:
        has = self.has.pop(peer, None)
        self.table.superseed.left(PeerId(peer))
        if has is not None and len(has) == 4:
            self.gone.update(has)

    @rule(seconds=st.sampled_from([1.0, PATIENCE_SECONDS]))
    def pass_(self, seconds: float) -> None:
        self.table.passes(seconds)

    @invariant()
    def nobody_is_told_twice(self) -> None:
        for peer in self.has:
            assert len(set(self.table.told[peer])) == len(self.table.told[peer])

    @invariant()
    def it_is_over_when_enough_have_everything(self) -> None:
        seen = [self.gone[piece] + sum(piece in has for has in self.has.values()) for piece in range(4)]
        assert self.table.superseed.over or min(seen) < ENOUGH

    @invariant()
    def whoever_lacks_something_learns_of_it_at_last(self) -> None:
        """Whatever has happened, patience is enough."""
        table = deepcopy(self.table)
        for _ in range(6):
            table.passes(PATIENCE_SECONDS)
        for peer, has in self.has.items():
            assert has | set(table.told[peer]) == {0, 1, 2, 3}, peer


World.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestWorld = pytest.mark.slow(World.TestCase)
