"""One client of ours in the simulation: a real scheduler, and a model of everything that carries out its commands.

`Node` is what `client.perform` and the heart are, `End` what `net.peer`, `net.backlog` and `wire.connection` are at one
end of a connection: the writer's order of things, its batches, when `Served` is reported, what lands in a place and
what brings data of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.client.session import TICK_SECONDS
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.net.backlog import BATCH
from trio_torrent.net.peer import MOST_UNSAID
from trio_torrent.swarm import commands as do
from trio_torrent.swarm.events import Event, Joined, Left, PeerId, Received, Served, Tick
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.scheduler import Limits, Scheduler
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import PIECE_HEADER

from .habits import HONEST, Habits
from .links import Host, Pipe
from .store import DISK_RATE, Buffer, Store

if TYPE_CHECKING:
    from .world import World

# What is between a writer and the link: trio keeps the kernel's share at 16 KiB or a packet train over it
# (TCP_NOTSENT_LOWAT); the rest waits in the router.
SEND_BUFFER = 64 << 10

_SIZES: dict[type[wire.Message], int] = {wire.Have: 9, wire.Request: 17, wire.Cancel: 17, wire.Reject: 17}
_BROUGHT: dict[tuple[int, int], bytes] = {}


def _brought(size: int, mark: int) -> bytes:
    """What stands for a block's data while it travels."""
    return _BROUGHT.setdefault((size, mark), bytes([mark]) * size)


def _size(message: wire.Message) -> int:
    match message:
        case wire.Bitfield(bits):
            return 5 + len(bits)
        case wire.Extended(_, payload):
            return 6 + len(payload)
        case _:
            return _SIZES.get(type(message), 5)


