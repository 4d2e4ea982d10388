"""Which block is next, and which state everything is in."""

from random import Random

import pytest

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.picker import MOST_ASKERS, PIECE_BUDGET, UNWRITTEN_BUDGET, Picker
from trio_torrent.wire.messages import Request

from .making import BLOCK, GEOMETRY, PIECES, address, every_block

ONE, TWO = PeerId(1), PeerId(2)
ALL = Bitfield.full(PIECES)
EVERYTHING = 1000
MIB = 1 << 20


def make(have=(), geometry: Geometry = GEOMETRY) -> Picker:
    return Picker(geometry, Bitfield(geometry.pieces, have), Random(1))


def arrive(picker: Picker, requests: list[Request], giver: int = 1) -> None:
    for request in requests:
        picker.arrived(address(giver), request.piece, request.offset)


def key(request: Request) -> tuple[int, int]:
    return request.piece, request.offset


# -- asking ----------------------------------------------------------------------------------------------------------


def test_every_block_is_asked_for_once():
    picker = make()
    picked = picker.pick(ONE, ALL, EVERYTHING)
    assert sorted(picked, key=key) == [block for piece in range(PIECES) for block in every_block(piece)]
    assert picker.pick(TWO, ALL, EVERYTHING) == []


def test_only_what_is_lacking_and_what_the_peer_has():
    picker = make(have=[0, 1])
    picked = picker.pick(ONE, Bitfield(PIECES, [1, 2, 4]), EVERYTHING)
    assert {request.piece for request in picked} == {2, 4}


def test_no_more_than_there_is_room_for_and_in_the_order_of_the_piece():
    picker = make()
    first = picker.pick(ONE, Bitfield(PIECES, [2]), 1)
    assert first == every_block(2)[:1]
    assert picker.pick(ONE, ALL, 0) == []


def test_what_is_begun_is_finished_first_by_whoever_can():
    picker = make()
    picker.pick(ONE, Bitfield(PIECES, [2]), 1)
    assert picker.pick(TWO, ALL, 1) == every_block(2)[1:]


def test_then_the_rarest():
    picker = make()
    for pieces in ([0, 1, 2, 4], [0, 1, 2], [0, 1]):
        picker.availability.joined(Bitfield(PIECES, pieces))
    everything = picker.pick(ONE, Bitfield(PIECES, [0, 2, 4]), EVERYTHING)
    assert list(dict.fromkeys(request.piece for request in everything)) == [4, 2, 0]


def test_nothing_is_begun_when_too_much_is_in_flight():
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker = make(geometry=long)
    picked = picker.pick(ONE, Bitfield.full(long.pieces), 100_000)
    assert len(picked) * BLOCK == PIECE_BUDGET


def test_two_pieces_are_always_allowed_however_long():
    huge = Geometry.contiguous(2 * PIECE_BUDGET, 10 * 2 * PIECE_BUDGET)
    picker = make(geometry=huge)
    assert len({request.piece for request in picker.pick(ONE, Bitfield.full(10), 100_000)}) == 2


def test_nothing_is_begun_while_too_much_is_unwritten():
    geometry = Geometry.contiguous(MIB, 40 * MIB)
    picker, everything = make(geometry=geometry), Bitfield.full(40)
    while requests := picker.pick(ONE, everything, MIB // BLOCK):
        arrive(picker, requests)
    assert len(picker.verifying) == UNWRITTEN_BUDGET // MIB
    picker.verified(min(picker.verifying))
    assert picker.pick(ONE, everything, EVERYTHING)


# -- the endgame -----------------------------------------------------------------------------------------------------


def test_before_the_end_nothing_is_asked_for_twice():
    picker = make()
    picker.pick(ONE, Bitfield(PIECES, [0, 1, 2, 3]), EVERYTHING)
    assert picker.pick_again(ALL, EVERYTHING, ()) == [], "a piece waits"
    picker.pick(ONE, ALL, EVERYTHING)
    picker.release(ONE, 0, 0)
    assert picker.pick_again(ALL, EVERYTHING, ()) == [], "a block is missing"


def test_at_the_end_others_are_asked_what_is_asked_of_the_fewest_and_latest():
    picker = make(have=[1, 2, 3])
    asked = [key(request) for request in picker.pick(ONE, ALL, EVERYTHING)]
    first = picker.pick_again(ALL, 1, ())
    assert [key(request) for request in first] == asked[-1:]
    again = picker.pick_again(ALL, EVERYTHING, ())
    assert key(again[-1]) == asked[-1], "it is asked of two already"
    assert {key(request) for request in again} == set(asked)
    assert all(request in every_block(request.piece) for request in again)


def test_nobody_is_asked_twice_for_the_same_nor_for_what_he_lacks():
    picker = make(have=[1, 2, 3])
    mine = [key(request) for request in picker.pick(ONE, ALL, EVERYTHING)]
    assert picker.pick_again(ALL, EVERYTHING, mine) == []
    assert {request.piece for request in picker.pick_again(Bitfield(PIECES, [4]), EVERYTHING, ())} == {4}


def test_of_a_few_at_once_at_most():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING)
    for _ in range(MOST_ASKERS - 1):
        assert len(picker.pick_again(ALL, EVERYTHING, ())) == 1
    assert picker.pick_again(ALL, EVERYTHING, ()) == []


