"""Which block is next, and which state everything is in."""

from functools import partial
from random import Random

import pytest

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm.availability import HIGH, LOW, NORMAL, SKIP
from trio_torrent.swarm.budget import PIECE_BUDGET, UNWRITTEN_BUDGET
from trio_torrent.swarm.copies import MOST_ASKERS, Helper
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.picker import (
    COMMON_FIRST,
    HELD_UP_SECONDS,
    LEAD_SECONDS,
    Picker,
)
from trio_torrent.swarm.urgent import URGENT_SECONDS, Giver
from trio_torrent.wire.messages import Request

from .making import BLOCK, GEOMETRY, NOW, PIECES, address, every_block

ONE, TWO = PeerId(1), PeerId(2)
ALL = Bitfield.full(PIECES)
EVERYTHING = 1000
MIB = 1 << 20


def make(have=(), geometry: Geometry = GEOMETRY) -> Picker:
    return Picker(geometry, Bitfield(geometry.pieces, have), Random(1))


def arrive(picker: Picker, requests: list[Request], giver: int = 1) -> None:
    for request in requests:
        picker.arrived(PeerId(giver), address(giver), request.piece, [request.offset])


def helper(peer: PeerId, pieces: Bitfield = ALL, seconds: float = 1.0, others: float = 100.0) -> partial[Helper]:
    return partial(Helper, peer, pieces, seconds, lambda _: others)


def key(request: Request) -> tuple[int, int]:
    return request.piece, request.offset


# -- asking ----------------------------------------------------------------------------------------------------------


def test_every_block_is_asked_for_once():
    picker = make()
    picked = picker.pick(ONE, ALL, EVERYTHING, NOW)
    assert sorted(picked, key=key) == [block for piece in range(PIECES) for block in every_block(piece)]
    assert picker.pick(TWO, ALL, EVERYTHING, NOW) == []


def test_only_what_is_lacking_and_what_the_peer_has():
    picker = make(have=[0, 1])
    picked = picker.pick(ONE, Bitfield(PIECES, [1, 2, 4]), EVERYTHING, NOW)
    assert {request.piece for request in picked} == {2, 4}


def test_no_more_than_there_is_room_for_and_in_the_order_of_the_piece():
    picker = make()
    first = picker.pick(ONE, Bitfield(PIECES, [2]), 1, NOW)
    assert first == every_block(2)[:1]
    assert picker.pick(ONE, ALL, 0, NOW) == []


def test_what_is_begun_is_finished_first_by_whoever_can():
    picker = make()
    picker.pick(ONE, Bitfield(PIECES, [2]), 1, NOW)
    assert picker.pick(TWO, ALL, 1, NOW) == every_block(2)[1:]


def order(requests: list[Request]) -> list[int]:
    """The pieces, in the order in which they come."""
    return list(dict.fromkeys(request.piece for request in requests))


def crowd(*sets: list[int], pieces: int = 12, have=range(COMMON_FIRST)) -> Picker:
    """A picker that has enough to trade, among peers with these pieces."""
    picker = make(have, Geometry.contiguous(2 * BLOCK, pieces * 2 * BLOCK))
    for some in sets:
        picker.availability.joined(Bitfield(pieces, some))
    return picker


def test_the_first_pieces_are_the_commonest_and_then_the_rarest():
    picker = crowd([4, 5, 6, 7, 8], [4, 5, 6, 7], [4, 5, 6], [4, 5], [4], have=range(COMMON_FIRST - 1))
    assert order(picker.pick(ONE, Bitfield(12, [4, 5, 7, 8]), 2, NOW)) == [4]
    finish(picker, 4)
    assert order(picker.pick(ONE, Bitfield(12, [5, 7, 8]), EVERYTHING, NOW)) == [8, 7, 5]


def finish(picker: Picker, piece: int) -> None:
    for request in [Request(piece, 0, BLOCK), Request(piece, BLOCK, BLOCK)]:
        picker.arrived(ONE, address(1), request.piece, [request.offset])
    picker.verified(piece)


