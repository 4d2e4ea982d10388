"""Limits that change: both, one of them, or none."""

import pytest

from trio_torrent.client.buckets import Buckets


def rates(buckets: Buckets) -> tuple[int | None, int | None]:
    return buckets.down.rate, buckets.up.rate


def test_what_is_not_given_stays():
    buckets = Buckets.of(100, None, 0.0)
    assert rates(buckets) == (100, None)
    buckets.change(..., 200, 1.0)
    assert rates(buckets) == (100, 200)
    buckets.change(None, ..., 2.0)
    assert rates(buckets) == (None, 200)
    buckets.change(..., ..., 3.0)
    assert rates(buckets) == (None, 200)
    buckets.change(1, 2, 4.0)
    assert rates(buckets) == (1, 2)


@pytest.mark.parametrize(("down", "up"), [(0, 5), (5, 0), (-1, ...), (..., -1)])
def test_what_makes_no_sense_changes_nothing(down, up):
    buckets = Buckets.of(100, 200, 0.0)
    with pytest.raises(ValueError, match="a limit must be at least 1 byte a second"):
        buckets.change(down, up, 1.0)
    assert rates(buckets) == (100, 200)


def test_those_who_share_it_see_the_change():
    buckets = Buckets.of(None, None, 0.0)
    down, up = buckets.down, buckets.up
    buckets.change(1000, 2000, 0.0)
    assert (down.available(0.1), up.available(0.1)) == (100, 200)