class End:
    """One end of a connection: what its tasks would do."""

    def __init__(self, node: Node, other: Node, peer: PeerId, *, fast: bool) -> None:
        self.node = node
        self.other = other  # for whoever looks at the simulation
        self.peer = peer
        self.fast = fast
        self.remote: End | None = None
        self.closed = False
        self._pipe: Pipe | None = None
        self._asks = 0
        self._places: dict[tuple[int, int], tuple[Buffer, int]] = {}  # and how many bytes are expected
        self._unsaid: list[wire.Message] = []
        self._requests: dict[wire.Request, None] = {}  # theirs
        self._batch: tuple[wire.Request, ...] = ()  # being written
        self._asked: dict[int, int] = {}  # of each piece, so many blocks

    def join(self, remote: End) -> None:
        """Here is the other end."""
        self.remote = remote
        self._pipe = Pipe(self.node.host, remote.node.host, receive=remote.receive, drained=self._write)

    # -- commands ----------------------------------------------------------------------------------------------------

    def send(self, messages: Iterable[wire.Message]) -> None:
        """Say these."""
        self._unsaid += messages
        if len(self._unsaid) > MOST_UNSAID:
            self.node.lose(self, "does not read what we say")
        self._write()

    def ask(self, requests: tuple[wire.Request, ...], *, lend: bool) -> None:
        """Request blocks."""
        self._asks += 1
        if lend:
            for request in requests:
                buffer = self.node.store.lend(request.piece, request.offset)
                self._places[request.piece, request.offset] = buffer, request.length
        self.send(requests)

    def withdraw(self, requests: tuple[wire.Request, ...], *, tell: bool) -> None:
        """Take back places."""
        for request in requests:
            self._forget(request.piece, request.offset)
        if tell:
            self.send(wire.Cancel(request.piece, request.offset, request.length) for request in requests)

    def serve(self, requests: tuple[wire.Request, ...]) -> None:
        """Send these blocks, after those that wait."""
        for request in requests:
            self._asked[request.piece] = self._asked.get(request.piece, 0) + 1
        if self.node.habits.answers:
            self._requests.update(dict.fromkeys(requests))
            self._write()

    def unserve(self, requests: tuple[wire.Request, ...] | None) -> None:
        """Do not send these blocks, or any."""
        unwanted = list(self._requests) if requests is None else [r for r in requests if r in self._requests]
        for request in unwanted:
            del self._requests[request]
        if self.fast:
            self.send(wire.Reject(request.piece, request.offset, request.length) for request in unwanted)

    def close(self) -> None:
        """The connection is over, at this end."""
        self.closed = True
        for key in list(self._places):
            self._forget(*key)
        if self._pipe is not None:
            self._pipe.close()

    # -- the writer --------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Go on until what is written is a buffer ahead of the link: `send_all` would wait there."""
        pipe = self._pipe
        while pipe is not None and not self.closed and pipe.unsent <= SEND_BUFFER:
            if self._batch:
                served, self._batch = self._batch, ()
                self.node.post(Served(self.peer, served))
            elif self._unsaid:
                messages, self._unsaid = tuple(self._unsaid), []
                pipe.put(sum(map(_size, messages)), messages)
            elif self._requests:
                self._write_blocks(pipe)
            else:
                return

    def _write_blocks(self, pipe: Pipe) -> None:
        batch = tuple(request for request, _ in zip(self._requests, range(self.node.batch), strict=False))
        self._batch = batch
        node = self.node
        for request in batch:
            del self._requests[request]
            mark = node.habits.mark(request, self._asked[request.piece], node.random)
            block = wire.Piece(request.piece, request.offset, _brought(request.length, mark))
            pipe.put(PIECE_HEADER + request.length, (block,))
            node.uploaded += request.length

    # -- the reader --------------------------------------------------------------------------------------------------

    def receive(self, messages: tuple[wire.Message, ...]) -> None:
        """What came is an event."""
        if not self.closed:
            self.node.hear(Received(self.peer, tuple(map(self._read, messages)), self._asks))

    def _read(self, message: wire.Message) -> wire.Heard:
        match message:
            case wire.Piece(piece, offset, data):
                self.node.count(len(data))
                return self._land(message, piece, offset, len(data))
            case wire.Choke() if not self.fast:
                for key in list(self._places):
                    self._forget(*key)
            case wire.Reject(piece, offset):
                self._forget(piece, offset)
            case _:
                pass
        return message

    def _land(self, message: wire.Piece, piece: int, offset: int, size: int) -> wire.Heard:
        place, length = self._places.get((piece, offset), (None, 0))
        if place is None or length != size:
            return message
        self._forget(piece, offset)
        place[offset] = piece, message.data[0]
        return wire.Landed((wire.Request(piece, offset, size),))

    def _forget(self, piece: int, offset: int) -> None:
        if self._places.pop((piece, offset), None) is not None:
            self.node.store.give_back(piece, offset)


@attrs.frozen
class Parting:
    """A peer that a node dropped."""

    other: Node
    reason: str


