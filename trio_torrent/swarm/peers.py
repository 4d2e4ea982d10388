"""What we know of one connected peer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.wire.messages import Request

from .events import Joined, PeerId
from .pipeline import MOST_WINDOW, USUAL_QUEUE
from .rates import Meter

# Suggestions of a peer that are kept: the last ones, since it speaks of what is in its memory now.
MOST_SUGGESTED = 16


# Cancelled requests whose answers are still recognized: more than are ever outstanding. Without the fast extension
# most are never answered, so the oldest are forgotten.
MOST_CANCELLED = 2 * MOST_WINDOW


@attrs.define(eq=False, kw_only=True)
class Peer:
    """Both ends of the choke and the interest, what they have, and what is under way between us."""

    id: PeerId
    address: Address
    listens: Address | None = None  # where it can be dialled, if it came in and has told
    remote_id: bytes
    fast: bool
    v2: bool = False  # goes by the v2 info-hash, and so may be asked for hashes
    incoming: bool
    web: bool = False  # a web seed: its address is a URL, which is nobody's to dial or to be told of
    extended: bool = False  # it speaks BEP 10
    joined: float  # seconds, on the scheduler's clock
    pieces: Bitfield
    counted_as_seed: bool = False  # in `Availability`
    took_back: bool = False  # it had everything, and then said otherwise: from there on, it is counted piece by piece
    told: int = 0  # of our `News`

    chokes_us: bool = True
    interested: bool = False  # in us
    upload_only: bool = False  # says that it wants nothing (BEP 21)
    we_choke: bool = True
    we_are_interested: bool = False  # they have a piece that we want and lack

    handshakes: int = 0  # extended ones that it sent
    told_node: bool = False  # it has said where its DHT node is
    queue: int = USUAL_QUEUE  # requests that it keeps

    asks: int = 0  # how many `Ask`s it was sent
    asked: dict[tuple[int, int], int] = attrs.field(factory=dict)  # (piece, offset): by which of them, the oldest first
    latest: int | None = None  # the piece that it was asked for last
    snubbed: bool = False  # owes us blocks for too long: asked for one at a time
    rejects: int = 0  # since the last block, while unchoked
    rests_until: float = 0.0  # refused something just now: not asked before
    useless: int = 0  # bytes of blocks that it was not asked for, or no longer
    allowed_fast: Bitfield | None = None  # what it gives although it chokes us (BEP 6); None: nothing
    suggested: deque[int] = attrs.field(factory=lambda: deque(maxlen=MOST_SUGGESTED))  # what is easy for it (BEP 6)
    busy: float = 0.0  # seconds in which it owed us blocks
    waited: float = 0.0  # the same since the last one
    cancelled: dict[tuple[int, int], int] = attrs.field(factory=dict)  # requests, and how many answers may still come
    last_heard: float = 0.0
    last_keep_alive: float = 0.0
    from_them: Meter  # bytes of blocks
    to_them: Meter

    serving: dict[Request, None] = attrs.field(factory=dict)  # what they asked for and were not sent
    serving_hashes: int = 0  # requests for hashes that were not answered yet
    allowed: dict[int, int] = attrs.field(factory=dict)  # piece: bytes of it that it may have while it is choked
    bad_requests: int = 0
    late_requests: int = 0  # since we choked it, when it should have known

    @property
    def wants(self) -> bool:
        """It would take what we have: it says so, and nothing else that it says is against it."""
        return self.interested and not self.upload_only and not self.pieces.complete

    @property
    def gives_runs(self) -> bool:
        """It is quickest with pieces in a row."""
        return self.web

    @classmethod
    def joining(cls, event: Joined, pieces: int, now: float) -> Peer:
        """One that has just come, to a torrent of so many pieces."""
        return cls(
            id=event.peer,
            address=event.address,
            remote_id=event.remote_id,
            fast=event.fast,
            v2=event.v2,
            incoming=event.incoming,
            web=event.web,
            extended=event.extended,
            joined=now,
            last_heard=now,
            last_keep_alive=now,
            pieces=Bitfield(pieces),
            from_them=Meter(now),
            to_them=Meter(now),
        )

    def pace(self, now: float) -> float:
        """Bytes a second that it gives us: over the last seconds, or whenever it owed us some, whichever is more."""
        average = self.from_them.total / max(1.0, self.busy)
        return max(self.from_them.rate(now), average)

    def cancel(self, keys: Iterable[tuple[int, int]]) -> None:
        """These requests are taken back. Their answers, blocks or rejects, may come all the same."""
        for key in keys:
            self.cancelled[key] = self.cancelled.pop(key, 0) + 1
        while len(self.cancelled) > MOST_CANCELLED:
            del self.cancelled[next(iter(self.cancelled))]