def test_a_common_piece_that_is_begun_waits_for_a_rarer_one():
    picker = crowd([4, 5], [4])
    picker.pick(ONE, Bitfield(12, [4]), 1, NOW)
    assert order(picker.pick(TWO, Bitfield(12, [4, 5]), 3, NOW)) == [5, 4]


def test_priority_comes_before_rarity():
    picker = crowd([4, 5, 6], [4, 5], [4])
    picker.demand.prioritize(4, HIGH)
    picker.demand.prioritize(6, LOW)
    assert order(picker.pick(ONE, Bitfield(12, [4, 5, 6]), EVERYTHING, NOW)) == [4, 5, 6]


def test_what_is_not_wanted_is_not_fetched_until_it_is():
    picker = make(have=[0, 1, 2, 3])
    picker.demand.prioritize(4, SKIP)
    assert (picker.pick(ONE, ALL, EVERYTHING, NOW), picker.lacking.count) == ([], 0)
    picker.demand.prioritize(4, NORMAL)
    assert picker.pick(ONE, ALL, EVERYTHING, NOW) == every_block(4)


def test_a_piece_no_longer_wanted_can_be_given_up_in_flight():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    picker.demand.prioritize(4, SKIP)
    picker.release(ONE, 4, 0)
    picker.give_up(4)
    assert (picker.pick(ONE, ALL, EVERYTHING, NOW), list(picker.partials)) == ([], [])
    picker.demand.prioritize(4, NORMAL)
    assert picker.pick(ONE, ALL, EVERYTHING, NOW) == every_block(4)


def test_what_is_had_does_not_become_wanted_again():
    picker = make(have=[0, 1, 2, 3])
    picker.demand.prioritize(0, SKIP)
    picker.demand.prioritize(0, HIGH)
    assert {request.piece for request in picker.pick(ONE, ALL, EVERYTHING, NOW)} == {4}


def test_in_order_if_the_user_wants_it_so():
    picker = crowd([9, 10], [10])
    picker.sequential = True
    assert order(picker.pick(ONE, Bitfield.full(12), EVERYTHING, NOW)) == [4, 5, 6, 7, 8, 9, 10, 11]


def test_hints_come_before_rarity_but_not_before_what_is_not_there():
    picker = crowd([4, 5, 6], [5], [6])
    assert order(picker.pick(ONE, Bitfield(12, [4, 5]), EVERYTHING, NOW, hints=[6, 5])) == [5, 4]


def test_what_cannot_be_verified_yet_is_held_back():
    picker = make(have=[0, 1, 2])
    picker.demand.hold([3])
    assert order(picker.pick(ONE, ALL, EVERYTHING, NOW)) == [4]
    assert picker.lacking.count == 2
    picker.demand.unhold([3])
    assert order(picker.pick(ONE, ALL, EVERYTHING, NOW)) == [3]


def test_what_somebody_waits_for_comes_first_by_its_deadline():
    picker = crowd()
    picker.pick(ONE, Bitfield(12, [6]), 1, NOW)
    picker.demand.set_urgent([(9, NOW + 2), (8, NOW + 1), (6, NOW + 3), (0, NOW)], reading=True)
    assert order(picker.pick(TWO, Bitfield.full(12), 5, NOW)) == [8, 9, 6]


def test_a_late_block_that_somebody_waits_for_is_asked_of_a_second_peer():
    picker = crowd()
    picker.demand.set_urgent([(8, NOW)], reading=True)
    asked = picker.pick(ONE, Bitfield(12, [8]), EVERYTHING, NOW)
    everything = Bitfield.full(12)
    assert picker.pick_again(helper(TWO, everything), EVERYTHING, NOW) == []
    late = NOW + URGENT_SECONDS + 0.1
    assert picker.pick_again(helper(TWO, everything), EVERYTHING, late) == asked