class Node:
    """One client, its scheduler, and its figures."""

    def __init__(
        self,
        world: World,
        host: Host,
        address: Address,
        geometry: Geometry,
        have: Bitfield,
        *,
        habits: Habits = HONEST,
        limits: Limits | None = None,
        fast: bool = True,
        disk_rate: float = DISK_RATE,
        lag: float = 0.0,
        batch: int = BATCH,
    ) -> None:
        self.world = world
        self.host = host
        self.address = address
        self.habits = habits
        self.fast = fast
        self.batch = batch
        self.random = Random(f"{address} {world.seed}")
        self.peer_id = self.random.randbytes(20)
        self.joined = world.clock.now
        self.finished: float | None = world.clock.now if have.complete else None
        self.left: float | None = None
        self.downloaded = 0  # bytes of blocks
        self.uploaded = 0
        self.curve: dict[int, int] = {}  # tenth of a second since it joined: bytes that came
        self.partings: list[Parting] = []
        self.store = Store(world.clock, geometry, self.post, rate=disk_rate)
        self.scheduler = Scheduler(
            geometry,
            have,
            ours=Ours(self.peer_id, address.port, "sim"),
            random=self.random,
            now=world.clock.now,
            limits=limits,
        )
        self._ends: dict[PeerId, End] = {}
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._lag = lag
        self._lags_until = 0.0
        world.clock.at(world.clock.now + TICK_SECONDS * self.random.random(), self._tick)

    def __repr__(self) -> str:
        return f"<Node {self.address} {self.habits.name} {self.scheduler!r}>"

    @property
    def have(self) -> Bitfield:
        """What is verified."""
        return self.scheduler.have

    @property
    def others(self) -> list[Node]:
        """Whom it is connected to."""
        return [end.other for end in self._ends.values()]

    # -- the heart ---------------------------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Let the scheduler handle this, after what it is at now."""
        if self.left is not None:
            return
        self._inbox.append(event)
        if self._busy:
            return
        self._busy = True
        while self._inbox:
            for command in self.scheduler.handle(self._inbox.popleft(), self.world.clock.now):
                self._perform(command)
        self._busy = False

    def hear(self, event: Received | Left) -> None:
        """What was read waits in the inbox for up to `lag` seconds, while connections read on."""
        if not self._lag:
            self.post(event)
            return
        now = self.world.clock.now
        self._lags_until = max(self._lags_until, now + self.random.uniform(0, self._lag))
        self.world.clock.at(self._lags_until, self.post, event)

    def _tick(self) -> None:
        if self.left is None:
            self.world.clock.at(self.world.clock.now + TICK_SECONDS, self._tick)
            self.post(Tick())

    def _perform(self, command: do.Command) -> None:
        match command:
            case do.Verify(piece, digests):
                self.store.verify(piece, digests=digests)
            case do.Keep(piece, offset, data):
                self.store.keep(piece, offset, data[0])
            case do.Discard(piece):
                self.store.discard(piece)
            case do.Dial(address, seconds):
                if self.habits.dials:
                    self.world.dial(self, address, seconds)
            case do.Finish():
                self.finished = self.world.clock.now
                self.world.finished(self)
            case do.ServeHashes() | do.ServeMetadata() | do.CompleteLayers() | do.AddNode():
                raise AssertionError("there are no hash trees here, and no DHT")
            case _:
                if (end := self._ends.get(command.peer)) is not None:
                    self._tell(end, command)

    def _tell(self, end: End, command: do.Ask | do.Send | do.Serve | do.Unserve | do.Withdraw | do.Drop) -> None:
        match command:
            case do.Ask(_, requests, lend):
                end.ask(requests, lend=lend)
            case do.Send(_, messages):
                end.send(messages if self.habits.unchokes else [m for m in messages if not isinstance(m, wire.Unchoke)])
            case do.Serve(_, requests):
                end.serve(requests)
            case do.Unserve(_, requests):
                end.unserve(requests)
            case do.Withdraw(_, requests, tell):
                end.withdraw(requests, tell=tell)
            case do.Drop(_, reason):
                self.lose(end, reason)

    # -- connections -------------------------------------------------------------------------------------------------

    def add(self, end: End, event: Joined) -> None:
        """A connection is up."""
        self._ends[end.peer] = end
        self.post(event)

    def lose(self, end: End, reason: str) -> None:
        """End a connection from here; the other side will notice."""
        self.partings.append(Parting(end.other, reason))
        self._close(end, reason)
        if end.remote is not None:
            self.world.clock.at(
                self.world.clock.now + self.host.delay + end.other.host.delay, end.other.lost, end.remote
            )

    def lost(self, end: End) -> None:
        """The other side has ended it."""
        if not end.closed:
            self._close(end, "closed the connection")

    def _close(self, end: End, reason: str) -> None:
        if self._ends.pop(end.peer, None) is not None:
            end.close()
            self.hear(Left(end.peer, reason))

    def leave(self) -> None:
        """The machine is switched off."""
        for end in list(self._ends.values()):
            self.lose(end, "left")
        self.left = self.world.clock.now

    # -- figures -----------------------------------------------------------------------------------------------------

    def count(self, size: int) -> None:
        """So many bytes of a block have come."""
        self.downloaded += size
        tenth = int((self.world.clock.now - self.joined) * 10)
        self.curve[tenth] = self.curve.get(tenth, 0) + size

    def rate(self, start: float, end: float) -> float:
        """Bytes a second between two moments, in seconds since it joined."""
        tenths = range(round(start * 10), round(end * 10))
        return sum(self.curve.get(tenth, 0) for tenth in tenths) / (end - start)
