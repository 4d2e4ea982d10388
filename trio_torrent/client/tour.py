"""The stations of a guided tour of the protocol: what `probe` tells as it goes."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.wire import messages as wire


class Step(enum.Enum):
    """What the tour is about to do."""

    ANNOUNCING = enum.auto()
    PROBING = enum.auto()
    SAYING_INTERESTED = enum.auto()
    WAITING_FOR_UNCHOKE = enum.auto()
    REQUESTING = enum.auto()
    WAITING_FOR_PIECE = enum.auto()


@attrs.frozen
class Found:
    """So many peers are known."""

    peers: int
    tracker: str | None  # the announce URL that named them


@attrs.frozen
class Reached:
    """A peer answered the handshake, or did not: one of the two is None."""

    address: Address
    peer_id: bytes | None
    reason: str | None


@attrs.frozen
class Probed:
    """What the tour found out."""

    address: Address
    peer_id: bytes
    have: Bitfield
    block: wire.Piece | None = None


Report: TypeAlias = Callable[[Step | Found | Reached | Probed], None]
