"""How rare each piece is, and which is the rarest that a peer can give.

Pieces that are still to be fetched lie in buckets by the number of connected peers that have them. A `have` moves one
piece up one bucket: two list operations, whatever the number of pieces. A seed has every piece, so it changes no order
and is not in the buckets at all. Within a bucket the order is random, so that a swarm's clients pick different pieces
(BEP 3's "rarest first" helps nobody if all choose the same one).
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from trio_torrent.bitfield import Bitfield

_NOWHERE = -1  # the piece is in no bucket: we have it, or are fetching it


class Availability:
    """Counts who has what; holds the pieces that wait to be fetched."""

    def __init__(self, size: int, waiting: Iterable[int], random: Random) -> None:
        self._random = random
        self._seeds = 0
        self._counts = [0] * size
        self._where = [_NOWHERE] * size
        self._buckets: list[list[int]] = [[]]
        self._waiting = 0
        for piece in waiting:
            self.put(piece)

    def __len__(self) -> int:
        """How many pieces wait."""
        return self._waiting

    def waits(self, piece: int) -> bool:
        """The piece waits to be fetched."""
        return self._where[piece] != _NOWHERE

    def count(self, piece: int) -> int:
        """How many connected peers have the piece."""
        return self._counts[piece] + self._seeds

    # -- peers come, gain pieces, go ---------------------------------------------------------------------------------

    def joined(self, pieces: Bitfield) -> None:
        """A peer with these pieces is here."""
        if pieces.complete:
            self._seeds += 1
            return
        for piece in pieces:
            self.gained(piece)

    def gained(self, piece: int) -> None:
        """One more peer has the piece."""
        self._move(piece, 1)

    def left(self, pieces: Bitfield, *, as_seed: bool) -> None:
        """A peer is gone; `as_seed` if it had everything from the start, and was counted so."""
        if as_seed:
            self._seeds -= 1
            return
        for piece in pieces:
            self._move(piece, -1)

    # -- pieces wait, or do not --------------------------------------------------------------------------------------

    def put(self, piece: int) -> None:
        """The piece waits to be fetched."""
        count = self._counts[piece]
        while len(self._buckets) <= count:
            self._buckets.append([])
        bucket = self._buckets[count]
        bucket.append(piece)
        self._where[piece] = len(bucket) - 1
        self._swap(bucket, self._random.randrange(len(bucket)), len(bucket) - 1)
        self._waiting += 1

    def take(self, piece: int) -> None:
        """The piece no longer waits."""
        bucket = self._buckets[self._counts[piece]]
        self._swap(bucket, self._where[piece], len(bucket) - 1)
        bucket.pop()
        self._where[piece] = _NOWHERE
        self._waiting -= 1

    def rarest(self, pieces: Bitfield) -> int | None:
        """The waiting piece that the fewest peers have, out of these."""
        for bucket in self._buckets:
            for piece in reversed(bucket):
                if piece in pieces:
                    return piece
        return None

    def _move(self, piece: int, by: int) -> None:
        waits = self.waits(piece)
        if waits:
            self.take(piece)
        self._counts[piece] += by
        if waits:
            self.put(piece)

    def _swap(self, bucket: list[int], one: int, other: int) -> None:
        bucket[one], bucket[other] = bucket[other], bucket[one]
        self._where[bucket[one]] = one
        self._where[bucket[other]] = other
