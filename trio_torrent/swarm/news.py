"""Telling peers what we have now: in small lots, since waking a connection costs more than what it says.

At 100 MB/s and 256 KiB a piece there are 400 pieces a second, and each of them a message to everyone who lacks it. So
after one lot the next waits a tenth of a second; a peer that has nothing to do meanwhile is rare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from trio_torrent.wire.messages import Have

from .peers import Peer

LOT_SECONDS = 0.1


class News:
    """The pieces that became ours, in order; each peer remembers how far it has been told."""

    def __init__(self) -> None:
        self._haves: list[Have] = []
        self._last = -math.inf
        self.due: float = math.inf  # when the next lot should go out

    def __len__(self) -> int:
        return len(self._haves)

    def add(self, piece: int, now: float) -> None:
        """The piece is ours."""
        self._haves.append(Have(piece))
        self.due = min(self.due, max(now, self._last + LOT_SECONDS))

    def for_peer(self, peer: Peer) -> tuple[Have, ...]:
        """What the peer has not been told, and has not itself."""
        untold = self._haves[peer.told :]
        peer.told = len(self._haves)
        return tuple([have for have in untold if have.piece not in peer.pieces])

    def lot(self, peers: Iterable[Peer], now: float) -> list[tuple[Peer, tuple[Have, ...]]]:
        """What each of these peers is to be told now."""
        self._last, self.due = now, math.inf
        return [(peer, haves) for peer in peers if (haves := self.for_peer(peer))]
