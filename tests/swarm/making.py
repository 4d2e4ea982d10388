"""Peers, and a place for commands, for the tests of decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeVar

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm.bans import Bans
from trio_torrent.swarm.commands import Command
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.fetching import Fetching
from trio_torrent.swarm.peers import Peer
from trio_torrent.swarm.rates import Bucket, Meter
from trio_torrent.swarm.serving import Serving
from trio_torrent.wire import messages as wire

C = TypeVar("C", bound=Command)

BLOCK = 16384
GEOMETRY = Geometry.contiguous(2 * BLOCK, 4 * 2 * BLOCK + 1000)
"""Four pieces of two blocks, and one of a thousand bytes."""
PIECES = GEOMETRY.pieces
NOW = 1000.0


def address(number: int) -> Address:
    return Address(f"192.0.2.{number}", 6881)


def make_peer(number: int = 1, *, fast: bool = False, joined: float = NOW) -> Peer:
    return Peer(
        id=PeerId(number),
        address=address(number),
        remote_id=bytes([number]) * 20,
        fast=fast,
        incoming=False,
        joined=joined,
        pieces=Bitfield(PIECES),
        from_them=Meter(joined),
        to_them=Meter(joined),
    )


def every_block(piece: int) -> list[wire.Request]:
    size = GEOMETRY.piece_size(piece)
    return [wire.Request(piece, offset, min(BLOCK, size - offset)) for offset in range(0, size, BLOCK)]


def own(request: wire.Request) -> wire.Piece:
    """The block as it comes when its place was not lent."""
    return wire.Piece(request.piece, request.offset, bytes(request.length))


def landed(request: wire.Request) -> wire.Landed:
    """The block as it comes when it went to its place."""
    return wire.Landed((request,))


@attrs.define(eq=False)
class Commands:
    """What was asked for since one last looked."""

    all: list[Command] = attrs.field(factory=list)

    def take(self) -> list[Command]:
        taken, self.all = self.all, []
        return taken

    def of(self, kind: type[C]) -> list[C]:
        """Take all, and return those of a kind."""
        return [command for command in self.take() if isinstance(command, kind)]

    def do(self, command: Command) -> None:
        self.all.append(command)


@attrs.define(eq=False)
class Swarm:
    """Both halves of a scheduler, around the same peers."""

    have: Bitfield
    peers: dict[PeerId, Peer]
    commands: Commands
    bans: Bans
    fetching: Fetching
    serving: Serving

    def join(self, peer: Peer, pieces: Iterable[int] = (), *, unchokes: bool = False) -> Peer:
        """A peer comes, says what it has, and perhaps unchokes us."""
        self.peers[peer.id] = peer
        self.serving.joined(peer, NOW)
        self.fetching.bitfield(peer, Bitfield(PIECES, pieces))
        if unchokes:
            self.unchoke(peer)
        return peer

    def unchoke(self, peer: Peer, now: float = NOW) -> None:
        """A peer unchokes us, and says no more."""
        self.fetching.unchoked(peer, now)
        self.fetching.asking.fill(peer, now)

    def wait(self, until: float) -> None:
        """Time passes, a second at a time."""
        now = self.fetching._ticked
        while now < until:
            now = min(until, now + 1)
            self.fetching.tick(now)

    def gives(self, peer: Peer, block: wire.Piece | wire.Landed, now: float = NOW) -> None:
        """A block comes, in answer to all that was asked so far."""
        if isinstance(block, wire.Landed):
            self.fetching.landed(peer, block.requests, peer.asks, now)
        else:
            self.fetching.block(peer, block, peer.asks, now)

    def leave(self, peer: Peer, now: float = NOW) -> None:
        del self.peers[peer.id]
        self.fetching.left(peer, now)
        self.serving.left(peer, now)


def make_swarm(
    have: Iterable[int] = (), *, slots: int = 2, down: Sequence[Bucket] = (), superseed: bool = False
) -> Swarm:
    pieces, peers, commands, bans = Bitfield(PIECES, have), dict[PeerId, Peer](), Commands(), Bans()
    fetching = Fetching(GEOMETRY, pieces, peers, commands.do, bans=bans, random=Random(1), now=NOW, limits=down)
    serving = Serving(GEOMETRY, pieces, peers, commands.do, random=Random(1), slots=slots, now=NOW, superseed=superseed)
    return Swarm(pieces, peers, commands, bans, fetching, serving)
