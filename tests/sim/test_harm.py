"""Peers that lie, promise or refuse: the torrent completes, and nobody honest is blamed."""

from __future__ import annotations

import pytest

from tests.sim.making import complete, run, waste
from tests.sim.node import Node
from tests.sim.scenarios import Run
from trio_torrent.swarm.stall import Stall

SEEDS = [1, 2, 3, 4]


def convicts(done: Run) -> set[Node]:
    return {liar for _, liar in done.convicted}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["liars", "sharers"])
def test_liars_are_found_out_one_by_one(kind: str, seed: int):
    """Each leecher convicts each of the three liars, at a cost of less than half of what it gets."""
    done = complete(kind, seed, within=2.5)
    assert len(done.convicted) == 3 * len(done.watched)
    assert waste(done) < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_who_lies_at_times_is_found_out_too(seed: int):
    """By most; one may get away with what it never was asked for."""
    done = complete("sometimes", seed, within=2)
    assert len(convicts(done)) == 3
    assert len(done.convicted) >= 2 * len(done.watched)
    assert waste(done) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_snubbers_are_found_out_before_they_hold_anything_up(seed: int):
    """Ten who promise and never send: what they were asked for comes from the two who do."""
    done = complete("snubbers", seed, within=1.5)
    assert waste(done) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_piece_of_a_liar_and_a_slow_honest_peer(seed: int):
    """One fetch for nothing, which both shared, and one of the honest peer alone: no more than that and a little.

    Along the way the slow peer is thought late, and asked again for what was cancelled: its rejects are old news.
    """
    complete("trickled-end", seed, within=2.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_unchokes(seed: int):
    done = run("chokers", seed)
    (node,) = done.watched
    assert not done.complete
    assert done.world.stall(node) is Stall.CHOKED


def truth(node: Node) -> Stall:
    """Why nothing comes, as one knows who sees all of them from above."""
    holders = [other for other in node.others if (other.have - node.have).count]
    if not holders:
        return Stall.NOBODY_HAS
    if not any(other.habits.unchokes for other in holders):
        return Stall.CHOKED
    return Stall.WAITING if any(other.habits.unchokes and other.habits.answers for other in holders) else Stall.SILENT


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 41))
def test_everything_at_once(seed: int):
    """It completes if there is somebody honest who has everything and stays; or else it is told why not."""
    done = run("chaos", seed)
    source = done.world.nodes[0]
    if source.habits.honest and source.finished == source.joined:
        assert done.complete
    for node in done.watched:
        stall = done.world.stall(node)
        assert node.finished is not None or stall is None or stall is truth(node)  # None: something comes, if only lies
