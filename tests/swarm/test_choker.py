"""Whom to serve, by tables; and rounds, turns and slots over time."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.choker import (
    IDLE_TURN_SECONDS,
    LONGEST_TURN_SECONDS,
    NEW_PEER_SECONDS,
    OPTIMISTIC_SECONDS,
    ROUND_SECONDS,
    SLOT_STEP,
    TURN_BYTES,
    TURN_SECONDS,
    Candidate,
    Choker,
    choose_optimistic,
    choose_unchoked,
    slots_that_pay,
)
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.peers import Peer

from .making import NOW, PIECES, make_peer

OLD = NEW_PEER_SECONDS * 2


def waits(number: int, since: float = 0.0, *, gives: float = 0.0, snubs: bool = False, age: float = OLD) -> Candidate:
    return Candidate(peer=PeerId(number), since=since, gives=gives, snubs=snubs, age=age)


def holds(number: int, since: float = 0.0, *, sent: int = 1, gives: float = 0.0) -> Candidate:
    return Candidate(peer=PeerId(number), since=since, sent=sent, gives=gives, unchoked=True, age=OLD)


def some(*rates: float) -> list[Candidate]:
    """Peers 0, 1, 2... that give so much."""
    return [waits(number, gives=rate) for number, rate in enumerate(rates)]


# -- for what they give ----------------------------------------------------------------------------------------------


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
    ],
)
def test_the_fastest_and_the_optimistic_one(rates, optimistic, slots, chosen):
    assert choose_unchoked(some(*rates), seeding=False, optimistic=optimistic, slots=slots) == chosen


@pytest.mark.parametrize(
    ("candidates", "slots", "chosen"),
    [
        ([waits(1, gives=9, snubs=True), waits(2), waits(3)], 2, {2, 3}),
        ([waits(1, gives=9, snubs=True), waits(2)], 2, {1, 2}),  # there is nobody else
        ([waits(1, 5), waits(2, 50), waits(3, 20)], 2, {2, 3}),  # nobody gives anything: who has waited the longest
        ([holds(1), waits(2, 50), waits(3, gives=1)], 2, {1, 3}),
        ([holds(1, gives=5), waits(2, gives=6)], 1, {2}),
    ],
)
def test_snubs_and_ties(candidates, slots, chosen):
    assert choose_unchoked(candidates, seeding=False, slots=slots) == chosen


def test_who_snubs_us_may_be_the_optimistic_one():
    candidates = [waits(1, snubs=True), waits(2), waits(3)]
    assert choose_unchoked(candidates, seeding=False, optimistic=PeerId(1), slots=2) == {1, 2}


@given(
    rates=st.lists(st.floats(0, 1e9), max_size=12),
    optimistic=st.integers(0, 12),
    slots=st.integers(1, 8),
    seeding=st.booleans(),
)
def test_every_slot_is_used_and_nobody_slower_is_chosen(rates, optimistic, slots, seeding):
    candidates = some(*rates)
    chosen = choose_unchoked(candidates, seeding=seeding, optimistic=PeerId(optimistic), slots=slots)
    assert len(chosen) == min(slots, len(candidates))
    left_out = [candidate.gives for candidate in candidates if candidate.peer not in chosen]
    by_rate = [candidate.gives for candidate in candidates if candidate.peer in chosen and candidate.peer != optimistic]
    assert seeding or not left_out or not by_rate or min(by_rate) >= max(left_out)


# -- in turn ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "over"),
    [
        (holds(1, TURN_SECONDS, sent=TURN_BYTES), True),
        (holds(1, TURN_SECONDS - 1, sent=TURN_BYTES * 9), False),
        (holds(1, LONGEST_TURN_SECONDS - 1, sent=TURN_BYTES - 1), False),
        (holds(1, LONGEST_TURN_SECONDS, sent=1), True),
        (holds(1, IDLE_TURN_SECONDS, sent=0), True),
        (holds(1, IDLE_TURN_SECONDS - 1, sent=0), False),
        (waits(1, LONGEST_TURN_SECONDS * 9), False),
    ],
)
def test_when_a_turn_is_over(candidate, over):
    assert candidate.has_had_its_turn == over


FULL = TURN_BYTES


@pytest.mark.parametrize(
    ("candidates", "slots", "chosen"),
    [
        ([holds(1, 10), holds(2, 5), waits(3, 900)], 2, {1, 2}),  # a turn is not interrupted
        ([holds(1, 60, sent=FULL), holds(2, 5), waits(3, 1)], 2, {2, 3}),
        ([holds(1, 60, sent=FULL), waits(2, 7), waits(3, 8)], 1, {3}),
        ([holds(1, 60, sent=FULL), holds(2, 60, sent=FULL + 1), waits(3)], 2, {1, 3}),
        ([holds(1, 60, sent=FULL), holds(2, 60, sent=FULL)], 2, {1, 2}),  # nobody waits
        ([holds(1, 60), holds(2, 50), holds(3, 70)], 2, {1, 3}),  # there are fewer slots now
    ],
)
def test_a_seed_serves_in_turn(candidates, slots, chosen):
    assert choose_unchoked(candidates, seeding=True, slots=slots) == chosen


# -- at random -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_optimistic_one_is_choked_so_far(seed):
    candidates = [holds(0), waits(1), holds(2), waits(3)]
    assert choose_optimistic(candidates, Random(seed)) in {1, 3}


def test_there_is_none_when_all_are_unchoked():
    assert choose_optimistic([holds(0)], Random(1)) is None
    assert choose_optimistic([], Random(1)) is None


def test_newcomers_are_three_times_as_likely():
    candidates = [waits(0), waits(1, age=NEW_PEER_SECONDS - 1)]
    random = Random(1)
    picks = [choose_optimistic(candidates, random) for _ in range(2000)]
    assert 0.7 < picks.count(PeerId(1)) / len(picks) < 0.8


# -- how many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("takes", "slots"),
    [
        ([], 2),
        ([SLOT_STEP], 2),
        ([SLOT_STEP * 2] * 2, 3),
        ([SLOT_STEP * 2] * 7, 3),  # a third would have to carry half as much again
        ([SLOT_STEP * 100, 1, 1], 2),
        ([SLOT_STEP * 100] * 8, 10),
        ([SLOT_STEP * 100] * 90, 112),
        ([1, SLOT_STEP * 3, SLOT_STEP * 3, SLOT_STEP * 3], 4),
    ],
)
def test_how_many_slots_pay(takes, slots):
    assert slots_that_pay(takes, least=2) == slots


@pytest.mark.parametrize("link", [100e3, 2e6, 10e6, 100e6])
def test_on_a_full_link_the_slots_settle_where_the_last_one_pays(link):
    slots = 2
    for _ in range(50):
        slots = slots_that_pay([link / slots] * slots, least=2)
    assert slots == 2 or 0.6 < slots / (link / SLOT_STEP) ** 0.5 < 1.4


# -- over time -------------------------------------------------------------------------------------------------------


class Table:
    """A choker with its peers, which it is obeyed for."""

    def __init__(self, *, slots: int, peers: int, seeding: bool) -> None:
        self.peers: dict[PeerId, Peer] = {}
        self.choker = Choker(self.peers, random=Random(1), slots=slots, now=NOW)
        self.now = NOW
        self.seeding = seeding
        for number in range(1, peers + 1):
            self.comes(number)

    def comes(self, number: int) -> Peer:
        peer = self.peers[PeerId(number)] = make_peer(number, joined=self.now)
        peer.interested = True
        self.choker.joined(peer, self.now)
        return peer

    def round(self) -> set[PeerId]:
        self.now += ROUND_SECONDS
        assert self.choker.end_round(self.now)
        chosen = self.choker.choose(self.now, seeding=self.seeding)
        for peer in self.peers.values():
            if peer.we_choke != (peer.id not in chosen):
                peer.we_choke = not peer.we_choke
                self.choker.turned(peer, self.now)
        return set(chosen)

    def serve(self, size: int) -> None:
        for peer in self.peers.values():
            if not peer.we_choke:
                peer.to_them.add(size, self.now)


def test_a_round_takes_its_time():
    table = Table(slots=1, peers=1, seeding=True)
    assert not table.choker.end_round(NOW + ROUND_SECONDS - 0.1)
    assert table.choker.end_round(NOW + ROUND_SECONDS)
    assert not table.choker.end_round(NOW + ROUND_SECONDS + 0.1)


@pytest.mark.parametrize("rate", [0, 1, SLOT_STEP - 1, SLOT_STEP * 100])
def test_a_seed_serves_everybody_about_as_often(rate):
    """However fast or slow they take it; nobody waits for ever."""
    table = Table(slots=4, peers=18, seeding=True)
    turns = Counter(table.peers.keys())
    before: set[PeerId] = set()
    for _ in range(200):
        chosen = table.round()
        turns.update(chosen - before)
        before = chosen
        assert not rate or max(turns.values()) - min(turns.values()) <= 1
        table.serve(int(rate * ROUND_SECONDS))
    assert min(turns.values()) > 2


def test_shares_of_a_seed_are_alike():
    table = Table(slots=3, peers=10, seeding=True)
    for _ in range(300):
        table.round()
        table.serve(TURN_BYTES // 2)
    totals = [peer.to_them.total for peer in table.peers.values()]
    assert min(totals) > 0.9 * max(totals)


def test_who_comes_again_and_again_is_served_no_sooner():
    table = Table(slots=1, peers=4, seeding=True)
    served: set[PeerId] = set()
    for number in range(100, 150):
        returning = table.comes(number)
        served |= table.round()
        table.serve(1)
        table.choker.left(table.peers.pop(returning.id))
    assert served == {1, 2, 3, 4}


def test_every_third_round_somebody_is_tried():
    table = Table(slots=2, peers=12, seeding=False)
    tried = set()
    for _ in range(60):
        for number in (1, 2):
            table.peers[PeerId(number)].from_them.add(9_000_000, table.now)
        chosen = table.round()
        assert chosen & {1, 2}
        tried |= chosen - {1, 2}
    assert len(tried) >= 8
    assert OPTIMISTIC_SECONDS == 3 * ROUND_SECONDS


def test_rates_are_averaged_over_rounds():
    """One burst is worth less than a steady stream."""
    table = Table(slots=1, peers=2, seeding=False)
    burst, steady = table.peers[PeerId(1)], table.peers[PeerId(2)]
    burst.from_them.add(900_000, table.now)
    for _ in range(2):
        steady.from_them.add(500_000, table.now)
        table.round()
    assert table.choker.choose(table.now, seeding=False) == {steady.id}


def test_who_wants_nothing_gets_nothing():
    table = Table(slots=9, peers=4, seeding=True)
    one, two, three, four = table.peers.values()
    one.interested = False
    two.upload_only = True
    three.pieces = Bitfield.full(PIECES)  # whatever it says
    assert table.round() == {four.id}
    assert table.choker.next_in_line() is None


def test_slots_grow_while_they_pay_and_shrink_when_not():
    table = Table(slots=2, peers=20, seeding=True)
    for _ in range(20):
        table.serve(int(SLOT_STEP * 10 * ROUND_SECONDS))
        chosen = table.round()
    assert len(chosen) == 12
    assert len(table.round()) == 2, "they took nothing any more"


def test_next_in_line_is_who_gives_then_who_has_waited():
    table = Table(slots=1, peers=0, seeding=False)
    first = table.comes(1)
    table.now += 1
    second, third = table.comes(2), table.comes(3)
    assert table.choker.next_in_line() is first
    third.from_them.add(1, table.now)
    table.choker.end_round(table.now + ROUND_SECONDS)
    assert table.choker.next_in_line() is third
    third.snubbed = True
    assert table.choker.next_in_line() is first
    first.we_choke = False
    assert table.choker.next_in_line() is second


def test_room():
    table = Table(slots=1, peers=2, seeding=True)
    room = [table.choker.has_room]
    table.round()
    room.append(table.choker.has_room)
    table.choker.left(table.peers.pop(PeerId(1)))
    room.append(table.choker.has_room)
    assert room == [True, False, True]
