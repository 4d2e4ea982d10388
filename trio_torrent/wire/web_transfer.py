"""One GET of a web seed: where the bytes of its body belong. No I/O.

The body is as long as it was announced to be, so it is known beforehand where each of its bytes goes: to the places of
blocks that follow one another, and what nobody wants to nowhere. A socket can fill them a megabyte at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .messages import Piece, Request
from .web_answers import WebSeedError
from .web_urls import Get, Where

# Parts that one receive may fill, and thus blocks that one event brings: with whole ones a megabyte. With four times as
# many a download takes a tenth longer: the threads that hash and write cannot go on while we go through what came.
FORESEEN = 64

Lend: TypeAlias = Callable[[Request], memoryview]
"""Where a block belongs: as long as it is, and the same until it has come or is taken back."""

_NOWHERE = memoryview(bytearray(64 * 1024))  # for what nobody wants; it is never read


class Block:
    """A block that was asked for, and goes where `lend` says or keeps its data. Nearly all are their own only part."""

    __slots__ = ("_lend", "_place", "missing", "request")

    def __init__(self, request: Request, lend: Lend | None) -> None:
        self.request: Request = request
        self.missing: int = request.length  # bytes
        self._lend = lend
        self._place: memoryview | None = None

    @property
    def place(self) -> memoryview:
        """Where it goes; looked up when it is nearly its turn, as in `connection`."""
        if self._place is None:
            lend = self._lend
            self._place = memoryview(bytearray(self.request.length)) if lend is None else lend(self.request)
        return self._place

    @property
    def block(self) -> Block:
        """As of a part."""
        return self

    @property
    def size(self) -> int:
        """Bytes."""
        return self.request.length

    def told(self) -> Request | Piece:
        """What is there when it is whole."""
        if self._lend is not None:
            return self.request
        return Piece(self.request.piece, self.request.offset, bytes(self.place))


class Part:
    """What one resource has of a block."""

    __slots__ = ("block", "place", "size")

    def __init__(self, block: Block, place: memoryview) -> None:
        self.block: Block = block
        self.place: memoryview[int] = place
        self.size: int = len(place)  # bytes


class Transfer:
    """One GET and its body, and what is wanted of it."""

    def __init__(self, resource: int, start: int, end: int, parts: dict[int, Block | Part], get: Get) -> None:
        self.get = get
        self.resource = resource
        self.skipped: int = 0  # bytes that nobody wanted
        self._at = start  # bytes from the start of the resource, as of the body's
        self._end = end
        self._parts = parts  # by where they begin; all of them are ahead
        self._current: Block | Part | None = None
        self._filled = 0  # bytes of it
        self._has_gaps = False  # there may be something ahead that nobody wants

    @property
    def missing(self) -> int:
        """Bytes of the body that have not come."""
        return self._end - self._at

    @property
    def is_wanted(self) -> bool:
        """There is somebody for what is still to come."""
        return self._current is not None or bool(self._parts)

    # -- bytes in ----------------------------------------------------------------------------------------------------

    def buffers(self) -> list[memoryview]:
        """Where the next bytes of the body go, in this order; for use at once. None at its end."""
        at, buffers = self._at, []
        if self._current is not None:
            buffers.append(self._current.place[self._filled :])
            at += len(buffers[0])
        while at < self._end and len(buffers) < FORESEEN:
            part = self._parts.get(at)
            buffer = _NOWHERE[: self._gap(at)] if part is None else part.place
            buffers.append(buffer)
            at += len(buffer)
        return buffers

    def _gap(self, at: int) -> int:
        """Bytes from there on that nobody wants."""
        return min([start for start in self._parts if start > at], default=self._end) - at

    def received(self, count: int) -> list[Block]:
        """So many bytes went there; the blocks that are whole now."""
        whole: list[Block] = []
        while count:
            if self._current is None and (part := self._parts.pop(self._at, None)) is not None:
                self._current, self._filled = part, 0
            size = self._skip(count) if self._current is None else self._fill(self._current, count, whole)
            self._at += size
            count -= size
        return whole

    def _skip(self, count: int) -> int:
        size = min(count, self._gap(self._at))
        self.skipped += size
        return size

    def _fill(self, part: Block | Part, count: int, whole: list[Block]) -> int:
        missing = part.size - self._filled
        if count < missing:
            self._filled += count
            return count
        self._current = None
        block = part.block
        block.missing -= part.size
        if not block.missing:
            whole.append(block)
        return missing

    def feed(self, data: bytes) -> list[Block]:
        """Take what came of the body; the blocks that are whole now. WebSeedError if it is too much."""
        if len(data) > self.missing:
            raise WebSeedError("sends more than it said")
        view, whole = memoryview(data), []
        while view:
            taken = 0
            for buffer in self.buffers():
                size = min(len(buffer), len(view) - taken)
                buffer[:size] = view[taken : taken + size]
                taken += size
            whole += self.received(taken)
            view = view[taken:]
        return whole

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def lies_ahead(self, where: Where, length: int) -> bool:
        """The body has this, at an offset of a resource, nobody wants it, and it has not come."""
        if not self._has_gaps or where[0] != self.resource:
            return False
        offset = where[1]
        ahead = self._at + (0 if self._current is None else self._current.size - self._filled)
        return ahead <= offset and offset + length <= self._end

    def want(self, offset: int, part: Block | Part) -> None:
        """Something that lies ahead is wanted."""
        self._parts[offset] = part

    def drop(self, offset: int, block: Block) -> None:
        """What the block has there is not wanted."""
        if (part := self._parts.get(offset)) is not None and part.block is block:
            del self._parts[offset]
            self._has_gaps = True
        if self._current is not None and self._current.block is block:
            self._current = None

    def restart(self, answered: range) -> None:
        """The body is not what was asked for, but these bytes of the resource."""
        self._at, self._end = answered.start, answered.stop
        self._has_gaps = True

    def leftovers(self) -> dict[int, Block | Part]:
        """What is wanted and did not come, but for a part that was begun."""
        parts, self._parts = self._parts, {}
        return parts
