"""Pieces that came out wrong, and are fetched again from one peer alone, so that it is known who lied.

They are tied to that peer: if it will not send a block of one, all that came of the piece is of no use, and it begins
anew with whoever asks for it next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import attrs

from trio_torrent.metainfo.geometry import Geometry

from .asking import REST_SECONDS, Asking
from .commands import Command, Discard
from .events import PeerId
from .partial import Partial
from .peers import Peer
from .picker import Picker
from .pipeline import seconds_for

# A suspect piece that comes from one peer alone must come within this time (libtorrent's `piece_timeout`), or within
# four times what another would take. Else a liar could hold it for ever, a block at a time.
ALONE_SECONDS = 20.0
ALONE_PATIENCE = 4


@attrs.frozen(eq=False)
class Suspects:
    """A part of `fetching`."""

    _geometry: Geometry
    _picker: Picker
    _asking: Asking
    _peers: Mapping[PeerId, Peer]
    _do: Callable[[Command], None]

    def abandon(self, peer: Peer, now: float) -> bool:
        """A suspect piece does not wait for a giver that has gone silent, also when nothing is asked of it just now.

        Whether there was any.
        """
        pieces = self._picker.abandon(peer.id)
        keys = [key for key in peer.asked if key[0] in pieces]
        self._asking.take_back(peer, keys)
        self._asking.forget(peer, keys, now)
        for piece in pieces:
            self._do(Discard(piece))
        return bool(pieces)

    def bound(self, peer: Peer, key: tuple[int, int]) -> list[tuple[int, int]]:
        """What else is asked of the peer that is lost with this block: a suspect piece comes from one peer alone."""
        piece = key[0]
        return (
            [other for other in peer.asked if other[0] == piece and other != key]
            if self._picker.exclusive(piece)
            else []
        )

    def hurry(self, now: float) -> None:
        """Take such pieces from givers who take too long, where another would do better."""
        for alone, giver in self._picker.alone():
            self._hurry(alone, self._peers[giver], now)

    def _hurry(self, alone: Partial, giver: Peer, now: float) -> None:
        blocks = self._geometry.block_count(alone.piece)
        others = [
            seconds_for(blocks, peer.pace(now)) if peer.from_them.total else 0.0
            for peer in self._peers.values()
            if peer is not giver and not peer.chokes_us and not peer.snubbed and alone.piece in peer.pieces
        ]
        limit = max(ALONE_SECONDS, ALONE_PATIENCE * min(others, default=math.inf))
        elapsed = now - alone.begun
        if elapsed > limit and elapsed * blocks > 3 * limit * len(alone.givers):  # nor soon done
            giver.rests_until = now + REST_SECONDS
            self.abandon(giver, now)
            self._asking.hungry[giver.id] = giver  # those who would do better may have lost theirs, too
