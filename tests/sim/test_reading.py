"""What readers get of a swarm: how long they wait, and that they are not forgotten for others' sake."""

from __future__ import annotations

from statistics import median

import pytest

from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm.availability import SKIP
from trio_torrent.swarm.events import Wanted

from .habits import SNUBBER
from .node import Node
from .reading import STEP, Reader
from .world import World

MIB = 1 << 20
FAST = 8e6  # bytes a second
SEEDS = [1, 2, 3]


def swarm(seed: int, ups: list[float], *, size: int = 200 * MIB, piece: int = MIB) -> tuple[World, Node]:
    """Seeds with these uplinks, and one node that has nothing."""
    world = World(Geometry.contiguous(piece, size), seed)
    for up in ups:
        world.seed_at(world.host(up=up))
    return world, world.add(world.host(up=FAST))


def wasted(node: Node) -> float:
    """The share of what came that was of no use."""
    return node.scheduler.snapshot(node.world.clock.now).wasted / max(1, node.downloaded)


@pytest.mark.slow
@pytest.mark.parametrize("piece", [256 << 10, MIB])
def test_from_the_first_byte_to_the_last_as_fast_as_it_can_come(piece: int):
    size = 96 * MIB
    world, node = swarm(1, [FAST] * 3, size=size, piece=piece)
    reader = Reader(node)
    best = size / (3 * FAST)
    world.run(best + 2.0)  # to get there, and to get going: they are up to 200 ms away
    assert reader.waited < 1.0, "with the way there"
    assert reader.at == size, f"{reader.at / MIB:.1f} MiB after {world.clock.now:.1f} s of {best:.1f}"
    assert wasted(node) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "piece"), [(1, MIB), (2, MIB), (1, 256 << 10), (1, 4 * MIB)])
def test_seeks_while_everything_else_is_downloaded_too(seed: int, piece: int):
    """The bytes of one piece from three peers, what is on its way before them, and three round trips."""
    world, node = swarm(seed, [FAST] * 3, piece=piece)
    reader = Reader(node)
    world.run(2.0)
    waits: list[float] = []
    while len(waits) < 30 and node.finished is None:
        to = world.random.randrange(world.geometry.size)
        is_there = to // piece in node.have
        reader.seek(to)
        while not reader.has_begun:
            world.run(STEP)
        if not is_there:
            waits.append(reader.waited)
    least = piece / (3 * FAST)
    assert len(waits) >= 20
    assert median(waits) < least + 0.25
    assert max(waits) < 2 * least + 0.6
    assert wasted(node) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_film_hardly_stands_still_among_slow_peers(seed: int):
    """Twice its rate comes from two peers, and a tenth of it from ten that would hold up a piece each."""
    film = 500e3
    world, node = swarm(seed, [film, film, *[film / 100] * 10], size=24 * MIB, piece=256 << 10)
    reader = Reader(node, rate=film)
    world.run(5.0)  # by then it is known who is slow
    before, reader.worst = reader.stalled, 0.0
    world.run(30.0)
    assert reader.at > 30 * film * 0.95
    assert reader.stalled - before < 1.5
    assert reader.worst < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["leaves", "falls silent"])
def test_a_peer_that_is_lost_costs_a_film_next_to_nothing(how: str):
    film = 500e3
    world, node = swarm(1, [film] * 3, size=24 * MIB, piece=256 << 10)
    reader = Reader(node, rate=film)
    world.run(6.0)
    before = reader.stalled
    if how == "leaves":
        world.remove(world.nodes[0])
    else:
        world.nodes[0].habits = SNUBBER
    world.run(30.0)
    assert reader.stalled - before < 0.5


@pytest.mark.slow
def test_of_what_nobody_wants_no_more_is_fetched_than_is_read():
    world, node = swarm(1, [FAST] * 3, size=64 * MIB, piece=256 << 10)
    node.post(Wanted(tuple((piece, SKIP) for piece in range(world.geometry.pieces))))
    world.run(100.0)
    assert (node.have.count, node.finished is not None) == (0, True)
    reader = Reader(node, rate=250e3)
    world.run(30.0)
    assert reader.at > 28 * 250e3, "seeds that were let go are called again at once"
    reader.close()
    world.run(2.0)
    ahead = node.have.count * world.geometry.piece_length - reader.at
    assert 0 < ahead < 3 * MIB
    count = node.have.count
    world.run(60.0)
    assert node.have.count == count


def test_who_reads_a_little_does_not_keep_the_download():
    seconds = []
    for reads in (False, True):
        world = World(Geometry.contiguous(256 << 10, 8 * MIB), 1)
        world.seed_at(world.host(up=FAST, delay=0.005))
        node = world.add(world.host(up=FAST, delay=0.005))
        if reads:
            Reader(node, rate=100e3)
        assert world.run(10.0, until=[node])
        seconds.append(world.clock.now)
    assert seconds[1] < 1.1 * seconds[0]