def test_what_laggards_were_asked_for_is_asked_of_others_before_it_is_late():
    picker, needed = crowd(), NOW + LEAD_SECONDS
    picker.demand.set_urgent([(8, needed)], reading=True)
    asked = picker.pick(ONE, Bitfield(12, [8]), EVERYTHING, NOW)
    soon = NOW + URGENT_SECONDS + 0.1
    assert picker.pick_again(helper(TWO, Bitfield.full(12)), EVERYTHING, soon) == []
    picker.has_laggards = True
    assert picker.pick_again(helper(TWO, Bitfield.full(12), others=1.1), EVERYTHING, soon) == [], "hardly sooner"
    assert picker.pick_again(helper(TWO, Bitfield.full(12)), EVERYTHING, soon) == asked


def test_reading_on_begins_a_piece_although_the_budget_is_used_up():
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker, everything = make(geometry=long), Bitfield.full(20)
    used = {request.piece for request in picker.pick(ONE, everything, 100_000, NOW)}
    unused = min(set(range(20)) - used)
    picker.demand.set_urgent([(unused, NOW)], reading=True)
    assert order(picker.pick(TWO, everything, 5, NOW)) == [unused]


def test_what_somebody_waits_for_is_spread_over_all_who_give():
    picker = make(geometry=Geometry.contiguous(8 * BLOCK, 4 * 8 * BLOCK))
    everything, half = Bitfield.full(4), Giver(0.5)
    picker.demand.set_urgent([(2, NOW)], reading=True)
    one = picker.pick(ONE, everything, 6, NOW, giver=half)
    assert [request.piece == 2 for request in one] == [True] * 4 + [False] * 2
    two = picker.pick(TWO, everything, 6, NOW, giver=half)
    assert {request.offset for request in one + two if request.piece == 2} == set(range(0, 8 * BLOCK, BLOCK))


def test_a_share_is_no_limit_to_who_has_nothing_else_to_do():
    picker = make(have=[0, 1, 3])
    picker.demand.set_urgent([(2, NOW)], reading=True)
    assert len(picker.pick(ONE, Bitfield(PIECES, [2]), 6, NOW, giver=Giver(0.5))) == 2


def test_what_only_readers_want_is_lacking_while_they_wait_for_it():
    picker = make(have=[0, 1, 2])
    for piece in (3, 4):
        picker.demand.prioritize(piece, SKIP)
    assert (picker.lacking.count, picker.demand.is_done) == (0, True)
    assert picker.demand.set_urgent([(3, NOW), (0, NOW)], reading=True)
    assert (list(picker.lacking), picker.demand.is_done, picker.demand.is_read) == ([3], True, True)
    assert not picker.demand.set_urgent([(3, NOW + 1)], reading=True), "as before"
    assert picker.demand.set_urgent([], reading=False)
    assert (picker.lacking.count, picker.availability.waits(3), picker.demand.is_read) == (0, False, False)


def test_what_was_begun_for_a_reader_is_finished_when_he_has_gone():
    picker = make(have=[0, 1, 2])
    picker.demand.prioritize(3, SKIP)
    picker.demand.prioritize(4, SKIP)
    picker.demand.set_urgent([(3, NOW)], reading=True)
    asked = picker.pick(ONE, ALL, 1, NOW)
    assert not picker.demand.set_urgent([], reading=False)
    asked += picker.pick(ONE, ALL, EVERYTHING, NOW)
    assert asked == every_block(3)
    arrive(picker, asked)
    picker.verified(3)
    assert (picker.lacking.count, picker.demand.is_done) == (0, True)


@pytest.mark.parametrize("in_flight", [False, True])
def test_what_is_deselected_while_it_is_read_stays_lacking_for_the_reader(in_flight: bool):
    picker = make(have=[0, 1, 2, 4])
    picker.demand.set_urgent([(3, NOW)], reading=True)
    asked = picker.pick(ONE, ALL, 1, NOW) if in_flight else []
    picker.demand.prioritize(3, SKIP)
    assert (picker.demand.is_done, list(picker.lacking)) == (True, [3])
    assert asked + picker.pick(TWO, ALL, EVERYTHING, NOW) == every_block(3)
    picker.demand.prioritize(3, HIGH)
    assert not picker.demand.is_done


