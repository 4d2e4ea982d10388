"""All that can happen to a torrent, as the scheduler hears of it."""

from __future__ import annotations

import enum
from typing import NewType, TypeAlias

import attrs

from trio_torrent.address import Address
from trio_torrent.wire.messages import Heard, Request

PeerId = NewType("PeerId", int)
"""The number of one connection. A peer that comes again gets another."""


@attrs.frozen
class AddressesFound:
    """Someone may be there: from a tracker, from the user, from wherever addresses come."""

    addresses: tuple[Address, ...]
    source: str


class Failure(enum.Enum):
    """Why nothing came of a dialled address, as far as it matters for the next time."""

    REFUSED = "by the other side or on the way"
    LATE = "no answer within the time that it was given"
    FOR_GOOD = "it never will be of use: it is ourselves, say"
    SHORTAGE = "we had no descriptor or no place for it"


@attrs.frozen
class DialFailed:
    """Nothing came of a dialled address; `reason` is for people."""

    address: Address
    reason: str
    why: Failure = Failure.REFUSED


@attrs.frozen
class Joined:
    """Both handshakes are done. `fast`, `extended`, `v2` and `dht` say what both speak (BEP 6, 10, 52, 5).

    `crowded` if the client has all its connections: this one may only take the place of another. `told` if it has heard
    from us already that we have nothing. A `web` seed joins with its URL for an address, and no id.
    """

    peer: PeerId
    address: Address
    remote_id: bytes
    fast: bool
    incoming: bool
    extended: bool = False
    v2: bool = False
    crowded: bool = False
    told: bool = False
    dht: bool = False
    web: bool = False


@attrs.frozen
class Received:
    """What one chunk of a peer's stream said, and how many `Ask`s the connection had carried out when it was read.

    A connection reads ahead of the scheduler, so what it hands over may answer an older question than the last.
    """

    peer: PeerId
    messages: tuple[Heard, ...]
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
    """Somebody reads: each of these pieces is needed at its time, on the scheduler's clock; none of those before.

    They are fetched although they are not wanted. `reading` as long as more may follow.
    """

    deadlines: tuple[tuple[int, float], ...]
    reading: bool = True


@attrs.frozen
class InOrder:
    """From now on, pieces are fetched from the first to the last; or the rarest first again."""

    on: bool = True


@attrs.frozen
class Tick:
    """Some time has passed; sent about once a second, and ten times as often where a rate limit is kept.

    `crowded` if this torrent is to part with a connection, as others have fewer and there are too many in all.
    """

    crowded: bool = False


Event: TypeAlias = (
    AddressesFound
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
