"""Which message may come when: what both sides speak, and what was said before, decide it (BEP 3, BEP 6, BEP 52)."""

from __future__ import annotations

import enum
from functools import cache

from .messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Hashes,
    HashReject,
    HashRequest,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
)


class State(enum.Enum):
    """What we have heard of the peer."""

    FRESH = "nothing about pieces yet"
    TALKING = "something; it can no longer say that it has none"


FRESH, TALKING = State.FRESH, State.TALKING

# A missing entry is a ProtocolError. BEP 10's handshake, a DHT port and what we do not know may come before the
# bitfield: Transmission and others send them so. And aria2 says a bitfield or a "have all" again where that is shorter
# than a `have` for each new piece.
_PLAIN: dict[type[Message], State] = dict.fromkeys(
    (Choke, Unchoke, Interested, NotInterested, Have, Request, Piece, Cancel), TALKING
)
_ANY_TIME: tuple[type[Message], ...] = (KeepAlive, Extended, Port, Unknown)
_FAST: dict[type[Message], State] = dict.fromkeys((Suggest, Reject, AllowedFast), TALKING)

# Only on a connection that goes by a v2 info-hash (BEP 52); libtorrent drops those who say it elsewhere, too.
_V2: tuple[type[Message], ...] = (HashRequest, Hashes, HashReject)

TRANSITIONS: dict[State, dict[type[Message], State]] = {
    FRESH: {**_PLAIN, **dict.fromkeys(_ANY_TIME, FRESH), Bitfield: TALKING},
    TALKING: {**_PLAIN, **dict.fromkeys(_ANY_TIME, TALKING), Bitfield: TALKING},
}
FAST_TRANSITIONS: dict[State, dict[type[Message], State]] = {
    FRESH: {**TRANSITIONS[FRESH], **_FAST, HaveAll: TALKING, HaveNone: TALKING},
    TALKING: {**TRANSITIONS[TALKING], **_FAST, HaveAll: TALKING},
}


@cache
def transitions(*, fast: bool, v2: bool) -> dict[State, dict[type[Message], State]]:
    """What may come when, by what both sides speak: BEP 6, BEP 52."""
    tables = FAST_TRANSITIONS if fast else TRANSITIONS
    return {state: {**table, **dict.fromkeys(_V2, state)} for state, table in tables.items()} if v2 else tables
