"""A ring of slots against a list of everything that ever passed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.swarm.rates import SLOT_SECONDS, SLOTS, SPAN, Meter

steps = st.lists(st.tuples(st.sampled_from([0, 0.1, 0.25, 0.9, 1.75, 2.0, 2.1, 50.0]), st.integers(0, 10**9)))


@given(start=st.sampled_from([0.0, 0.24, 12345.678]), steps=steps)
def test_it_counts_what_passed_in_the_last_slots(start, steps):
    meter, past, now = Meter(start), [], start
    for seconds, count in steps:
        now += seconds
        meter.add(count, now)
        past.append((int(now / SLOT_SECONDS), count))
        newest = int(now / SLOT_SECONDS)
        recent = sum(count for slot, count in past if slot > newest - SLOTS)
        assert meter.recent == recent
        assert meter.rate(now) == pytest.approx(recent / min(SPAN, max(SLOT_SECONDS, now - start)))
    assert meter.total == sum(count for _, count in past)


def test_a_steady_flow_has_its_rate():
    meter = Meter(100.0)
    for tenth in range(100):
        meter.add(1000, 100 + tenth / 10)
    assert 10_000 * 0.85 < meter.rate(109.99) < 10_000 * 1.05


def test_a_young_meter_divides_by_its_age():
    meter = Meter(100.0)
    meter.add(5000, 100.5)
    assert meter.rate(100.5) == 10_000


def test_a_burst_at_birth_is_no_division_by_zero():
    meter = Meter(100.0)
    meter.add(1000, 100.0)
    assert meter.rate(100.0) == 1000 / SLOT_SECONDS


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
