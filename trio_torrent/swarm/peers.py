"""What we know of one connected peer."""

from __future__ import annotations

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.wire.messages import Request

from .events import PeerId
from .pipeline import USUAL_QUEUE
from .rates import Meter


@attrs.define(eq=False, kw_only=True)
class Peer:
    """Both ends of the choke and the interest, what they have, and what is under way between us."""

    id: PeerId
    address: Address
    remote_id: bytes
    fast: bool
    incoming: bool
    joined: float  # seconds, on the scheduler's clock
    pieces: Bitfield
    counted_as_seed: bool = False  # in `Availability`
    wanted: int = 0  # pieces they have and we lack

    chokes_us: bool = True
    interested: bool = False  # in us
    we_choke: bool = True
    we_are_interested: bool = False

    queue: int = USUAL_QUEUE  # requests that it keeps

    asks: int = 0  # how many `Ask`s it was sent
    asked: dict[tuple[int, int], int] = attrs.field(factory=dict)  # (piece, offset): by which of them, the oldest first
    snubbed: bool = False  # owes us blocks for too long: asked for one at a time
    rejects: int = 0  # since the last block, while unchoked
    resting: bool = False  # refused something just now: not asked until the next tick
    last_block: float = 0.0
    last_heard: float = 0.0
    last_said: float = 0.0
    from_them: Meter  # bytes of blocks
    to_them: Meter

    serving: dict[Request, None] = attrs.field(factory=dict)  # what they asked for and were not sent
    bad_requests: int = 0
