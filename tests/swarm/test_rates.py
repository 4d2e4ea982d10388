"""A ring of slots against a list of everything that ever passed; a bucket against what its rate allows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.swarm.rates import (
    BURST_SECONDS,
    GRAIN_SECONDS,
    RECENT,
    RECENT_SLOTS,
    SLOT_SECONDS,
    SLOTS,
    SPAN,
    Bucket,
    Meter,
)

steps = st.lists(
    st.tuples(st.sampled_from([0, 0.1, 0.25, 0.9, 1.75, 2.0, 2.1, 4.75, 5.0, 50.0]), st.integers(0, 10**9))
)


@given(start=st.sampled_from([0.0, 0.24, 12345.678]), steps=steps)
def test_it_counts_what_passed_in_the_last_slots(start, steps):
    meter, now, flowing = Meter(start), start, start
    past: list[tuple[int, int]] = []
    for seconds, count in steps:
        now += seconds
        newest = int(now / SLOT_SECONDS)
        if not sum(count for slot, count in past if slot > newest - SLOTS):
            flowing = now
        meter.add(count, now)
        past.append((newest, count))
        assert meter.recent == sum(count for slot, count in past if slot > newest - RECENT_SLOTS)
        lately = sum(count for slot, count in past if slot > newest - SLOTS)
        age = max(SLOT_SECONDS, now - start)
        looked_back = max(min(RECENT, age), now - max(flowing, (newest - SLOTS + 1) * SLOT_SECONDS))
        assert meter.rate(now) == pytest.approx(lately / looked_back)
    assert meter.total == sum(count for _, count in past)


def test_a_steady_flow_has_its_rate():
    meter = Meter(100.0)
    for tenth in range(100):
        meter.add(1000, 100 + tenth / 10)
        assert tenth < 20 or meter.rate(100 + tenth / 10) == pytest.approx(10_000, rel=0.05)


@pytest.mark.parametrize(("rate", "within"), [(20 << 10, 0.2), (100 << 10, 0.05), (1 << 20, 0.02), (50 << 20, 0.02)])
def test_under_a_limit_the_rate_is_steady(rate: int, within: float):
    """As somebody sees it who looks four times a second."""
    meter, bucket = Meter(100.0), Bucket(rate, 100.0)
    passed, looked, seen = 100.0, 110.0, []
    turn = max(BLOCK_SIZE, rate // 20)
    while passed < 130:
        passed += bucket.ready_in(passed)
        while looked < passed:
            seen.append(meter.rate(looked))
            looked += 0.2503
        bucket.take(turn, passed)
        meter.add(turn, passed)
    assert len(seen) > 70
    assert all(one == pytest.approx(rate, rel=within) for one in seen)


def test_a_young_meter_divides_by_its_age():
    meter = Meter(100.0)
    meter.add(5000, 100.5)
    assert meter.rate(100.5) == 10_000


def test_a_burst_at_birth_is_no_division_by_zero():
    meter = Meter(100.0)
    meter.add(1000, 100.0)
    assert meter.rate(100.0) == 1000 / SLOT_SECONDS


def test_a_start_after_a_long_silence_is_not_taken_for_slow():
    meter = Meter(0.0)
    seen = []
    for tenth in range(50):
        meter.add(1000, 100 + tenth / 10)
        seen.append(meter.rate(100 + tenth / 10))
    assert seen[0] == 1000 / RECENT
    assert all(rate == pytest.approx(10_000, rel=0.06) for rate in seen[int(RECENT * 10) :])


def test_silence_ends_the_rate_and_not_the_total():
    meter = Meter(0.0)
    meter.add(1000, 1.0)
    assert meter.rate(1.0 + SPAN + SLOT_SECONDS) == 0
    assert meter.total == 1000


def test_a_clock_that_stands_still_or_steps_back_does_no_harm():
    meter = Meter(10.0)
    meter.add(1000, 10.0)
    meter.add(1000, 9.0)
    assert meter.recent == 2000
    assert meter.rate(8.0) > 0


# -- buckets ---------------------------------------------------------------------------------------------------------


def test_without_a_limit_everything_may_pass():
    bucket = Bucket(None, 5.0)
    bucket.take(10**12, 6.0)
    assert bucket.available(6.0) == math.inf
    assert bucket.ready_in(6.0) == 0
    assert bucket.rate is None


def test_it_starts_empty_and_fills():
    bucket = Bucket(1_000_000, 5.0)
    assert bucket.available(5.0) == 0
    assert bucket.ready_in(5.0) == GRAIN_SECONDS
    assert bucket.available(5.1) == pytest.approx(100_000)
    assert bucket.ready_in(5.1) == 0


@pytest.mark.parametrize(("rate", "most"), [(10**8, 10**8 * BURST_SECONDS), (1000, BLOCK_SIZE)])
def test_after_a_pause_there_is_a_burst_and_no_more(rate, most):
    bucket = Bucket(rate, 0.0)
    assert bucket.available(1000.0) == most


def test_what_is_owed_is_waited_for():
    bucket = Bucket(1000, 0.0)
    bucket.take(5000, 0.0)
    assert bucket.available(0.0) == -5000
    assert bucket.ready_in(0.0) == 5 + GRAIN_SECONDS
    assert bucket.available(5.0) == 0
    assert bucket.ready_in(5.0) == GRAIN_SECONDS
    assert bucket.ready_in(5.0 + GRAIN_SECONDS) == 0


def test_what_is_given_back_may_pass_again():
    bucket = Bucket(1000, 0.0)
    bucket.take(5000, 0.0)
    bucket.take(-3000, 0.0)
    assert bucket.ready_in(0.0) == 2 + GRAIN_SECONDS


@given(
    rate=st.integers(1, 10**10),
    start=st.sampled_from([0.0, 0.1, 1e6 + 0.3, 123456789.123]),
    sizes=st.lists(st.integers(1, 1 << 19), min_size=1, max_size=30),
)
def test_whoever_waits_as_long_as_told_may_pass_and_at_the_rate(rate, start, sizes):
    """Rounding must not leave a wait so short that the clock does not move."""
    bucket, now = Bucket(rate, start), start
    for size in sizes:
        now += bucket.ready_in(now)
        assert bucket.ready_in(now) == 0
        bucket.take(size, now)
    ideal = sum(sizes[:-1]) / rate
    assert ideal - 1e-6 <= now - start <= ideal + len(sizes) * GRAIN_SECONDS + 1e-6


def test_a_lower_limit_does_not_make_a_debt_longer():
    bucket = Bucket(1_000_000, 0.0)
    bucket.take(500_000, 0.0)
    bucket.set_rate(10_000, 0.0)
    assert bucket.ready_in(0.0) == pytest.approx(0.5 + GRAIN_SECONDS)


def test_a_higher_limit_makes_it_shorter():
    bucket = Bucket(10_000, 0.0)
    bucket.take(10_000, 0.0)
    bucket.set_rate(1_000_000, 0.0)
    assert bucket.ready_in(0.0) == pytest.approx(0.01 + GRAIN_SECONDS)


def test_no_limit_for_a_while_forgets_what_was_owed():
    bucket = Bucket(1000, 0.0)
    bucket.take(10_000, 0.0)
    bucket.set_rate(None, 1.0)
    assert bucket.available(1.0) == math.inf
    bucket.take(10_000, 2.0)
    bucket.set_rate(1000, 3.0)
    assert bucket.available(3.0) == 0


@pytest.mark.parametrize("rate", [0, -1])
def test_a_limit_of_nothing_is_refused(rate):
    with pytest.raises(ValueError, match="at least 1 byte a second, or None for no limit, not"):
        Bucket(rate, 0.0)
    bucket = Bucket(5, 0.0)
    with pytest.raises(ValueError, match=f"not {rate}"):
        bucket.set_rate(rate, 1.0)
    assert bucket.rate == 5


def test_a_clock_that_steps_back_fills_nothing_twice():
    bucket = Bucket(1000, 10.0)
    assert bucket.available(11.0) == 1000
    assert bucket.available(10.0) == 1000
    assert bucket.available(11.0) == 1000
