"""A network in virtual time: links with a rate and a delay, and torrents of ours at both ends of them.

Time costs nothing here but traffic costs time, so a mock clock can run whole swarms in milliseconds. Nothing uses a
thread or a socket: a mock clock would run ahead of a thread.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import attrs
import outcome
import trio

from trio_torrent.address import Address
from trio_torrent.client.buckets import Buckets
from trio_torrent.client.content import Rules
from trio_torrent.client.engine import Engine
from trio_torrent.client.events import TorrentEvent
from trio_torrent.client.finder import Finder
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.settings import Settings
from trio_torrent.client.shared import Shared
from trio_torrent.client.torrent import Torrent
from trio_torrent.client.wishes import Wishes
from trio_torrent.disk.line import Line
from trio_torrent.disk.records import Records
from trio_torrent.disk.workers import Workers
from trio_torrent.errors import PeerError, TrackerError
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.asking import Asker, Trackers
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.lane import Lane, OpenLane
from trio_torrent.net.listen import Reception, Welcome
from trio_torrent.net.places import Places
from trio_torrent.net.reach import Family, Local
from trio_torrent.swarm.mirror import Mirror

T = TypeVar("T")
U = TypeVar("U")

WINDOW = 256 * 1024  # bytes on their way or unread, after which a sender waits: TCP's part


class Host:
    """One machine: what it sends shares one link."""

    def __init__(self, address: Address, *, up: float = math.inf) -> None:
        self.address = address
        self._up = up
        self._free_at = 0.0

    async def send(self, size: int) -> None:
        """Take the time that it takes to send so many bytes after those that wait already."""
        start = max(self._free_at, trio.current_time())
        self._free_at = start + size / self._up
        await trio.sleep_until(self._free_at)


class _Pipe:
    """One direction of a connection."""

    def __init__(self, sender: Host, delay: float) -> None:
        self._sender = sender
        self._delay = delay
        self._queue: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._changed = trio.Event()
        self._sending = trio.Lock()
        self.closed = False  # by the sender: the end of the stream
        self.broken = False  # by the receiver

    def change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def send(self, data: bytes) -> None:
        async with self._sending:
            await trio.lowlevel.checkpoint()
            for start in range(0, len(data), WINDOW // 4):
                chunk = data[start : start + WINDOW // 4]
                while self._size > WINDOW and not self.broken:
                    await self._changed.wait()
                await self._sender.send(len(chunk))
                if self.broken or self.closed:
                    raise trio.BrokenResourceError("connection reset")
                self._queue.append((trio.current_time() + self._delay, chunk))
                self._size += len(chunk)
                self.change()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._queue:
            if self.closed:
                return b""
            await self._changed.wait()
        await trio.sleep_until(self._queue[0][0])
        parts = []
        while self._queue and self._queue[0][0] <= trio.current_time():
            parts.append(self._queue.popleft()[1])
        data = b"".join(parts)
        self._size -= len(data)
        self.change()
        return data


class LinkStream(trio.abc.Stream):
    """One end of a connection."""

    def __init__(self, out: _Pipe, into: _Pipe) -> None:
        self._out = out
        self._in = into
        self._closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        await self._out.send(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._closed:
            raise trio.ClosedResourceError
        return await self._in.receive()

    async def aclose(self) -> None:
        self._closed = True
        self._out.closed = self._in.broken = True
        self._out.change()
        self._in.change()
        await trio.lowlevel.checkpoint()


Handler = Callable[[trio.abc.Stream, Address], Awaitable[None]]


class Network:
    """Who listens where, and connections between them."""

    def __init__(self, nursery: trio.Nursery, *, delay: float = 0.005) -> None:
        self._nursery = nursery
        self._delay = delay
        self._listeners: dict[Address, tuple[Host, Handler]] = {}
        self._black_holes: set[Address] = set()
        self.dialled: list[tuple[float, Address]] = []
        self.most_hanging = 0  # attempts in black holes, at once
        self._hanging = 0

    def listen(self, host: Host, handler: Handler) -> None:
        """Whoever connects to the host's address is handed to `handler`, in a task of its own."""
        self._listeners[host.address] = host, handler

    def swallow(self, address: Address) -> None:
        """Connecting there never ends."""
        self._black_holes.add(address)

    def connect_from(self, host: Host) -> Callable[[Address], Awaitable[trio.abc.Stream]]:
        """How this host connects to others."""

        async def connect(address: Address) -> trio.abc.Stream:
            self.dialled.append((trio.current_time(), address))
            if address in self._black_holes:
                await self._hang()
            await trio.sleep(self._delay * 2)
            if address not in self._listeners:
                raise PeerError("connection refused")
            other, handler = self._listeners[address]
            there, back = _Pipe(host, self._delay), _Pipe(other, self._delay)
            self._nursery.start_soon(handler, LinkStream(back, there), host.address)
            return LinkStream(there, back)

        return connect

    async def _hang(self) -> None:
        self._hanging += 1
        self.most_hanging = max(self.most_hanging, self._hanging)
        try:
            await trio.sleep(15)
        finally:
            self._hanging -= 1
        raise PeerError("timed out")


