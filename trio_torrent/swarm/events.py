"""All that can happen to a torrent, as the scheduler hears of it."""

from __future__ import annotations

from typing import NewType, TypeAlias

import attrs

from trio_torrent.address import Address
from trio_torrent.wire.messages import Message, Request

PeerId = NewType("PeerId", int)
"""The number of one connection. A peer that comes again gets another."""


@attrs.frozen
class AddressesFound:
    """Someone may be there: from a tracker, from the user, from wherever addresses come."""

    addresses: tuple[Address, ...]
    source: str


@attrs.frozen
class Connected:
    """A dialled address took the connection; its handshake is still to come."""

    address: Address


@attrs.frozen
class DialFailed:
    """A dialled address is no use now; `for_good` if it never will be (it is ourselves, say)."""

    address: Address
    reason: str
    for_good: bool = False


@attrs.frozen
class Joined:
    """Both handshakes are done. `fast`, `extended` and `v2` say what both speak (BEP 6, BEP 10, BEP 52)."""

    peer: PeerId
    address: Address
    remote_id: bytes
    fast: bool
    incoming: bool
    extended: bool = False
    v2: bool = False


@attrs.frozen
class Received:
    """What one chunk of a peer's stream said, and how many `Ask`s the connection had carried out when it was read.

    A connection reads ahead of the scheduler, so what it hands over may answer an older question than the last.
    """

    peer: PeerId
    messages: tuple[Message, ...]
    asks: int = 0


@attrs.frozen
class Served:
    """These requests were answered: their blocks are on the way."""

    peer: PeerId
    requests: tuple[Request, ...]


@attrs.frozen
class HashesServed:
    """A request for hashes was answered."""

    peer: PeerId


@attrs.frozen
class Left:
    """The connection is over."""

    peer: PeerId
    reason: str


@attrs.frozen
class PieceVerified:
    """The piece is what the torrent says, and is in its files. `digests` as asked for by the command."""

    piece: int
    digests: tuple[bytes, ...] = ()


@attrs.frozen
class PieceFailed:
    """The piece is not what the torrent says; `digests` has one for each of its blocks."""

    piece: int
    digests: tuple[bytes, ...]


@attrs.frozen
class Released:
    """These pieces can be verified from now on; those of them that are `good` were in their files already."""

    pieces: tuple[int, ...]
    good: tuple[int, ...] = ()


@attrs.frozen
class Wanted:
    """How much pieces are wanted from now on: each with its priority, `availability.SKIP` to `HIGH`."""

    priorities: tuple[tuple[int, int], ...]


@attrs.frozen
class Awaited:
    """Somebody reads: each of these pieces is needed at its time, on the scheduler's clock; none of those before."""

    deadlines: tuple[tuple[int, float], ...]


@attrs.frozen
class InOrder:
    """From now on, pieces are fetched from the first to the last; or the rarest first again."""

    on: bool = True


@attrs.frozen
class Tick:
    """Some time has passed; sent about once a second, and ten times as often where a rate limit is kept."""


Event: TypeAlias = (
    AddressesFound
    | Connected
    | DialFailed
    | Joined
    | Received
    | Served
    | HashesServed
    | Left
    | PieceVerified
    | PieceFailed
    | Released
    | Wanted
    | Awaited
    | InOrder
    | Tick
)
