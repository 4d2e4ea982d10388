"""How rare each piece is, and which of those that wait to be fetched is the best that a peer can give.

Waiting pieces lie in buckets: by priority, and in each priority by the number of connected peers that have them. A
`have` moves one piece up one bucket: two list operations, whatever the number of pieces. A seed has every piece, so it
changes no order and is not in the buckets at all. Within a bucket the order is random, so that a swarm's clients pick
different pieces (BEP 3's "rarest first" helps nobody if all choose the same one).

A search looks at the first few pieces in order. Nearly always one of them is the peer's; where none is, because the
peer has little or nothing that waits, going on would be a walk over the whole torrent. Then the two sets are laid on
each other as integers, and the best of some pieces that are in both is taken: nearly the rarest, in bounded time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from trio_torrent.bitfield import Bitfield

SKIP = 0  # not wanted
LOW = 1
NORMAL = 4
HIGH = 7  # before all others; the numbers in between are for who needs them (libtorrent has the same eight)

# Pieces looked at in order, before the sets are compared as wholes.
PROBES = 64

# Pieces out of both sets, of which the best is taken.
COMPARED = 32

# A peer that has this part of the pieces, or more, is cheaper to count all at once (measured: ten times, for all).
MANY = 8

_RANKS = 1 << 24  # more than there can be peers
WORST_RANK = (HIGH + 1) * _RANKS

_NOWHERE = -1  # the piece is in no bucket: we have it, are fetching it, or do not want it


class Availability:
    """Counts who has what; holds the pieces that wait to be fetched."""

    def __init__(self, size: int, waiting: Iterable[int], random: Random) -> None:
        self._random = random
        self._seeds = 0
        self._counts = [0] * size
        self._where = [_NOWHERE] * size
        self._priorities = bytearray([NORMAL]) * size
        self._levels: list[list[list[int]]] = []
        self._order: array[int] | None = None
        self.waiting: Bitfield = Bitfield(size, waiting)
        for piece in self.waiting:
            self._where[piece] = 0
        self._fill_buckets()

    def __len__(self) -> int:
        """How many pieces wait."""
        return self.waiting.count

    def waits(self, piece: int) -> bool:
        """The piece waits to be fetched."""
        return self._where[piece] != _NOWHERE

    def count(self, piece: int) -> int:
        """How many connected peers have the piece."""
        return self._counts[piece] + self._seeds

    def rank(self, piece: int) -> int:
        """The less the better: by priority, and then by rarity."""
        return (HIGH - self._priorities[piece]) * _RANKS + self._counts[piece]

    def priority(self, piece: int) -> int:
        """From `LOW` to `HIGH`; `SKIP` if it is not wanted."""
        return self._priorities[piece]

    # -- peers come, gain pieces, go ---------------------------------------------------------------------------------

    def joined(self, pieces: Bitfield) -> None:
        """A peer with these pieces is here."""
        if pieces.complete:
            self._seeds += 1
        else:
            self._count(pieces, 1)

    def gained(self, piece: int) -> None:
        """One more peer has the piece."""
        self._move(piece, 1)

    def lost(self, piece: int) -> None:
        """A peer has the piece no longer."""
        self._move(piece, -1)

    def left(self, pieces: Bitfield, *, as_seed: bool) -> None:
        """A peer is gone; `as_seed` if it had everything from the start, and was counted so."""
        if as_seed:
            self._seeds -= 1
        else:
            self._count(pieces, -1)

    def no_longer_seed(self) -> None:
        """A peer that was counted as a seed is not one: from here on its pieces are counted one by one."""
        self._seeds -= 1
        self._count(Bitfield.full(len(self._counts)), 1)

    def _count(self, pieces: Bitfield, by: int) -> None:
        """One more peer, or one less, has these pieces: piece by piece, or where they are many, all at once."""
        if pieces.count * MANY < pieces.size:
            for piece in pieces:
                self._move(piece, by)
            return
        self._counts = [count + by if has else count for count, has in zip(self._counts, pieces.flags(), strict=True)]
        self._fill_buckets()

    def _fill_buckets(self) -> None:
        """Put every waiting piece where it belongs."""
        self._levels = _empty_levels() if self.waiting.count else []
        where, counts, priorities = self._where, self._counts, self._priorities
        for piece in self._random_order() if self._levels else ():
            if where[piece] != _NOWHERE:
                level, count = self._levels[priorities[piece]], counts[piece]
                while len(level) <= count:
                    level.append([])
                where[piece] = len(level[count])
                level[count].append(piece)

    def _random_order(self) -> Sequence[int]:
        """All pieces, for those that are put in a bucket together; made once, and never for what only seeds."""
        if self._order is None:
            self._order = array("I", range(len(self._where)))
            self._random.shuffle(self._order)
        return self._order

    # -- pieces wait, or do not --------------------------------------------------------------------------------------

    def put(self, piece: int) -> None:
        """The piece, which is wanted, waits to be fetched."""
        self.waiting.add(piece)
        self._insert(piece)

    def take(self, piece: int) -> None:
        """The piece no longer waits."""
        self.waiting.discard(piece)
        self._remove(piece)

    def prioritize(self, piece: int, priority: int) -> None:
        """Change how much a piece is wanted. One that waits must stay wanted."""
        waits = self.waits(piece)
        if waits:
            self._remove(piece)
        self._priorities[piece] = priority
        if waits:
            self._insert(piece)

    def _move(self, piece: int, by: int) -> None:
        if self._where[piece] == _NOWHERE:
            self._counts[piece] += by
            return
        self._remove(piece)
        self._counts[piece] += by
        self._insert(piece)

    def _insert(self, piece: int) -> None:
        if not self._levels:
            self._levels = _empty_levels()
        level, count = self._levels[self._priorities[piece]], self._counts[piece]
        while len(level) <= count:
            level.append([])
        bucket = level[count]
        bucket.append(piece)
        self._where[piece] = len(bucket) - 1
        self._swap(bucket, int(self._random.random() * len(bucket)), len(bucket) - 1)

    def _remove(self, piece: int) -> None:
        bucket = self._levels[self._priorities[piece]][self._counts[piece]]
        self._swap(bucket, self._where[piece], len(bucket) - 1)
        bucket.pop()
        self._where[piece] = _NOWHERE

    def _swap(self, bucket: list[int], one: int, other: int) -> None:
        bucket[one], bucket[other] = bucket[other], bucket[one]
        self._where[bucket[one]] = one
        self._where[bucket[other]] = other

    # -- which one ---------------------------------------------------------------------------------------------------

    def rarest(self, pieces: Bitfield) -> int | None:
        """The waiting piece of the highest priority that the fewest peers have, out of these."""
        return self._search(pieces, 1)

    def commonest(self, pieces: Bitfield) -> int | None:
        """The waiting piece of the highest priority that the most peers have, out of these."""
        return self._search(pieces, -1)

    def first(self, pieces: Bitfield) -> int | None:
        """The first waiting piece, out of these."""
        return next(iter(self.waiting.common(pieces)), None)

    def _search(self, pieces: Bitfield, order: int) -> int | None:
        probes = PROBES
        for bucket in self._buckets(order):
            for piece in reversed(bucket):
                if piece in pieces:
                    return piece
                probes -= 1
                if not probes:
                    return self._compare(pieces, order)
        return None

    def _buckets(self, order: int) -> Iterator[Sequence[int]]:
        for level in reversed(self._levels):
            yield from level[::order]

    def _compare(self, pieces: Bitfield, order: int) -> int | None:
        start = int(self._random.random() * pieces.size)
        found = self.waiting.common(pieces, start=start, limit=COMPARED)
        return min(found, key=lambda piece: (-self._priorities[piece], order * self._counts[piece]), default=None)


def _empty_levels() -> list[list[list[int]]]:
    return [[] for _ in range(HIGH + 1)]