class InlineWorkers(Workers):
    """Does each job at once, where it is submitted."""

    def __init__(self) -> None:
        self.count = 2

    def submit(self, job: Callable[[], T], done: Callable[[outcome.Outcome[T]], None]) -> None:
        done(outcome.capture(job))

    def submit_in_two(
        self,
        job: Callable[[], T],
        line: Line,
        rest: Callable[[T], U],
        done: Callable[[outcome.Outcome[U]], None],
        *,
        together: int = 1,
    ) -> None:
        done(outcome.capture(lambda: rest(job())))

    def stop(self) -> None:
        pass


class NoTracker:
    """What a torrent without trackers never asks."""

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        raise TrackerError("there is no tracker here")


def no_web() -> Lane:
    """For torrents without web seeds."""
    raise AssertionError("there is no web here")


@attrs.frozen(eq=False)
class Node:
    """A torrent of ours on a host of the network."""

    host: Host
    torrent: Torrent
    engine: Engine
    boundary: Boundary


async def told(nursery: trio.Nursery, node: Node) -> list[TorrentEvent]:
    """What the torrent tells its users from now on; the list grows."""
    events: list[TorrentEvent] = []

    async def listen(*, task_status: trio.TaskStatus[None]) -> None:
        async with node.torrent.events(buffer=10_000) as channel:
            task_status.started()
            async for event in channel:
                events.append(event)

    await nursery.start(listen)
    return events


def _records(folder: Path) -> Records:
    return Records(folder, InlineWorkers(), InlineWorkers(), "today")


def join(
    network: Network,
    nursery: trio.Nursery,
    host: Host,
    source: Metainfo | Magnet,
    save_path: Path,
    *,
    peers: list[Address] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    open_lane: OpenLane = no_web,
    places: Places | None = None,
    dht: Finder | None = None,
    trackers: Asker | None = None,
    mirror: Mirror | None = None,
    rules: Rules | None = None,
    **wishes: Any,
) -> Node:
    """Start a torrent of ours on this host, with places of its own or with those of its client.

    `wishes` are those of a torrent's user.
    """
    boundary = Boundary()
    random = Random(f"{host.address} {seed}")
    settings = settings or Settings(trackers=False)
    shared = Shared(
        settings=settings,
        workers=InlineWorkers(),
        http=NoTracker(),
        lanes=lambda: open_lane,
        trackers=lambda: trackers or Trackers(NoTracker(), None, [None]),
        connect=network.connect_from(host),
        peer_id=b"-TT0100-" + random.randbytes(12),
        port=host.address.port,
        boundary=boundary,
        random=random,
        places=places or Places(),
        dht=dht,
        mirror=mirror or Mirror(),
        buckets=Buckets.of(settings.limit_down, settings.limit_up, trio.current_time()),
        records=_records(settings.state_folder) if settings.state_folder is not None else None,
    )
    engine = Engine(source, save_path, shared, peers or [], rules=rules, wishes=Wishes(**wishes))

    def find(info_hash: bytes) -> Welcome | None:
        return engine.welcome() if info_hash in engine.info_hashes.all_wire else None

    network.listen(host, Reception(find, boundary).receive)
    nursery.start_soon(engine.run)
    return Node(host, Torrent(engine), engine, boundary)
