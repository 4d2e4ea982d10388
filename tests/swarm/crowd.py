"""A swarm of schedulers, with nothing between them but links: how whole swarms fare, in seconds instead of minutes.

Each node's uplink sends block after block, to those in turn whose requests wait, as TCP would share it; downlinks are
wide. Every message takes `DELAY`. Pieces are right as soon as they are whole.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import combinations, count
from random import Random

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.swarm import commands as do
from trio_torrent.swarm.events import Event, Joined, Left, PeerId, PieceVerified, Received, Served, Tick
from trio_torrent.swarm.scheduler import Limits, Ours, Scheduler
from trio_torrent.wire import messages as wire

DELAY = 0.05  # seconds
BATCH = 2  # blocks sent in one go
ZEROS = bytes(BLOCK_SIZE)


@attrs.define(eq=False)
class Node:
    """One client. Others know it, and it knows others, by their numbers."""

    number: int
    scheduler: Scheduler
    up: float  # bytes a second
    gives: bool = True  # else it takes requests, and never sends
    asks: dict[int, int] = attrs.field(factory=dict)  # by neighbour
    lent: set[tuple[int, int, int]] = attrs.field(factory=set)  # neighbour, piece, offset
    waiting: dict[int, deque[wire.Request]] = attrs.field(factory=dict)
    turns: deque[int] = attrs.field(factory=deque)  # whose requests wait
    sending: bool = False
    done: float | None = None
    sent: dict[int, int] = attrs.field(factory=dict)  # bytes, by neighbour

    @property
    def uploaded(self) -> int:
        return sum(self.sent.values())


class Crowd:
    """Nodes, the links between them, and the time."""

    def __init__(self, geometry: Geometry, *, seed: int = 1) -> None:
        self.geometry = geometry
        self.now = 0.0
        self.nodes: dict[int, Node] = {}
        self.random = Random(seed)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def add(self, *, up: float, complete: bool = False, gives: bool = True, limits: Limits | None = None) -> Node:
        number = len(self.nodes) + 1
        have = Bitfield.full(self.geometry.pieces) if complete else Bitfield(self.geometry.pieces)
        scheduler = Scheduler(
            self.geometry,
            have,
            ours=Ours(b"%20d" % number, info_hash=bytes(20)),
            random=Random(self.random.getrandbits(32)),
            now=self.now,
            limits=limits or Limits(connections=100),
        )
        node = self.nodes[number] = Node(number, scheduler, up, gives)
        self.later(self.random.random(), partial(self._tick, node))
        return node

    def connect_all(self) -> None:
        """Everybody with everybody, in any order, within two seconds."""
        pairs = list(combinations(self.nodes.values(), 2))
        for one, other in self.random.sample(pairs, len(pairs)):
            self.later(self.random.random() * 2, partial(self._connect, one, other))

    def _connect(self, one: Node, other: Node) -> None:
        for node, neighbour in ((one, other), (other, one)):
            node.asks[neighbour.number] = 0
            node.waiting[neighbour.number] = deque()
        for node, neighbour in ((one, other), (other, one)):
            where = Address(f"10.0.{neighbour.number}.1", 6881)
            name = b"%20d" % neighbour.number
            self.happen(node, Joined(PeerId(neighbour.number), where, name, True, node is other, True))

    def run(self, until: Callable[[], bool], *, limit: float) -> float:
        """Go on until something is so; the time it took. AssertionError if it takes too long."""
        while not until():
            assert self._queue
            self.now, _, action = heapq.heappop(self._queue)
            assert self.now < limit, "it takes too long"
            action()
        return self.now

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), action))

    def happen(self, node: Node, event: Event) -> None:
        for command in node.scheduler.handle(event, self.now):
            self._perform(node, command)

    def _tick(self, node: Node) -> None:
        self.happen(node, Tick())
        self.later(1.0, partial(self._tick, node))

    # -- commands ----------------------------------------------------------------------------------------------------

    def _perform(self, node: Node, command: do.Command) -> None:
        match command:
            case do.Verify(piece):
                self.later(0.0, partial(self.happen, node, PieceVerified(piece)))
            case do.Finish():
                node.done = self.now
            case do.Ask() | do.Withdraw() | do.Send() | do.Serve() | do.Unserve() | do.Drop():
                if command.peer in node.waiting:
                    self._tell(node, int(command.peer), command)
            case _:
                pass

    def _tell(
        self, node: Node, to: int, command: do.Ask | do.Withdraw | do.Send | do.Serve | do.Unserve | do.Drop
    ) -> None:
        match command:
            case do.Ask(_, requests, lend):
                node.asks[to] += 1
                if lend:
                    node.lent.update((to, request.piece, request.offset) for request in requests)
                self._say(node, to, requests)
            case do.Withdraw(_, requests, tell):
                node.lent.difference_update((to, request.piece, request.offset) for request in requests)
                if tell:
                    self._say(node, to, tuple(wire.Cancel(r.piece, r.offset, r.length) for r in requests))
            case do.Send(_, messages):
                self._say(node, to, messages)
            case do.Serve(_, requests):
                self._serve(node, to, requests)
            case do.Unserve(_, requests):
                self._unserve(node, to, requests)
            case do.Drop():
                self._part(node, self.nodes[to])

    def _say(self, node: Node, to: int, messages: tuple[wire.Message, ...]) -> None:
        self.later(DELAY, partial(self._hear, self.nodes[to], node.number, messages))

    def _hear(self, node: Node, of: int, messages: tuple[wire.Message, ...]) -> None:
        if of in node.asks:
            landed = tuple(self._land(node, of, message) for message in messages)
            self.happen(node, Received(PeerId(of), landed, node.asks[of]))

    def _land(self, node: Node, of: int, message: wire.Message) -> wire.Message:
        if not isinstance(message, wire.Piece):
            return message
        key = of, message.piece, message.offset
        if key not in node.lent:
            return message
        node.lent.remove(key)
        return wire.Piece(message.piece, message.offset, memoryview(message.data))

    def _part(self, one: Node, other: Node) -> None:
        for node, neighbour in ((one, other), (other, one)):
            del node.asks[neighbour.number], node.waiting[neighbour.number]
            node.lent = {key for key in node.lent if key[0] != neighbour.number}
        self.happen(other, Left(PeerId(one.number), "dropped"))

    # -- the uplink --------------------------------------------------------------------------------------------------

    def _serve(self, node: Node, to: int, requests: tuple[wire.Request, ...]) -> None:
        if not node.gives:
            return
        if not node.waiting[to]:
            node.turns.append(to)
        node.waiting[to].extend(requests)
        if not node.sending:
            self._send_next(node)

    def _unserve(self, node: Node, to: int, requests: tuple[wire.Request, ...] | None) -> None:
        queue = node.waiting[to]
        ended = [request for request in queue if requests is None or request in requests]
        for request in ended:
            queue.remove(request)
        if ended:
            self._say(node, to, tuple(wire.Reject(r.piece, r.offset, r.length) for r in ended))

    def _send_next(self, node: Node) -> None:
        node.sending = False
        while node.turns:
            to = node.turns.popleft()
            if queue := node.waiting.get(to):
                batch = tuple(queue.popleft() for _ in range(min(BATCH, len(queue))))
                if queue:
                    node.turns.append(to)
                node.sending = True
                size = sum(request.length for request in batch)
                self.later(size / node.up, partial(self._sent, node, to, batch, size))
                return

    def _sent(self, node: Node, to: int, batch: tuple[wire.Request, ...], size: int) -> None:
        if to in node.waiting:
            node.sent[to] = node.sent.get(to, 0) + size
            self._say(node, to, tuple(wire.Piece(r.piece, r.offset, ZEROS[: r.length]) for r in batch))
            self.happen(node, Served(PeerId(to), batch))
        self._send_next(node)
