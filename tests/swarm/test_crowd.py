"""Whole swarms of schedulers: who is served how much, and what a first seed sends."""

from statistics import median

import pytest

from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm.scheduler import Limits

from .crowd import Crowd, Node

UP = 200e3  # bytes a second: a bound of 84 seconds, and eight rounds of choking
PIECE = 64 << 10
SIZE = 16 << 20
GEOMETRY = Geometry.contiguous(PIECE, SIZE)

pytestmark = pytest.mark.slow


def crowd(*, leechers: int, riders: int = 0, superseed: bool = False) -> tuple[Crowd, Node, list[Node], list[Node]]:
    """A seed, those who share, and those who only take; all with links alike."""
    swarm = Crowd(GEOMETRY)
    seed = swarm.add(up=UP, complete=True, limits=Limits(connections=100, superseed=superseed))
    sharing = [swarm.add(up=UP) for _ in range(leechers)]
    taking = [swarm.add(up=UP, gives=False) for _ in range(riders)]
    swarm.connect_all()
    return swarm, seed, sharing, taking


def test_a_superseed_sends_everything_about_once_and_loses_no_time():
    swarm, seed, sharing, _ = crowd(leechers=12, superseed=True)
    swarm.run(lambda: all(node.done for node in sharing), limit=SIZE / UP * 1.5)
    assert seed.uploaded < SIZE * 1.25
    sent = [node.uploaded for node in sharing]
    assert min(sent) > median(sent) / 2


def test_those_who_share_are_done_before_those_who_do_not():
    swarm, _, sharing, taking = crowd(leechers=12, riders=4, superseed=True)
    swarm.run(lambda: all(node.done for node in sharing), limit=SIZE / UP * 2)
    assert not any(node.done for node in taking)
    swarm.run(lambda: all(node.done for node in taking), limit=SIZE / UP * 4)
