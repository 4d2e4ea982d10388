"""Swarms in which everybody means well, or only takes: how well uplinks are used, and who carries the load."""

from __future__ import annotations

from statistics import median

import pytest

from tests.sim.making import complete, honest_leechers, least_share, run, times, waste
from tests.sim.report import uplink_use
from tests.sim.scenarios import small_crowd
from trio_torrent.swarm.stall import Stall

SEEDS = [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), [("crowd", 1), ("half-crowd", 2), ("half-crowd", 3)])
def test_a_crowd_around_one_seed(name: str, seed: int):
    """All are done soon after the seed could have sent one copy, and the load is shared.

    Upload is shared: whatever a leecher gets, it gets of others' uplinks. So nobody may be left behind in getting:
    half-way, the poorest has at least half of what the median has. Nor may anybody be spared most of the giving.
    """
    done = complete(name, seed, within=1.3)
    assert least_share([node.uploaded for node in done.watched]) >= 0.3
    assert least_share([round(node.rate(0, done.bound / 2)) for node in done.watched]) >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_residents_of_a_swarm_that_comes_and_goes(seed: int):
    """Uplinks are used to the full whoever leaves; so those who stay are served as fast as the swarm can."""
    done = run("churn", seed)
    assert done.complete
    assert uplink_use(done, done.watched) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_who_gives_gets_more_than_who_only_takes(seed: int):
    done = complete("free-riders", seed, within=1.1)
    givers = honest_leechers(done)
    takers = [node for node in done.watched if node not in givers]
    assert median(times(givers)) < 0.95 * median(times(takers))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_parts_come_together(seed: int):
    """Nobody is a seed, and together they have everything."""
    done = complete("partial-seeds", seed, within=1.2)
    assert waste(done) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_leaves_when_everything_is_out_is_not_missed(seed: int):
    done = run("late-leaver", seed)
    assert done.complete
    assert done.world.nodes[0].left is not None


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_leaves_too_early_is_what_is_missing(seed: int):
    """All who are left get all that is left, and say so."""
    done = run("early-leaver", seed)
    assert not done.complete
    assert len({bytes(node.have) for node in done.watched}) == 1
    assert {done.world.stall(node) for node in done.watched} == {Stall.NOBODY_HAS}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run():
    one, same, other = (small_crowd(seed) for seed in (5, 5, 6))
    figures = [[(node.finished, node.uploaded, node.curve) for node in run.world.nodes] for run in (one, same, other)]
    assert figures[0] == figures[1]
    assert figures[0] != figures[2]
