"""The words in which a case is told."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs

from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all

from .villain import MOMENT, Villain

Script: TypeAlias = Callable[[Villain], Awaitable[None]]


class Have(enum.Enum):
    """What we have at the start, and with it what the honest peer is for."""

    NOTHING = "nothing: the honest peer gives us everything"
    HALF = "the first half: the honest peer gives us the rest"
    ALL = "everything: the honest peer takes it from us"


@attrs.frozen
class Ignored:
    """The script is played to its end, and the peer is still connected when the honest one has finished."""


@attrs.frozen
class Answered:
    """As `Ignored`; and these were the blocks and rejects that it was sent."""

    messages: tuple[wire.Message, ...]


@attrs.frozen
class Dropped:
    """The connection is ended for this reason, so many virtual seconds after it began; the peer may come again."""

    reason: str
    after: float = 0.0
    by: float = 3.0


@attrs.frozen
class Banned:
    """The connection is ended because the peer lied, and it may not come again."""

    by: float = 30.0


@attrs.frozen
class Refused:
    """It does not get past the handshake. Whom we dialled, we tell why not; a stranger just finds the door shut."""

    reason: str
    after: float = 0.0
    by: float = 3.0


Outcome: TypeAlias = Ignored | Answered | Dropped | Banned | Refused


class Side(enum.Enum):
    """Who connects to whom."""

    DIALLED = "dialled"
    INCOMING = "incoming"


Ways: TypeAlias = tuple[tuple[Side, bool], ...]  # the bool is for the fast extension

# Most cases are the same from either side, and with the fast extension or without: two ways show all of that.
DIAGONAL: Ways = ((Side.DIALLED, False), (Side.INCOMING, True))
PLAIN: Ways = ((Side.DIALLED, False), (Side.INCOMING, False))
FAST: Ways = ((Side.DIALLED, True), (Side.INCOMING, True))
INCOMING: Ways = ((Side.INCOMING, False), (Side.INCOMING, True))
EVERY_WAY: Ways = PLAIN + FAST


@attrs.frozen
class Case:
    """One way to misbehave, and what must come of it."""

    name: str
    script: Script
    expected: Outcome
    have: Have = attrs.field(default=Have.NOTHING, kw_only=True)
    ways: Ways = attrs.field(default=DIAGONAL, kw_only=True)
    greets: bool = attrs.field(default=True, kw_only=True)  # a proper handshake comes before the script
    piece_length: int = attrs.field(default=32768, kw_only=True)
    # The honest peer needs 10 virtual seconds when it is alone with us; it may be kept from it for a little longer.
    seconds: float = attrs.field(default=15.0, kw_only=True)
    floods: bool = attrs.field(default=False, kw_only=True)  # much is sent: memory is watched, too


def says(*messages: wire.Message) -> Script:
    """The script that says this, and no more."""

    async def script(peer: Villain) -> None:
        await peer.say(*messages)
        await peer.listen_for(MOMENT)

    return script


def sends(data: bytes) -> Script:
    """The script that sends these bytes, and no more."""

    async def script(peer: Villain) -> None:
        await peer.stream.send_all(data)
        await peer.listen_for(MOMENT)

    return script


def floods(*messages: wire.Message, times: int) -> Script:
    """The script that says this over and over."""

    async def script(peer: Villain) -> None:
        await peer.pour(encode_all(messages), times)
        await peer.listen_for(MOMENT)

    return script
