"""Swarms worth watching. Each is a function of the seed; the tests say what must come out.

They are scale models: the same ratios as a swarm of 256 MiB with pieces of 1 MiB and 2 MB/s a peer, at an eighth of the
bytes and of the rates, so that choking, patience and the like take the same time.

`bound` is the time in which nobody could do better (Kumar and Ross, "Peer-assisted file distribution", 2006): every
byte must leave the seeds once, each downlink must take a copy, and all uplinks together carry all copies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import attrs

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.net.backlog import BATCH
from trio_torrent.swarm.choker import SLOTS
from trio_torrent.swarm.scheduler import Limits

from .habits import CHOKER, FREE_RIDER, HONEST, LIAR, QUIET, SNUBBER, SOMETIMES, Habits, sharer
from .node import Node
from .world import World

MIB = 1 << 20
UP = 256e3  # bytes a second: an eighth of 2 MB/s
PIECE = 256 << 10
SLOW = 16 << 10  # bytes a second
FAR_WINDOW = 16 << 20  # bytes; 300 ms at 20 MB/s need 6 MB, more than Linux gives by itself


@attrs.frozen(eq=False)
class Run:
    """What came of a scenario. `watched` are those who should become complete."""

    world: World
    watched: tuple[Node, ...]
    complete: bool
    bound: float  # seconds

    @property
    def last(self) -> float:
        """Seconds until the last of them was complete."""
        return max(math.inf if node.finished is None else node.finished - node.joined for node in self.watched)

    @property
    def convicted(self) -> list[tuple[Node, Node]]:
        """Who dropped whom for a wrong block."""
        return [
            (node, parting.other)
            for node in self.world.nodes
            for parting in node.partings
            if parting.reason == "sent a wrong block"
        ]


def bound(size: int, seeds: Sequence[float], leechers: Sequence[float], *, down: float = math.inf) -> float:
    """Seconds: from the uplinks of seeds and leechers, and the slowest downlink."""
    return max(size / sum(seeds), size / down, len(leechers) * size / (sum(seeds) + sum(leechers)))


def _run(world: World, watched: Iterable[Node], best: float, *, seconds: float | None = None) -> Run:
    watched = tuple(watched)
    return Run(world, watched, world.run(10 * best if seconds is None else seconds, until=watched), best)


def _small(seed: int, size: int = 8 * MIB, piece: int = PIECE) -> World:
    return World(Geometry.contiguous(piece, size), seed)


def _some(world: World, share: float) -> Bitfield:
    pieces = range(world.geometry.pieces)
    return Bitfield(len(pieces), world.random.sample(pieces, round(share * len(pieces))))


# -- sharing ---------------------------------------------------------------------------------------------------------


def crowd(seed: int, leechers: int = 50, size: int = 64 * MIB) -> Run:
    """One seed, and all come at once.

    At a quarter of size and rates, not less: a queue of blocks does not get smaller with them, and with few pieces in
    all too many would be in flight from the seed to two leechers at once. (At full size it is 1.2 times the bound.)
    """
    world, up = _small(seed, size, 128 << 10), 2 * UP
    world.seed_at(world.host(up=up))
    nodes = [world.add(world.host(up=up)) for _ in range(leechers)]
    return _run(world, nodes, bound(size, [up], [up] * leechers))


def even_crowd(seed: int, leechers: int, *, up: float, delay: float, size: int, piece: int) -> Run:
    """The same at any size, with hosts that are all alike, `delay` seconds from each other."""
    world = _small(seed, size, piece)
    world.seed_at(world.host(up=up, delay=delay / 2))
    nodes = [world.add(world.host(up=up, delay=delay / 2)) for _ in range(leechers)]
    return _run(world, nodes, bound(size, [up], [up] * leechers))


def small_crowd(seed: int) -> Run:
    """One seed and eight leechers, on links of all kinds."""
    world = _small(seed, 2 * MIB, 64 << 10)
    world.seed_at(world.host(up=UP))
    nodes = [world.add(world.host(up=world.random.uniform(SLOW, UP))) for _ in range(8)]
    return _run(world, nodes, bound(2 * MIB, [UP], [node.host.up for node in nodes]))


def half_crowd(seed: int) -> Run:
    """The same with twenty leechers."""
    return crowd(seed, 20)


def free_riders(seed: int) -> Run:
    """As many take without giving as give; all begin with a third, so that the seed is not what decides."""
    size = 32 * MIB
    world = _small(seed, size)
    world.seed_at(world.host(up=UP))
    for _ in range(10):
        world.add(world.host(up=UP), _some(world, 1 / 3))
        world.add(world.host(up=UP), _some(world, 1 / 3), habits=FREE_RIDER)
    return _run(world, world.nodes[1:], bound(size * 2 // 3, [UP], [UP] * 10 + [0] * 10), seconds=2000)


def churn(seed: int) -> Run:
    """Two seeds stay and five leechers, too; others come and go, whether they are complete or not."""
    size = 32 * MIB
    world = _small(seed, size)
    for _ in range(2):
        world.seed_at(world.host(up=UP))
    residents = [world.add(world.host(up=UP)) for _ in range(5)]

    def come() -> None:
        node = world.add(world.host(up=UP))
        world.clock.at(world.clock.now + world.random.expovariate(1 / 40), world.remove, node)
        world.clock.at(world.clock.now + world.random.expovariate(1 / 4), come)

    come()
    return _run(world, residents, bound(size, [UP] * 2, [UP] * 5), seconds=900)


def seed_leaves(seed: int, copies: float) -> Run:
    """The only seed goes when it has sent so many copies of everything."""
    world = _small(seed)
    source = world.seed_at(world.host(up=UP))
    nodes = [world.add(world.host(up=UP)) for _ in range(10)]

    def look() -> None:
        had = {piece for node in nodes for piece in node.have}
        if len(had) >= copies * world.geometry.pieces:
            world.remove(source)
        else:
            world.clock.at(world.clock.now + 0.1, look)

    look()
    return _run(world, nodes, bound(8 * MIB, [UP], [UP] * 10), seconds=400)


def early_leaver(seed: int) -> Run:
    """The only seed goes before everything is out."""
    return seed_leaves(seed, 0.9)


def late_leaver(seed: int) -> Run:
    """The only seed goes as soon as everything is out."""
    return seed_leaves(seed, 1.0)


# -- those who do harm -----------------------------------------------------------------------------------------------


def _liars(seed: int, habits: Callable[[World], Sequence[Habits]]) -> Run:
    """Seven honest seeds, three who are not, five leechers."""
    world = _small(seed)
    for _ in range(7):
        world.seed_at(world.host(up=UP))
    for habit in habits(world):
        world.seed_at(world.host(up=UP), habits=habit)
    nodes = [world.add(world.host(up=UP)) for _ in range(5)]
    return _run(world, nodes, bound(8 * MIB, [UP] * 7, [UP] * 5))


def liars(seed: int) -> Run:
    """Three of ten seeds send nothing but wrong blocks."""
    return _liars(seed, lambda world: [LIAR] * 3)


def sometimes(seed: int) -> Run:
    """Three of ten seeds send a wrong block in twenty."""
    return _liars(seed, lambda world: [SOMETIMES] * 3)


def sharers(seed: int) -> Run:
    """Three of ten seeds lie where others may be blamed."""
    return _liars(seed, lambda world: [sharer(world.geometry)] * 3)


def poisoned_end(seed: int, batch: int = BATCH) -> Run:
    """The last piece comes from a fast liar, or from an honest peer at 16 KiB/s."""
    world = _small(seed, 2 * MIB)
    geometry = world.geometry
    last = Bitfield(geometry.pieces, [geometry.pieces - 1])
    world.add(world.host(up=UP), last, habits=LIAR)
    world.add(world.host(up=SLOW), last, batch=batch)
    node = world.add(world.host(up=UP), Bitfield.full(geometry.pieces) - last)
    return _run(world, [node], PIECE / SLOW)


def trickled_end(seed: int) -> Run:
    """The same, and the slow peer sends two blocks at a time: cancels still reach it, and are answered."""
    return poisoned_end(seed, 2)


def snubbers(seed: int) -> Run:
    """Ten seeds unchoke and never send; two are honest."""
    world = _small(seed)
    for _ in range(10):
        world.seed_at(world.host(up=UP), habits=SNUBBER)
    for _ in range(2):
        world.seed_at(world.host(up=UP))
    return _run(world, [world.add(world.host(up=UP))], bound(8 * MIB, [UP] * 2, [0]))


def chokers(seed: int) -> Run:
    """Nobody unchokes."""
    world = _small(seed)
    for _ in range(5):
        world.seed_at(world.host(up=UP), habits=CHOKER)
    return _run(world, [world.add(world.host(up=UP))], bound(8 * MIB, [UP] * 5, [0]), seconds=120)


# -- those who are slow, or have little ------------------------------------------------------------------------------


def slow_and_fast(seed: int) -> Run:
    """Ten seeds of 16 KiB/s beside one of 1 MB/s."""
    world = _small(seed, 16 * MIB)
    for _ in range(10):
        world.seed_at(world.host(up=SLOW))
    world.seed_at(world.host(up=1e6))
    return _run(world, [world.add(world.host(up=UP))], bound(16 * MIB, [1e6] + [SLOW] * 10, [0]))


def partial_seeds(seed: int) -> Run:
    """Five peers have every fifth piece each, and a sixth has nothing; they have it all together."""
    size = 16 * MIB
    world = _small(seed, size)
    pieces = world.geometry.pieces
    for part in range(5):
        world.add(world.host(up=UP), Bitfield(pieces, range(part, pieces, 5)))
    world.add(world.host(up=UP))
    return _run(world, world.nodes, max(size / 5 / UP, 5 * size / (6 * UP)), seconds=400)


def last_piece(seed: int) -> Run:
    """Ten have all but one piece, which one slow peer has; and nothing else. It gives one to each slot at once."""
    world = _small(seed)
    pieces = world.geometry.pieces
    only = Bitfield(pieces, [world.random.randrange(pieces)])
    for _ in range(10):
        world.add(world.host(up=UP), Bitfield.full(pieces) - only)
    world.add(world.host(up=SLOW), only)
    return _run(world, world.nodes[:10], SLOTS * PIECE / SLOW, seconds=400)


def many(seed: int) -> Run:
    """A thousand pieces, and two hundred peers who have a tenth to all of them."""
    world = _small(seed, 1000 * BLOCK_SIZE, BLOCK_SIZE)
    world.announced = 200
    for _ in range(200):
        world.add(world.host(up=SLOW), _some(world, world.random.uniform(0.1, 1)), habits=QUIET)
    node = world.add(world.host(up=UP), limits=Limits(connections=200))
    return _run(world, [node], bound(1000 * BLOCK_SIZE, [SLOW] * 200, [0]))


# -- everything at once ----------------------------------------------------------------------------------------------


def chaos(seed: int) -> Run:
    """A dozen peers of any kind, who have anything, on any link, and come and go; an honest seed in two of three."""
    world = _small(seed, 2 * MIB, 64 << 10)
    random = world.random
    kinds = [HONEST, FREE_RIDER, CHOKER, SNUBBER, LIAR, SOMETIMES, sharer(world.geometry)]

    def come(habits: Habits, have: Bitfield) -> Node:
        up = random.choice([SLOW, UP, UP, 4 * UP])
        host = world.host(up=up, down=random.choice([2 * up, 20 * up]))
        return world.add(host, have, habits=habits, fast=random.random() < 0.7, lag=random.choice([0.0, 0.05, 0.5]))

    if random.random() < 2 / 3:
        world.seed_at(world.host(up=UP))
    watched = [come(HONEST, _some(world, random.choice([0, 0.5]))) for _ in range(4)]
    for _ in range(8):
        node = come(random.choice(kinds), _some(world, random.choice([0, 0.5, 1])))
        if random.random() < 0.4:
            world.clock.at(random.expovariate(1 / 20), world.remove, node)
    return _run(world, watched, bound(2 * MIB, [UP], [UP] * 4), seconds=900)


# -- rates -----------------------------------------------------------------------------------------------------------


def far_seed(seed: int, up: float = 20e6, round_trip: float = 0.3, seconds: float = 8.0) -> Run:
    """One peer far away, on a fast link. `curve` of the leecher is what to look at."""
    size = int(up * seconds)
    world = _small(seed, size - size % MIB, MIB)
    world.seed_at(world.host(up=up, delay=round_trip / 2 - 0.001))
    return _run(world, [world.add(world.host(up=UP, delay=0.001, window=FAR_WINDOW))], size / up)


def many_seeds(seed: int) -> Run:
    """Fifty seeds of 4 MB/s each, 10 to 20 ms away."""
    size = 600 * MIB
    world = _small(seed, size, MIB)
    for _ in range(50):
        world.seed_at(world.host(up=4e6, delay=world.random.uniform(0.004, 0.009)))
    return _run(world, [world.add(world.host(up=UP, delay=0.001))], size / 200e6)


SCENARIOS: dict[str, Callable[[int], Run]] = {
    scenario.__name__.replace("_", "-"): scenario
    for scenario in (
        crowd,
        half_crowd,
        small_crowd,
        free_riders,
        churn,
        early_leaver,
        late_leaver,
        liars,
        sometimes,
        sharers,
        poisoned_end,
        trickled_end,
        snubbers,
        chokers,
        slow_and_fast,
        partial_seeds,
        last_piece,
        many,
        chaos,
        far_seed,
        many_seeds,
    )
}