def test_what_is_in_the_way_of_readers_is_given_up():
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker, everything = make(geometry=long), Bitfield.full(20)
    picker.pick(ONE, everything, 100_000, NOW)
    assert len(list(picker.partials)) == 3
    unused = [piece for piece in range(20) if not picker.is_in_flight(piece)]
    picker.demand.set_urgent([(piece, NOW) for piece in unused[:3]], reading=True)
    assert picker.in_the_way() == [], "there is room for two more"
    picker.pick(TWO, everything, 2000, NOW)
    oldest = next(iter(picker.partials))
    (given_up,) = picker.in_the_way()
    assert given_up in {partial.piece for partial in picker.partials} - set(unused[:3])
    for offset in list(oldest.asked):
        picker.release(ONE, oldest.piece, offset)
    assert picker.in_the_way() == [oldest.piece], "of which nothing was asked and nothing has come"


def test_slow_peers_that_hold_up_every_piece_are_helped_out():
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker, everything = make(geometry=long), Bitfield.full(20)
    asked = picker.pick(ONE, everything, 100_000, NOW)
    assert picker.pick_again(helper(TWO, everything), 3, NOW) == []
    assert picker.pick_again(helper(TWO, everything), 3, NOW + HELD_UP_SECONDS + 0.1) == asked[:3], "the oldest first"


def test_nothing_is_begun_when_too_much_is_in_flight():
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker = make(geometry=long)
    picked = picker.pick(ONE, Bitfield.full(long.pieces), 100_000, NOW)
    assert len(picked) * BLOCK == PIECE_BUDGET


def test_two_pieces_are_always_allowed_however_long():
    huge = Geometry.contiguous(2 * PIECE_BUDGET, 10 * 2 * PIECE_BUDGET)
    picker = make(geometry=huge)
    assert len({request.piece for request in picker.pick(ONE, Bitfield.full(10), 100_000, NOW)}) == 2


