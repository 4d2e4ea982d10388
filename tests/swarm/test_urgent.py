"""What is waited for, and how much of it is asked of whom."""

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.swarm.urgent import LAGGARD, URGENT_SECONDS, Giver, Urgent, giver

NOW = 1000.0
FAST = 64 * BLOCK_SIZE  # bytes a second


def test_the_first_deadline_comes_first():
    urgent = Urgent([(5, NOW + 2), (9, NOW), (2, NOW + 1)])
    assert list(urgent) == [9, 2, 5]
    assert (9 in urgent, 3 in urgent, bool(urgent), bool(Urgent())) == (True, False, True, False)
    assert (urgent.due(NOW - 0.1), urgent.due(NOW), urgent.due(NOW + 1)) == ([], [9], [9, 2])
    assert (urgent.late(NOW + URGENT_SECONDS - 0.01), urgent.late(NOW + URGENT_SECONDS)) == ([], [9])
    urgent.discard(9)
    urgent.discard(9)
    assert list(urgent) == [2, 5]


def test_each_is_asked_for_as_much_as_its_part_of_everything_is():
    urgent = Urgent([(0, NOW)])
    parts = [giver(pace, 0, all_paces=4 * FAST, givers=3) for pace in (2 * FAST, FAST, FAST)]
    assert [urgent.most(0, 64, each, NOW) for each in parts] == [32, 16, 16]
    assert urgent.most(0, 3, parts[1], NOW) == 1, "nobody is asked for nothing because a piece is small"


def test_who_has_sent_nothing_yet_is_like_the_others():
    urgent = Urgent([(0, NOW)])
    assert urgent.most(0, 64, giver(0.0, 0, all_paces=FAST, givers=4), NOW) == 16
    assert urgent.most(0, 64, giver(FAST, 0, all_paces=0.0, givers=0), NOW) == 64


def test_a_laggard_is_asked_for_what_it_will_bring_in_time():
    slow = FAST * LAGGARD / 16  # a block a second
    laggard = giver(slow, 2, all_paces=4 * FAST, givers=4)
    assert laggard.lags
    assert not giver(FAST * LAGGARD, 2, all_paces=4 * FAST, givers=4).lags
    urgent = Urgent([(0, NOW), (1, NOW + 3.5), (2, NOW + 100)])
    assert [urgent.most(piece, 64, laggard, NOW) for piece in (0, 1, 2)] == [0, 1, 1]
    assert urgent.most(0, 64, laggard, NOW + URGENT_SECONDS + 0.1) == 1, "late, it is for whoever comes"


def test_without_anybody_else_one_brings_it_all():
    assert Urgent([(0, NOW)]).most(0, 64, Giver(), NOW) == 64
