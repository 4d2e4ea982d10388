"""The scheduler's commands, carried out: by a peer's connection, the disk, or the dialler. Nothing here waits.

Of a torrent that began as a link, connections are there before it is known what they are about: `begin` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import attrs
import outcome
import trio

from trio_torrent.address import Address
from trio_torrent.disk.hashes import cost
from trio_torrent.disk.store import Store, Verdict
from trio_torrent.errors import PeerError, ProtocolError, ShortageError, StorageError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.metainfo.trees import Tree
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dial import Connect
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS, LeftError, shake_hands
from trio_torrent.net.peer import PeerConnection
from trio_torrent.net.places import Share
from trio_torrent.net.throttle import Throttle
from trio_torrent.swarm.candidates import LOOK_SECONDS
from trio_torrent.swarm.commands import (
    AddNode,
    Ask,
    Command,
    CompleteLayers,
    Dial,
    Discard,
    Drop,
    Finish,
    Keep,
    Send,
    Serve,
    ServeHashes,
    ServeMetadata,
    Unserve,
    Verify,
    Withdraw,
)
from trio_torrent.swarm.events import DialFailed, Event, Failure, Joined, PeerId
from trio_torrent.wire.connection import Connection
from trio_torrent.wire.handshake import DHT, EXTENDED, FAST, V2, Handshake, answer
from trio_torrent.wire.messages import Hashes, HashRequest, Request

if TYPE_CHECKING:
    from trio_torrent.net.webseed import WebSeedConnection

_numbers = count(1)

# Bytes a second that are read and hashed for peers who ask for leaves, all together: the request costs them 53 bytes
# and us up to 128 MiB. Ten pieces that came out wrong are settled within a second or two.
LEAF_RATE = 32 << 20


@attrs.frozen(eq=False)
class Reports:
    """Whom to tell, besides the scheduler."""

    gone: Callable[[Address, str], None]  # a peer, and why
    finished: Callable[[], None]
    layers: Callable[[Mapping[bytes, bytes]], None]  # those that were missing
    node: Callable[[Address], None]  # of the DHT
    broken: Callable[[StorageError], None]


class Performer:
    """Carries out commands for one torrent, and owns its connections."""

    def __init__(
        self,
        *,
        nursery: trio.Nursery,
        inbox: trio.MemorySendChannel[Event],
        info_hashes: InfoHashes,
        peer_id: bytes,
        dht: bool,
        connect: Connect,
        share: Share,
        throttle: Throttle,
        boundary: Boundary,
        scratch: bytearray,
        verdict: Callable[[outcome.Outcome[Verdict]], None],
        reports: Reports,
    ) -> None:
        self._nursery = nursery
        self._inbox = inbox
        self._peer_id = peer_id
        self._dht = dht
        self._known: Store | None = None
        self._pieces: int | None = None
        self._connect = connect
        self._share = share
        self._throttle = throttle
        self._boundary = boundary
        self._verdict = verdict
        self._reports = reports
        self._leaves = trio.Lock()  # one such job at a time; those who wait for it are served in turn
        self._connections: dict[PeerId, PeerConnection | WebSeedConnection] = {}
        self._scratch = scratch
        self._name(info_hashes)

    def _name(self, info_hashes: InfoHashes) -> None:
        reserved = FAST | EXTENDED | (V2 if info_hashes.v2 else 0) | (DHT if self._dht else 0)
        self._handshake = Handshake(info_hashes.wire, self._peer_id, reserved)
        self._v2 = info_hashes.v2_wire  # the v2 info-hash as handshakes have it, where there is one

    def begin(self, metainfo: Metainfo, store: Store) -> None:
        """The torrent is known, and commands about its pieces may come. Connections that are there know it, too."""
        self._known, self._pieces = store, metainfo.geometry.pieces
        self._dht = self._dht and not metainfo.private
        self._name(metainfo.info_hashes)
        for connection in self._connections.values():
            connection.know(self._pieces)

    @property
    def _store(self) -> Store:
        assert self._known is not None  # before `begin`, nobody speaks of pieces
        return self._known

    # -- commands ----------------------------------------------------------------------------------------------------

    def perform(self, commands: Iterable[Command]) -> None:
        """Do all this, in order."""
        for command in commands:
            match command:
                case Verify(piece, digests):
                    self._store.verify(piece, digests=digests, done=self._verdict)
                case Keep(piece, offset, data):
                    self._store.keep(piece, offset, data)
                case Discard(piece):
                    self._store.discard(piece)
                case Dial(address, seconds):
                    self._nursery.start_soon(self._dial, address, seconds)
                case CompleteLayers(layers):
                    self._reports.layers(layers)
                case AddNode(address):
                    self._reports.node(address)
                case Finish():
                    self._reports.finished()
                case _:
                    self._tell(command)

    def _tell(self, command: Ask | Send | Serve | Unserve | ServeHashes | ServeMetadata | Withdraw | Drop) -> None:
        connection = self._connections.get(command.peer)
        if connection is None:
            return  # it has ended, and the scheduler will hear of it
        match command:
            case Ask(_, requests, lend):
                connection.ask(requests, self._store.place if lend else None)
            case Send(_, messages):
                connection.send(messages)
            case Serve(_, requests):
                connection.serve(requests)
            case Unserve(_, requests):
                connection.unserve(requests)
            case ServeHashes(_, request, tree):
                connection.serve_hashes(partial(self._read_hashes, request, tree))
            case ServeMetadata(_, number, data):
                connection.serve_metadata(number, data)
            case Withdraw(_, requests, tell):
                connection.withdraw(requests, tell=tell)
            case Drop(_, reason, for_good):
                connection.drop(reason, for_good=for_good)

    # -- connections -------------------------------------------------------------------------------------------------

    async def _dial(self, address: Address, seconds: float) -> None:
        with self._boundary.guard("dialling"):
            try:
                stream, theirs, early = await self._reach(address, seconds)
            except (PeerError, ProtocolError) as error:
                await self._inbox.send(DialFailed(address, str(error), _why(error)))
                return
            async with stream:
                v2 = theirs.info_hash == self._v2
                try:
                    await self._join(stream, address, theirs, early, incoming=False, v2=v2)
                except ShortageError as error:
                    await self._inbox.send(DialFailed(address, str(error), Failure.SHORTAGE))

    async def _reach(self, address: Address, seconds: float) -> tuple[trio.abc.Stream, Handshake, bytes]:
        try:
            try:
                stream, theirs, early = await self._call(address, self._handshake, seconds)
            except LeftError:
                if self._v2 in (None, self._handshake.info_hash):
                    raise
                # Whoever came by a link with the v2 info-hash alone does not know this torrent by the other.
                other = attrs.evolve(self._handshake, info_hash=self._v2)
                stream, theirs, early = await self._call(address, other, seconds)
        except trio.TooSlowError:
            raise _LateError("timed out") from None
        if theirs.peer_id == self._handshake.peer_id:
            await trio.aclose_forcefully(stream)
            raise _OurselvesError("that is ourselves")
        return stream, theirs, early

    async def _call(
        self, address: Address, ours: Handshake, seconds: float
    ) -> tuple[trio.abc.Stream, Handshake, bytes]:
        async with self._share.attempting(look=seconds >= LOOK_SECONDS):
            with trio.fail_after(seconds):
                stream = await self._connect(address)
        try:
            with trio.fail_after(seconds):
                return stream, *await shake_hands(stream, ours, upgrade=self._v2)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        """Take over a connection that came in, with its handshake."""
        self._nursery.start_soon(self._answer, stream, address, theirs, early)

    async def _answer(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        with self._boundary.guard("an incoming connection"):
            async with stream:
                ours = answer(theirs, self._handshake, self._v2)
                try:
                    with trio.fail_after(HANDSHAKE_SECONDS):
                        await stream.send_all(bytes(ours))
                    if theirs.peer_id != self._handshake.peer_id:  # else the end that dialled knows now, too
                        v2 = ours.info_hash == self._v2
                        await self._join(stream, address, theirs, early, incoming=True, v2=v2)
                except (trio.TooSlowError, trio.BrokenResourceError, ShortageError):
                    return

    async def _join(
        self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes, *, incoming: bool, v2: bool
    ) -> None:
        with self._share.connected() as crowded:
            peer = PeerId(next(_numbers))
            fast = theirs.fast and self._handshake.fast
            extended = theirs.extended and self._handshake.extended
            dht = theirs.dht and self._handshake.dht
            joined = Joined(peer, address, theirs.peer_id, fast, incoming, extended, v2, crowded, dht=dht)
            await self._talk(stream, joined, early)

    async def _talk(self, stream: trio.abc.Stream, joined: Joined, early: bytes) -> None:
        self._connections[joined.peer] = connection = PeerConnection(
            joined.peer,
            stream,
            Connection(pieces=self._pieces, fast=joined.fast, v2=joined.v2, scratch=self._scratch),
            fast=joined.fast,
            read_blocks=self._read_blocks,
            throttle=self._throttle,
            boundary=self._boundary,
        )
        try:
            await self._inbox.send(joined)
            await connection.run(self._inbox, early)
        finally:
            del self._connections[joined.peer]
            self._reports.gone(joined.address, connection.reason)

    async def host(self, address: Address, make: Callable[[PeerId], WebSeedConnection]) -> WebSeedConnection:
        """A web seed joins; returns it when it has left."""
        peer = PeerId(next(_numbers))
        self._connections[peer] = connection = make(peer)
        try:
            await self._inbox.send(Joined(peer, address, b"", fast=False, incoming=False, web=True))
            await connection.run(self._inbox)
        finally:
            del self._connections[peer]
            self._reports.gone(address, connection.reason)
        return connection

    async def _read_blocks(self, requests: Sequence[Request]) -> bytearray:
        answer = self._store.answer(requests)
        if not answer.fill_at_once():
            try:
                await self._store.workers.run(answer.fill)
            except StorageError as error:
                self._reports.broken(error)
                raise
        return answer.message

    async def _read_hashes(self, request: HashRequest, tree: Tree) -> Hashes:
        read = partial(self._store.hashes.read, request, tree)
        try:
            if not (size := cost(request, tree)):
                return await self._store.workers.run(read)
            async with self._leaves:
                hashes = await self._store.workers.run(read)
                await trio.sleep(size / LEAF_RATE)
                return hashes
        except StorageError as error:
            self._reports.broken(error)
            raise


class _LateError(PeerError):
    """Nothing was heard within the time that we gave."""


class _OurselvesError(PeerError):
    """We have dialled our own address."""


def _why(error: PeerError | ProtocolError) -> Failure:
    match error:
        case _LateError():
            return Failure.LATE
        case _OurselvesError():
            return Failure.FOR_GOOD
        case ShortageError():
            return Failure.SHORTAGE
        case _:
            return Failure.REFUSED