def test_the_first_copy_settles_it():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING)
    picker.pick_again(ALL, EVERYTHING, ())
    assert picker.arrived(address(2), 4, 0) == (1, True)
    assert picker.verifying == {4}


def test_a_block_is_missing_only_when_nobody_is_asked_any_more():
    picker = make(have=[0, 1, 2, 3])
    picker.pick(ONE, ALL, EVERYTHING)
    picker.pick_again(ALL, EVERYTHING, ())
    picker.release(ONE, 4, 0)
    assert picker.pick(ONE, ALL, EVERYTHING) == []
    picker.release(TWO, 4, 0)
    assert picker.pick(ONE, ALL, EVERYTHING) == every_block(4)


# -- what becomes of it ----------------------------------------------------------------------------------------------


def test_a_piece_goes_from_waiting_to_had():
    picker = make()
    requests = picker.pick(ONE, Bitfield(PIECES, [1]), EVERYTHING)
    assert not picker.availability.waits(1)
    assert [picker.arrived(address(1), 1, request.offset)[1] for request in requests] == [False, True]
    assert picker.verifying == {1}
    assert list(picker.partials) == []
    partial = picker.verified(1)
    assert set(partial.givers.values()) == {address(1)}
    assert 1 in picker.have
    assert picker.verifying == frozenset()


def test_a_released_block_is_the_next_to_be_asked_for():
    picker = make()
    picker.pick(ONE, Bitfield(PIECES, [1]), EVERYTHING)
    picker.release(ONE, 1, 0)
    assert picker.pick(TWO, ALL, 1) == every_block(1)[:1]


def test_releasing_what_has_arrived_or_is_over_is_nothing():
    picker = make()
    requests = picker.pick(ONE, Bitfield(PIECES, [1]), EVERYTHING)
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
    arrive(picker, picker.pick(ONE, ALL, EVERYTHING))
    picker.failed(1)
    assert picker.availability.waits(1)
    assert len(picker.pick(ONE, ALL, 1)) == 1
    return picker


def test_a_wrong_piece_is_fetched_from_one_peer_alone(suspicious: Picker):
    assert suspicious.is_suspect(1)
    assert suspicious.exclusive(1)
    assert suspicious.pick(TWO, ALL, EVERYTHING) == []
    assert suspicious.pick(ONE, ALL, EVERYTHING) == every_block(1)[1:]
    assert suspicious.pick_again(ALL, EVERYTHING, ()) == []


def test_if_that_peer_gives_up_another_begins_from_nothing(suspicious: Picker):
    suspicious.pick(ONE, ALL, EVERYTHING)
    arrive(suspicious, every_block(1)[:1])
    suspicious.release(ONE, 1, BLOCK)
    assert suspicious.availability.waits(1)
    assert suspicious.pick(TWO, ALL, EVERYTHING) == every_block(1)
    arrive(suspicious, every_block(1), giver=2)
    assert set(suspicious.verified(1).givers.values()) == {address(2)}
    assert not suspicious.is_suspect(1)


def test_it_stays_suspect_until_it_is_right(suspicious: Picker):
    suspicious.pick(ONE, ALL, EVERYTHING)
    arrive(suspicious, every_block(1))
    suspicious.failed(1)
    suspicious.pick(TWO, ALL, 1)
    assert suspicious.exclusive(1)


def test_what_is_in_flight_is_counted_through_failures_and_restarts():
    """Or else the budget would leak, and the torrent stall at last."""
    long = Geometry.contiguous(16 * MIB, 20 * 16 * MIB)
    picker, everything = make(geometry=long), Bitfield.full(long.pieces)
    for _ in range(3):
        requests = picker.pick(ONE, Bitfield(long.pieces, [0]), EVERYTHING * 10)
        assert len(requests) == 1024
        arrive(picker, requests[:-1])
        picker.release(ONE, *key(requests[-1]))
        picker.pick(ONE, Bitfield(long.pieces, [0]), EVERYTHING * 10)
        for block in {key(request) for request in requests} - set(giver_keys(picker)):
            picker.arrived(address(1), *block)
        picker.failed(0)
    assert len(picker.pick(ONE, everything, 100_000)) * BLOCK == PIECE_BUDGET


def giver_keys(picker: Picker) -> list[tuple[int, int]]:
    return [(partial.piece, offset) for partial in picker.partials for offset in partial.givers]


def test_its_repr_tells_how_it_stands():
    picker = make(have=[0])
    picker.pick(ONE, ALL, 1)
    assert repr(picker) == "<Picker 1/5 had, 0 verifying, 1 in flight, 3 waiting>"