def test_nothing_is_begun_while_too_much_is_unwritten():
    geometry = Geometry.contiguous(MIB, 40 * MIB)
    picker, everything = make(geometry=geometry), Bitfield.full(40)
    while requests := picker.pick(ONE, everything, MIB // BLOCK, NOW):
        arrive(picker, requests)
    assert len(picker.verifying) == UNWRITTEN_BUDGET // MIB
    picker.verified(min(picker.verifying))
    assert picker.pick(ONE, everything, EVERYTHING, NOW)


# -- the endgame -----------------------------------------------------------------------------------------------------


def test_before_the_end_nothing_is_asked_for_twice():
    picker = make()
    picker.pick(ONE, Bitfield(PIECES, [0, 1, 2, 3]), EVERYTHING, NOW)
    assert picker.pick_again(helper(TWO), EVERYTHING, NOW) == [], "a piece waits"
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    picker.release(ONE, 0, 0)
    assert picker.pick_again(helper(TWO), EVERYTHING, NOW) == [], "a block is missing"


def test_at_the_end_others_are_asked_what_is_asked_of_the_fewest_and_latest():
    picker = make(have=[1, 2, 3])
    asked = [key(request) for request in picker.pick(ONE, ALL, EVERYTHING, NOW)]
    taken: list[tuple[int, int]] = []
    for peer in (2, 3, 4):
        again = picker.pick_again(helper(PeerId(peer), ALL), 1, NOW)
        taken += [key(request) for request in again]
        assert all(request in every_block(request.piece) for request in again)
    assert taken == asked[::-1]
    assert picker.askers(*asked[-1]) == [ONE, TWO]


def test_nobody_is_asked_twice_for_the_same_nor_for_what_he_lacks():
    picker = make(have=[1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    assert picker.pick_again(helper(ONE), EVERYTHING, NOW) == []
    assert {request.piece for request in picker.pick_again(helper(TWO, Bitfield(PIECES, [4])), EVERYTHING, NOW)} == {4}


def test_nobody_is_asked_twice_for_what_another_has_left():
    """Although it was in the line before."""
    picker, three = make(have=[0, 1, 2]), PeerId(3)
    asked = picker.pick(ONE, ALL, EVERYTHING, NOW)
    picker.pick_again(helper(TWO), EVERYTHING, NOW)
    assert picker.pick_again(helper(three, others=1.2), EVERYTHING, NOW) == [], "all are in the line again"
    picker.release(TWO, asked[0].piece, asked[0].offset)
    again = picker.pick_again(helper(three), EVERYTHING, NOW)
    assert sorted(map(key, again)) == sorted(map(key, asked))


def test_of_a_few_at_once_at_most_but_for_one_that_is_much_faster():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    for number in range(2, MOST_ASKERS + 1):
        assert len(picker.pick_again(helper(PeerId(number), others=2), EVERYTHING, NOW)) == 1
    assert picker.pick_again(helper(PeerId(8), others=2), EVERYTHING, NOW) == []
    assert len(picker.pick_again(helper(PeerId(9), others=5), EVERYTHING, NOW)) == 1


def test_an_equally_slow_peer_is_no_help():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    assert picker.pick_again(helper(TWO, others=1.2), EVERYTHING, NOW) == []


def test_the_first_copy_settles_it():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    picker.pick_again(helper(TWO), EVERYTHING, NOW)
    assert picker.arrived(TWO, address(2), 4, [0]) == ([(0, [ONE])], True)
    assert picker.verifying == {4}


def test_a_block_is_missing_only_when_nobody_is_asked_any_more():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING, NOW)
    picker.pick_again(helper(TWO), EVERYTHING, NOW)
    picker.release(ONE, 4, 0)
    assert picker.pick(ONE, ALL, EVERYTHING, NOW) == []
    picker.release(TWO, 4, 0)
    assert picker.pick(ONE, ALL, EVERYTHING, NOW) == every_block(4)


# -- what becomes of it ----------------------------------------------------------------------------------------------


def test_a_piece_goes_from_waiting_to_had():
    picker = make()
    requests = picker.pick(ONE, Bitfield(PIECES, [1]), EVERYTHING, NOW)
    assert not picker.availability.waits(1)
    assert [picker.arrived(ONE, address(1), 1, [request.offset])[1] for request in requests] == [False, True]
    assert picker.verifying == {1}
    assert list(picker.partials) == []
    partial = picker.verified(1)
    assert set(partial.givers.values()) == {address(1)}
    assert 1 in picker.have
    assert picker.verifying == frozenset()


def test_a_released_block_is_the_next_to_be_asked_for():
    picker = make()
    picker.pick(ONE, Bitfield(PIECES, [1]), EVERYTHING, NOW)
    picker.release(ONE, 1, 0)
    assert picker.pick(TWO, ALL, 1, NOW) == every_block(1)[:1]


def test_releasing_what_has_arrived_or_is_over_is_nothing():
    picker = make()
    requests = picker.pick(ONE, Bitfield(PIECES, [1]), EVERYTHING, NOW)
    arrive(picker, requests[:1])
    picker.release(ONE, *key(requests[0]))
    arrive(picker, requests[1:])
    picker.release(ONE, *key(requests[1]))
    assert picker.verifying == {1}


# -- a piece that was wrong ------------------------------------------------------------------------------------------


@pytest.fixture
def suspicious() -> Picker:
    """Piece 1 came out wrong, and is being fetched again from the first peer alone."""
    picker = make(have=[0, 2, 3, 4])
    arrive(picker, picker.pick(ONE, ALL, EVERYTHING, NOW))
    picker.failed(1)
    assert picker.availability.waits(1)
    assert len(picker.pick(ONE, ALL, 1, NOW)) == 1
    return picker


def test_a_wrong_piece_is_fetched_from_one_peer_alone(suspicious: Picker):
    assert suspicious.is_suspect(1)
    assert suspicious.exclusive(1)
    assert suspicious.pick(TWO, ALL, EVERYTHING, NOW) == []
    assert suspicious.pick(ONE, ALL, EVERYTHING, NOW) == every_block(1)[1:]
    assert suspicious.pick_again(helper(TWO), EVERYTHING, NOW) == []


def test_if_that_peer_gives_up_another_begins_from_nothing(suspicious: Picker):
    suspicious.pick(ONE, ALL, EVERYTHING, NOW)
    arrive(suspicious, every_block(1)[:1])
    suspicious.release(ONE, 1, BLOCK)
    assert suspicious.availability.waits(1)
    assert suspicious.pick(TWO, ALL, EVERYTHING, NOW) == every_block(1)
    arrive(suspicious, every_block(1), giver=2)
    assert set(suspicious.verified(1).givers.values()) == {address(2)}
    assert not suspicious.is_suspect(1)


def test_it_stays_suspect_until_it_is_right(suspicious: Picker):
    suspicious.pick(ONE, ALL, EVERYTHING, NOW)
    arrive(suspicious, every_block(1))
    suspicious.failed(1)
    suspicious.pick(TWO, ALL, 1, NOW)
    assert suspicious.exclusive(1)


def test_what_is_in_flight_is_counted_through_failures_and_restarts():
    """Or else the budget would leak, and the torrent stall at last."""
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker, everything = make(geometry=long), Bitfield.full(long.pieces)
    for _ in range(3):
        requests = picker.pick(ONE, Bitfield(long.pieces, [0]), EVERYTHING * 10, NOW)
        assert len(requests) == 1024
        arrive(picker, requests[:-1])
        picker.release(ONE, *key(requests[-1]))
        picker.pick(ONE, Bitfield(long.pieces, [0]), EVERYTHING * 10, NOW)
        for piece, offset in {key(request) for request in requests} - set(giver_keys(picker)):
            picker.arrived(ONE, address(1), piece, [offset])
        picker.failed(0)
    assert len(picker.pick(ONE, everything, 100_000, NOW)) * BLOCK == PIECE_BUDGET


def giver_keys(picker: Picker) -> list[tuple[int, int]]:
    return [(partial.piece, offset) for partial in picker.partials for offset in partial.givers]


def test_its_repr_tells_how_it_stands():
    picker = make(have=[0])
    picker.pick(ONE, ALL, 1, NOW)
    assert repr(picker) == "<Picker 1/5 had, 0 verifying, 1 in flight, 3 waiting>"


# -- not yet ---------------------------------------------------------------------------------------------------------


def test_what_was_held_and_found_is_had():
    picker = make()
    picker.demand.hold([0])
    picker.demand.meet(0)
    assert 0 in picker.have
    assert 0 not in picker.lacking
    picker.demand.unhold([0])
    assert 0 not in {request.piece for request in picker.pick(ONE, ALL, EVERYTHING, NOW)}


def test_whose_fault_is_known_may_come_from_anybody():
    picker = make()
    arrive(picker, picker.pick(ONE, Bitfield(PIECES, [0]), EVERYTHING, NOW))
    picker.failed(0)
    assert picker.is_suspect(0)
    picker.acquit(0)
    picker.pick(ONE, Bitfield(PIECES, [0]), 1, NOW)
    assert not picker.exclusive(0)


def test_padding_is_not_asked_for():
    """A file of one block and a half, and padding up to the third."""
    geometry = Geometry.contiguous(3 * BLOCK, 6 * BLOCK, padding=[(BLOCK + BLOCK // 2, 3 * BLOCK // 2)])
    picker = Picker(geometry, Bitfield(2), Random(1))
    picked = picker.pick(ONE, Bitfield(2, [0]), EVERYTHING, NOW)
    assert picked == [Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK)]
    picker.arrived(ONE, address(1), 0, [0])
    assert picker.arrived(ONE, address(1), 0, [BLOCK]) == ((), True)
