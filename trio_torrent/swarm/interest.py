"""Who has something that we lack, without asking each of them for each piece that we get.

An interesting peer is watched through one piece that it has and we lack, as a guard watches a door. Only when that very
piece is ours must the peer be looked at again: if it has another, that one is watched from then on; if not, the
interest is over. The piece is chosen at random, so that few peers share one: over a whole download a peer is looked at
some ln(pieces) times. A peer that has everything needs no watching: it is of interest until we lack nothing.
"""

from __future__ import annotations

from random import Random

from trio_torrent.bitfield import Bitfield

from .events import PeerId


class Interest:
    """`lacking` is what we want and have not; it is changed elsewhere, and each piece that leaves it is `got`."""

    def __init__(self, lacking: Bitfield, random: Random) -> None:
        self._lacking = lacking
        self._random = random
        self._watched: dict[PeerId, int] = {}
        self._watchers: dict[int, set[PeerId]] = {}

    def look(self, peer: PeerId, pieces: Bitfield) -> bool:
        """Whether a peer with these pieces has something that we lack; from here on it is watched."""
        self.forget(peer)
        if pieces.complete:
            return bool(self._lacking.count)
        found = self._any(pieces)
        if found is not None:
            self._watched[peer] = found
            self._watchers.setdefault(found, set()).add(peer)
        return found is not None

    def _any(self, pieces: Bitfield) -> int | None:
        """A random one of these that we lack.

        Drawn twice: in a download from front to back, one draw would hit the front as often as all that is done.
        """
        start = int(self._random.random() * pieces.size)
        found = self._lacking.common(pieces, start=start)
        if not found:
            return None
        start = found[0] + int(self._random.random() * (pieces.size - found[0]))
        return self._lacking.common(pieces, start=start)[0]

    def got(self, piece: int) -> list[PeerId]:
        """We lack the piece no longer: those who must be looked at again."""
        return sorted(self._watchers.get(piece, ()))

    def forget(self, peer: PeerId) -> None:
        """The peer is not watched."""
        piece = self._watched.pop(peer, None)
        if piece is not None:
            watchers = self._watchers[piece]
            watchers.discard(peer)
            if not watchers:
                del self._watchers[piece]
