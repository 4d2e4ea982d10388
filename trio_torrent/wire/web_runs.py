"""Blocks that are asked of a web seed, as many in one go as lie in a row, and what is there of them. No I/O.

Of a large file, all the blocks of a piece that are asked for are one `Run`, which costs hardly more than a block does.
A block that lies in several files, or is padding in part, is a run by itself, and comes in `Part`s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from .messages import Landed, Piece, Request

# Blocks of a run, at most: with whole ones a megabyte, so that no place is lent much before its turn.
MOST_BLOCKS = 64

Lend: TypeAlias = Callable[[Request], memoryview]
"""Where some bytes of a piece belong: all that was asked for, and the same until they have come or are taken back."""


class Run:
    """Missing blocks of one piece that follow one another, and are of one length, or the last one shorter.

    They go where `lend` says, or a single one keeps its data. Bytes are filled in from the start, or in parts.
    """

    __slots__ = ("_filled", "_lend", "_place", "_requests", "piece", "size", "start")

    def __init__(self, requests: Sequence[Request], lend: Lend | None) -> None:
        first, last = requests[0], requests[-1]
        self.piece: int = first.piece
        self.start: int = first.offset  # bytes from the start of the piece
        self.size: int = last.offset + last.length - first.offset  # bytes
        self._requests = tuple(requests)
        self._lend = lend
        self._place: memoryview | None = None
        self._filled = 0  # bytes, the first ones or those of parts

    def __repr__(self) -> str:
        return f"<Run of {self.size} bytes at {self.start} of piece {self.piece}>"

    @property
    def run(self) -> Run:
        """As of a part."""
        return self

    @property
    def end(self) -> int:
        """Bytes from the start of the piece to the end of the run."""
        return self.start + self.size

    @property
    def stretch(self) -> Request:
        """All of it, as if it were one block."""
        return Request(self.piece, self.start, self.size)

    @property
    def place(self) -> memoryview:
        """Where it goes; looked up when it is nearly its turn, as in `connection`."""
        if self._place is None:
            self._place = memoryview(bytearray(self.size)) if self._lend is None else self._lend(self.stretch)
        return self._place

    @property
    def room(self) -> memoryview:
        """Where the next bytes of it go."""
        return self.place[self._filled :]

    @property
    def filled(self) -> int:
        """Bytes that are there, of blocks that are not whole or were not told."""
        return self._filled

    def fill(self, count: int) -> bool:
        """So many more bytes are there; whether a block is whole."""
        self._filled += count
        return self._filled >= min(self._requests[0].length, self.size)

    def empty(self) -> None:
        """What is there of the first block is to come again."""
        self._filled = 0

    def told(self) -> Landed | Piece:
        """The blocks that are whole, which leave the run."""
        whole = self._requests
        if self._filled < self.size:
            whole = whole[: self._filled // whole[0].length]
        told = Landed(whole) if self._lend is not None else Piece(self.piece, self.start, bytes(self.place))
        self._leave(whole)
        return told

    def _leave(self, whole: Sequence[Request]) -> None:
        size = whole[-1].offset + whole[-1].length - self.start
        self._place = self.place[size:]
        self._requests = self._requests[len(whole) :]
        self._filled -= size
        self.start += size
        self.size -= size

    # -- cutting it up -----------------------------------------------------------------------------------------------

    @property
    def is_block(self) -> bool:
        """It is one block, and cannot be cut."""
        return len(self._requests) == 1

    def halves(self) -> tuple[Run, Run]:
        """The same in two."""
        middle = len(self._requests) // 2
        return Run(self._requests[:middle], self._lend), Run(self._requests[middle:], self._lend)

    def cut(self) -> Run:
        """All but the first block, which is left."""
        rest = Run(self._requests[1:], self._lend)
        self._requests = self._requests[:1]
        self.size -= rest.size
        self._place = None if self._place is None else self._place[: self.size]
        return rest

    def without(self, gone: Run) -> list[Run]:
        """What is left when another's blocks are taken away. What was filled is not kept."""
        before = [request for request in self._requests if request.offset < gone.start]
        behind = [request for request in self._requests if request.offset >= gone.end]
        return [Run(requests, self._lend) for requests in (before, behind) if requests]

    def away_from(self, told: Landed | Piece) -> Landed | Piece | None:
        """The same blocks, but for those of this run; nothing if they are all its own."""
        if isinstance(told, Piece):
            return None if self._has(told) else told
        others = tuple([block for block in told.requests if not self._has(block)])
        return Landed(others) if others else None

    def _has(self, block: Request | Piece) -> bool:
        return block.piece == self.piece and self.start <= block.offset < self.end


class Part:
    """What one resource has of a block."""

    __slots__ = ("_filled", "_place", "run", "size")

    def __init__(self, run: Run, place: memoryview) -> None:
        self.run: Run = run
        self.size: int = len(place)  # bytes
        self._place = place
        self._filled = 0  # bytes

    @property
    def room(self) -> memoryview:
        """Where the next bytes of it go."""
        return self._place[self._filled :]

    @property
    def filled(self) -> int:
        """Bytes that are there."""
        return self._filled

    def fill(self, count: int) -> bool:
        """So many more bytes are there; whether the block is whole."""
        self._filled += count
        return self._filled == self.size and self.run.fill(self.size)

    def empty(self) -> None:
        """It is to come again."""
        self._filled = 0


def in_rows(requests: Sequence[Request]) -> Iterator[Sequence[Request]]:
    """The same in order, in as few runs as they can be."""
    start = 0
    for at in range(1, len(requests)):
        last, next_one = requests[at - 1], requests[at]
        follows = (
            next_one.offset == last.offset + last.length
            and next_one.piece == last.piece
            and next_one.length <= last.length == requests[start].length
            and at - start < MOST_BLOCKS
        )
        if not follows:
            yield requests[start:at]
            start = at
    if requests:
        yield requests[start:]
