"""Memory for pieces: how many may be begun, and what the disk has to do with it."""

import pytest

from trio_torrent.swarm.budget import PIECE_BUDGET, UNWRITTEN_BUDGET, Budget

MIB = 1 << 20


def begun(budget: Budget, size: int, *, beyond: int = 0) -> int:
    """How many pieces are begun until no other may be."""
    pieces = 0
    while budget.admits(beyond):
        budget.began(size)
        pieces += 1
    return pieces


@pytest.mark.parametrize("length", [MIB // 4, MIB, PIECE_BUDGET // 2, PIECE_BUDGET, 10 * PIECE_BUDGET])
def test_pieces_share_the_budget_but_there_are_always_two(length: int):
    budget = Budget(length)
    assert begun(budget, length) == max(2, PIECE_BUDGET // length)
    assert begun(budget, length, beyond=2) == 2, "for somebody who waits"


def test_what_was_given_up_leaves_room():
    budget = Budget(MIB)
    begun(budget, MIB)
    budget.gave_up(MIB)
    assert begun(budget, MIB) == 1


def test_while_the_disk_is_behind_nothing_is_begun():
    budget = Budget(MIB)
    for _ in range(UNWRITTEN_BUDGET // MIB):
        assert budget.admits()
        budget.began(MIB)
        budget.whole(MIB)
    assert (budget.waits_for_disk, budget.has_room(), budget.admits()) == (True, True, False)
    budget.settled(MIB)
    assert (budget.waits_for_disk, budget.admits()) == (False, True)


def test_one_huge_piece_that_is_being_verified_does_not_keep_another_from_being_begun():
    budget = Budget(UNWRITTEN_BUDGET)
    budget.began(UNWRITTEN_BUDGET)
    budget.whole(UNWRITTEN_BUDGET)
    assert budget.waits_for_disk
    assert budget.admits()
