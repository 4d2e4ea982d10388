"""How long to wait follows how long answers take."""

from random import Random

from trio_torrent.dht.patience import FIRST_LATE, MAX_GIVE_UP, MAX_LATE, MIN_GIVE_UP, MIN_LATE, Patience


def test_before_anything_is_known():
    assert Patience().late == FIRST_LATE


def test_a_fast_network():
    patience = Patience()
    for _ in range(50):
        patience.answered(0.001)
    assert (patience.late, patience.give_up) == (MIN_LATE, MIN_GIVE_UP)


def test_a_slow_one():
    patience = Patience()
    for _ in range(50):
        patience.answered(60)
    assert (patience.late, patience.give_up) == (MAX_LATE, MAX_GIVE_UP)


def test_most_answers_are_in_time():
    patience, random = Patience(), Random(1)
    times = [random.lognormvariate(-2, 0.5) for _ in range(1000)]
    in_time = 0
    for seconds in times:
        in_time += seconds <= patience.late
        patience.answered(seconds)
    assert in_time > 950
    assert patience.late < 1
