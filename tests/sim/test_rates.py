"""How soon a link is full: requests must be on their way before they are needed, near and far."""

from __future__ import annotations

import pytest

from tests.sim.making import complete
from tests.sim.node import Node
from tests.sim.scenarios import far_seed


def full_at(node: Node, rate: float) -> float:
    """When half a second began in which it received nine tenths of this rate; seconds since it joined."""
    return next(tenth / 10 for tenth in range(100) if node.rate(tenth / 10, tenth / 10 + 0.5) > 0.9 * rate)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("up", "round_trip", "seconds"),
    [(1e6, 0.01, 0.3), (1e6, 0.05, 0.5), (1e6, 0.3, 3.0), (20e6, 0.01, 0.4), (20e6, 0.05, 1.0), (20e6, 0.3, 4.5)],
)
def test_a_link_is_full_soon(up: float, round_trip: float, seconds: float):
    """Connecting, two handshakes and slow start included: 13 round trips for 20 MB/s at 300 ms."""
    done = far_seed(1, up, round_trip)
    assert done.complete
    assert full_at(done.watched[0], up) < seconds


@pytest.mark.slow
def test_fifty_seeds_fill_a_link_within_a_second():
    done = complete("many-seeds", 1, within=1.2)
    assert full_at(done.watched[0], 200e6) < 1.0
