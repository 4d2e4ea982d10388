"""Peers that are slow, or have little, beside those who are fast and have everything."""

from __future__ import annotations

import pytest

from tests.sim.making import complete, waste

SEEDS = [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_one_slow_peer_has_the_last_piece(seed: int):
    """It gives to all its slots at once, so that nobody has it to pass on before all of them do."""
    done = complete("last-piece", seed, within=1.3)
    assert waste(done) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_slow_peers_do_not_decide_when_it_ends(seed: int):
    """The fast peer is asked for what they still hold."""
    complete("slow-and-fast", seed, within=1.25)
