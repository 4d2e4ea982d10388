"""Buckets against counting everything anew."""

from collections import Counter
from random import Random

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.availability import Availability

SIZE = 6
PIECES = range(SIZE)
pieces = st.sampled_from(PIECES)
some_pieces = st.sets(pieces)


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.real = Availability(SIZE, PIECES, Random(1))
        self.waiting = set(PIECES)
        self.peers: list[tuple[Bitfield, bool]] = []  # what it has, and if it had everything from the start

    def count(self, piece: int, *, seeds: bool = True) -> int:
        return sum(piece in pieces and (seeds or not seed) for pieces, seed in self.peers)

    @rule(has=some_pieces | st.just(set(PIECES)))
    def join(self, has: set[int]) -> None:
        pieces = Bitfield(SIZE, has)
        self.real.joined(pieces)
        self.peers.append((pieces, pieces.complete))

    @rule(data=st.data(), piece=pieces)
    def gain(self, data: st.DataObject, piece: int) -> None:
        if self.peers:
            pieces, _ = data.draw(st.sampled_from(self.peers))
            if pieces.add(piece):
                self.real.gained(piece)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.peers:
            pieces, seed = self.peers.pop(data.draw(st.integers(0, len(self.peers) - 1)))
            self.real.left(pieces, as_seed=seed)

    @rule(piece=pieces)
    def begin_or_give_up(self, piece: int) -> None:
        if piece in self.waiting:
            self.real.take(piece)
        else:
            self.real.put(piece)
        self.waiting ^= {piece}

    @invariant()
    def counts_are_right(self) -> None:
        assert [self.real.count(piece) for piece in PIECES] == [self.count(piece) for piece in PIECES]
        assert {piece for piece in PIECES if self.real.waits(piece)} == self.waiting
        assert len(self.real) == len(self.waiting)

    @rule(has=some_pieces)
    def the_rarest_is_the_rarest(self, has: set[int]) -> None:
        rarest = self.real.rarest(Bitfield(SIZE, has))
        choices = {piece: self.count(piece, seeds=False) for piece in has & self.waiting}
        assert rarest is None if not choices else choices[rarest or 0] == min(choices.values())


Model.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestModel = Model.TestCase


def test_equally_rare_pieces_come_in_another_order_for_each_client():
    everything = Bitfield.full(100)
    firsts = Counter(Availability(100, range(100), Random(seed)).rarest(everything) for seed in range(30))
    assert len(firsts) > 15


def test_a_seed_changes_no_order():
    one, other = (Availability(50, range(50), Random(1)) for _ in range(2))
    other.joined(Bitfield.full(50))
    for _ in range(50):
        piece = one.rarest(Bitfield.full(50))
        assert piece is not None
        assert piece == other.rarest(Bitfield.full(50))
        assert other.count(piece) == 1
        one.take(piece)
        other.take(piece)


def test_pieces_that_do_not_wait_are_counted_all_the_same():
    availability = Availability(3, [2], Random(1))
    availability.joined(Bitfield(3, [0, 2]))
    assert availability.count(0) == 1
    availability.put(0)
    availability.gained(0)
    assert availability.rarest(Bitfield.full(3)) == 2
