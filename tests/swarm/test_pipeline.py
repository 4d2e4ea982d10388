"""How much to ask for at once, and when to lose patience."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_torrent.swarm.pipeline import (
    FIRST_BLOCK_SECONDS,
    FIRST_WINDOW,
    LEAST_PATIENCE,
    LEAST_WINDOW,
    MOST_PATIENCE,
    MOST_WINDOW,
    PATIENCE,
    USUAL_QUEUE,
    patience,
    window,
)

BLOCK = 16384


@pytest.mark.parametrize(
    ("recent", "total", "queue", "requests"),
    [
        (0, 0, USUAL_QUEUE, FIRST_WINDOW),  # a stranger
        (BLOCK, BLOCK, USUAL_QUEUE, FIRST_WINDOW + 1),
        (2 * BLOCK, 100 * BLOCK, USUAL_QUEUE, LEAST_WINDOW + 2),  # known to be slow
        (0, 100 * BLOCK, USUAL_QUEUE, LEAST_WINDOW),
        (17 * BLOCK, 100 * BLOCK, USUAL_QUEUE, FIRST_WINDOW + 17),
        (1000 * BLOCK, 1000 * BLOCK, USUAL_QUEUE, USUAL_QUEUE),  # it drops what is over
        (5000 * BLOCK, 5000 * BLOCK, 1 << 20, MOST_WINDOW),
        (0, 0, 1, 1),
    ],
)
def test_window(recent: int, total: int, queue: int, requests: int):
    assert window(recent, total, queue) == requests


@settings(max_examples=50)
@given(recent=st.integers(0, 1 << 40), more=st.integers(0, 1 << 40))
def test_the_window_is_bounded_and_a_faster_peer_is_not_asked_for_less(recent: int, more: int):
    total = 1 << 41
    assert LEAST_WINDOW <= window(recent, total, 1 << 20) <= window(recent + more, total, 1 << 20) <= MOST_WINDOW


def test_the_window_grows_by_a_block_for_each_block_that_comes():
    """Which is what doubles it with each round trip."""
    assert [window(n * BLOCK, n * BLOCK, USUAL_QUEUE) - FIRST_WINDOW for n in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("outstanding", "rate", "seconds"),
    [
        (16, 0, FIRST_BLOCK_SECONDS),  # it has never sent anything
        (1, 1e9, LEAST_PATIENCE),
        (250, BLOCK, MOST_PATIENCE),
        (10, BLOCK, PATIENCE * 10),
    ],
)
def test_patience(outstanding: int, rate: float, seconds: float):
    assert patience(outstanding, rate) == seconds
