"""A whole swarm in virtual time: who is there, who finds whom, and when it ends.

Nothing waits and nothing is random but by the seed, so the same seed gives the same run, and a swarm of fifty costs
seconds. What goes over the links are message objects, at 20 microseconds each, not bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from random import Random

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.net.backlog import BATCH
from trio_torrent.swarm.events import AddressesFound, DialFailed, Failure, Joined, PeerId
from trio_torrent.swarm.scheduler import Limits
from trio_torrent.swarm.stall import Stall

from .clock import Clock
from .habits import HONEST, Habits
from .links import WINDOW, Host
from .node import End, Node
from .store import DISK_RATE

ANNOUNCED = 50  # addresses in a tracker's answer
REANNOUNCE_SECONDS = 300.0
CONNECT_SECONDS = 15.0  # until a dial to nobody is given up


class World:
    """One torrent's swarm."""

    def __init__(self, geometry: Geometry, seed: int) -> None:
        self.geometry = geometry
        self.seed = seed
        self.random = Random(seed)
        self.clock = Clock()
        self.nodes: list[Node] = []
        self.announced = ANNOUNCED
        self.on_finished: Callable[[Node], None] = lambda node: None
        self._listening: dict[Address, Node] = {}
        self._numbers = count(1)

    # -- who is there ------------------------------------------------------------------------------------------------

    def add(
        self,
        host: Host,
        have: Bitfield | None = None,
        *,
        habits: Habits = HONEST,
        limits: Limits | None = None,
        fast: bool = True,
        disk_rate: float = DISK_RATE,
        lag: float = 0.0,
        batch: int = BATCH,
    ) -> Node:
        """A node joins, and hears from the tracker who else is there."""
        number = len(self.nodes) + 1
        node = Node(
            self,
            host,
            Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 6881),
            self.geometry,
            have or Bitfield(self.geometry.pieces),
            habits=habits,
            limits=limits,
            fast=fast,
            disk_rate=disk_rate,
            lag=lag,
            batch=batch,
        )
        self.nodes.append(node)
        self._announce(node)
        self._listening[node.address] = node
        return node

    def host(self, *, up: float, down: float = math.inf, delay: float | None = None, window: int = WINDOW) -> Host:
        """A machine; its delay is 5 to 50 ms, if it is not said."""
        delay = self.random.uniform(0.005, 0.05) if delay is None else delay
        return Host(self.clock, up=up, down=down, delay=delay, window=window)

    def seed_at(self, host: Host, *, habits: Habits = HONEST) -> Node:
        """A node that has everything joins."""
        return self.add(host, Bitfield.full(self.geometry.pieces), habits=habits)

    def remove(self, node: Node) -> None:
        """A node leaves without a word."""
        if node.left is None:
            self._listening.pop(node.address, None)
            node.leave()

    def _announce(self, node: Node) -> None:
        if node.left is not None:
            return
        others = [address for address in self._listening if address != node.address]
        found = self.random.sample(others, min(self.announced, len(others)))
        if found:
            node.post(AddressesFound(tuple(found), "tracker"))
        self.clock.at(self.clock.now + REANNOUNCE_SECONDS, self._announce, node)

    # -- who finds whom ----------------------------------------------------------------------------------------------

    def dial(self, node: Node, address: Address, seconds: float) -> None:
        """Two round trips: the connection, and the handshakes. Nobody there is nobody for so many seconds."""
        other = self._listening.get(address)
        if other is None:
            self._in(seconds, partial(node.post, DialFailed(address, "timed out", Failure.LATE)))
            return
        delay = node.host.delay + other.host.delay
        self._in(3 * delay, partial(self._shake_hands, node, other, delay))

    def _shake_hands(self, node: Node, other: Node, delay: float) -> None:
        if other.left is not None or node.left is not None:
            self._in(delay, partial(node.post, DialFailed(other.address, "closed the connection")))
            return
        fast = node.fast and other.fast
        here, there = (PeerId(next(self._numbers)) for _ in range(2))
        mine, theirs = End(node, other, here, fast=fast), End(other, node, there, fast=fast)
        mine.join(theirs)
        theirs.join(mine)
        self._in(delay, partial(node.add, mine, Joined(here, other.address, other.peer_id, fast, False, True)))
        caller = Address(node.address.host, 32768 + there % 28232)  # any free port, as systems do
        other.add(theirs, Joined(there, caller, node.peer_id, fast, True, True))

    def _in(self, seconds: float, call: Callable[[], None]) -> None:
        self.clock.at(self.clock.now + seconds, call)

    # -- when it ends ------------------------------------------------------------------------------------------------

    def run(self, seconds: float, *, until: Iterable[Node] | None = None) -> bool:
        """Go on for so long, or until these are complete (or gone); whether they are."""
        if until is None:
            self.clock.run(self.clock.now + seconds)
            return True
        waiting = {id(node) for node in until if node.finished is None and node.left is None}

        def gone(node: Node) -> None:
            waiting.discard(id(node))
            if not waiting:
                self.clock.stop()

        self.on_finished = gone
        self.clock.run(self.clock.now + seconds)
        return not waiting

    def finished(self, node: Node) -> None:
        """A node has everything."""
        self.on_finished(node)

    def stall(self, node: Node) -> Stall | None:
        """Why nothing comes, as the node sees it."""
        return node.scheduler.snapshot(self.clock.now).stall
