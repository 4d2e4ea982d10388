"""The scheduler's commands, carried out: by a peer's connection, the disk, or the dialler. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count

import attrs
import outcome
import trio

from trio_torrent.address import Address
from trio_torrent.disk.store import Store, Verdict
from trio_torrent.errors import PeerError, ProtocolError, StorageError
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dial import Connect
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS, shake_hands
from trio_torrent.net.peer import PeerConnection
from trio_torrent.net.throttle import Throttle
from trio_torrent.swarm.commands import (
    Ask,
    Command,
    Dial,
    Discard,
    Drop,
    Finish,
    Keep,
    Send,
    Serve,
    Unserve,
    Verify,
    Withdraw,
)
from trio_torrent.swarm.events import Connected, DialFailed, Event, Joined, PeerId
from trio_torrent.wire.connection import SCRATCH, Connection
from trio_torrent.wire.handshake import Handshake
from trio_torrent.wire.messages import Request

_numbers = count(1)


@attrs.frozen(eq=False)
class Reports:
    """Whom to tell, besides the scheduler."""

    verdict: Callable[[outcome.Outcome[Verdict]], None]
    gone: Callable[[Address, str], None]  # a peer, and why
    finished: Callable[[], None]
    broken: Callable[[StorageError], None]


class Performer:
    """Carries out commands for one torrent, and owns its connections."""

    def __init__(
        self,
        *,
        nursery: trio.Nursery,
        inbox: trio.MemorySendChannel[Event],
        store: Store,
        pieces: int,
        handshake: Handshake,
        connect: Connect,
        throttle: Throttle,
        boundary: Boundary,
        reports: Reports,
    ) -> None:
        self._nursery = nursery
        self._inbox = inbox
        self._store = store
        self._pieces = pieces
        self._handshake = handshake
        self._connect = connect
        self._throttle = throttle
        self._boundary = boundary
        self._reports = reports
        self._connections: dict[PeerId, PeerConnection] = {}
        self._scratch = bytearray(SCRATCH)  # for all connections: what is in it is read before anyone else runs

    # -- commands ----------------------------------------------------------------------------------------------------

    def perform(self, commands: Iterable[Command]) -> None:
        """Do all this, in order."""
        for command in commands:
            match command:
                case Verify(piece, digests):
                    self._store.verify(piece, digests=digests, done=self._reports.verdict)
                case Keep(piece, offset, data):
                    self._store.keep(piece, offset, data)
                case Discard(piece):
                    self._store.discard(piece)
                case Dial(address):
                    self._nursery.start_soon(self._dial, address)
                case Finish():
                    self._reports.finished()
                case _:
                    self._tell(command)

    def _tell(self, command: Ask | Send | Serve | Unserve | Withdraw | Drop) -> None:
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
            case Withdraw(_, requests, tell):
                connection.withdraw(requests, tell=tell)
            case Drop(_, reason):
                connection.drop(reason)

    # -- connections -------------------------------------------------------------------------------------------------

    async def _dial(self, address: Address) -> None:
        with self._boundary.guard("dialling"):
            try:
                stream = await self._connect(address)
            except PeerError as error:
                await self._inbox.send(DialFailed(address, str(error)))
                return
            async with stream:
                await self._inbox.send(Connected(address))
                await self._greet(stream, address)

    async def _greet(self, stream: trio.abc.Stream, address: Address) -> None:
        try:
            theirs, early = await shake_hands(stream, self._handshake)
        except (PeerError, ProtocolError) as error:
            await self._inbox.send(DialFailed(address, str(error)))
            return
        if theirs.peer_id == self._handshake.peer_id:
            await self._inbox.send(DialFailed(address, "that is ourselves", for_good=True))
            return
        await self._talk(stream, address, theirs, early, incoming=False)

    async def welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        """Take over a connection that came in, with its handshake."""
        self._nursery.start_soon(self._answer, stream, address, theirs, early)

    async def _answer(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        with self._boundary.guard("an incoming connection"):
            async with stream:
                try:
                    with trio.fail_after(HANDSHAKE_SECONDS):
                        await stream.send_all(bytes(self._handshake))
                except (trio.TooSlowError, trio.BrokenResourceError):
                    return
                if theirs.peer_id != self._handshake.peer_id:  # else the end that dialled knows now, too
                    await self._talk(stream, address, theirs, early, incoming=True)

    async def _talk(
        self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes, *, incoming: bool
    ) -> None:
        peer = PeerId(next(_numbers))
        fast = theirs.fast and self._handshake.fast
        self._connections[peer] = connection = PeerConnection(
            peer,
            stream,
            Connection(pieces=self._pieces, fast=fast, scratch=self._scratch),
            fast=fast,
            read_blocks=self._read_blocks,
            throttle=self._throttle,
            boundary=self._boundary,
        )
        try:
            extended = theirs.extended and self._handshake.extended
            await self._inbox.send(Joined(peer, address, theirs.peer_id, fast, incoming, extended))
            await connection.run(self._inbox, early)
        finally:
            del self._connections[peer]
            self._reports.gone(address, connection.reason)

    async def _read_blocks(self, requests: Sequence[Request]) -> bytearray:
        try:
            return await self._store.workers.run(partial(self._store.read_blocks, requests))
        except StorageError as error:
            self._reports.broken(error)
            raise
