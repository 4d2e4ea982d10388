"""What was asked of a web seed, and the requests of HTTP that it becomes. Bodies in, blocks out; no I/O.

Blocks are asked for a few at a time, and a server wants few requests for many bytes. So what is asked for waits here,
and a request is made for as much of it as lies in a row; the next one is made when much waits, and no less than is on
its way. Thus requests grow to half of what is outstanding, and a server always has something to send.

    expect(request, place)    this block is wanted; it goes there         forget(request)     no longer
    next()                    a `Transfer`: a GET that should be made     transfer.feed(data) what came of its body
    taken()                   the blocks that are whole since one last asked

As in `connection`, places are lent: once `forget` returns, nothing is written there. What comes of it all the same is
passed over, and so is whatever a server sends that does not know of ranges, up to what is wanted and lies ahead.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from .messages import Piece, Request
from .web_answers import UnusableError, WebSeedError
from .web_urls import Get, Source

MOST_REQUEST = 16 << 20  # bytes of one GET: libtorrent's `urlseed_max_request_bytes`

# While there is more than a little on its way, another GET should be for much: each costs as much as 30 blocks' work.
LITTLE = 256 << 10  # bytes
MUCH = 4 << 20

# What may be passed over at a server that sends whole files only. In copies of the file: beside other peers it is begun
# anew now and then. And in bytes: what 100 Mbit/s bring in the 20 s that the scheduler waits for a first block.
MOST_COPIES_SKIPPED = 3
MOST_SKIPPED = 256 << 20


@attrs.define(eq=False)
class _Block:
    request: Request
    place: memoryview
    own: bool  # the place is the block's own, and nobody's else
    missing: int  # bytes

    def piece(self) -> Piece:
        data = bytes(self.place) if self.own else self.place
        return Piece(self.request.piece, self.request.offset, data)


@attrs.define(eq=False)
class _Part:
    """What one resource has of a block."""

    block: _Block
    place: memoryview


class Transfer:
    """One GET and its body, and what is wanted of it."""

    def __init__(self, resource: int, start: int, end: int, parts: dict[int, _Part], get: Get) -> None:
        self.get = get
        self.resource = resource
        self.skipped: int = 0  # bytes that nobody wanted
        self._at = start  # bytes from the start of the resource, as of the body's
        self._end = end
        self._parts = parts  # by where they begin; all of them are ahead
        self._current: _Part | None = None
        self._filled = 0  # bytes of it

    @property
    def missing(self) -> int:
        """Bytes of the body that have not come."""
        return self._end - self._at

    @property
    def is_wanted(self) -> bool:
        """There is somebody for what is still to come."""
        return self._current is not None or bool(self._parts)

    def feed(self, data: bytes) -> list[_Block]:
        """Take what came of the body; the blocks that are whole now. WebSeedError if it is too much."""
        if len(data) > self.missing:
            raise WebSeedError("sends more than it said")
        view, whole = memoryview(data), []
        while view:
            count = self._take(view)
            self._at += count
            view = view[count:]
            if (block := self._settle()) is not None:
                whole.append(block)
        return whole

    def _take(self, view: memoryview) -> int:
        """Put the bytes where they belong, up to the end of a part or the beginning of one; how many that are."""
        if self._current is None and (part := self._parts.pop(self._at, None)) is not None:
            self._current, self._filled = part, 0
        if (current := self._current) is None:
            count = min(len(view), min(self._parts, default=self._end) - self._at)
            self.skipped += count
            return count
        count = min(len(view), len(current.place) - self._filled)
        current.place[self._filled : self._filled + count] = view[:count]
        self._filled += count
        return count

    def _settle(self) -> _Block | None:
        """The block whose last part this was."""
        part = self._current
        if part is None or self._filled < len(part.place):
            return None
        self._current = None
        part.block.missing -= len(part.place)
        return None if part.block.missing else part.block

    def lies_ahead(self, resource: int, offset: int, length: int) -> bool:
        """The body has this, and it has not come."""
        ahead = self._at + (0 if self._current is None else len(self._current.place) - self._filled)
        return resource == self.resource and ahead <= offset and offset + length <= self._end

    def want(self, offset: int, part: _Part) -> None:
        """Something that lies ahead is wanted."""
        self._parts[offset] = part

    def drop(self, offset: int, block: _Block) -> None:
        """What the block has there is not wanted."""
        if (part := self._parts.get(offset)) is not None and part.block is block:
            del self._parts[offset]
        if self._current is not None and self._current.block is block:
            self._current = None

    def restart(self, answered: range) -> None:
        """The body is not what was asked for, but these bytes of the resource."""
        self._at, self._end = answered.start, answered.stop

    def leftovers(self) -> dict[int, _Part]:
        """What is wanted and did not come, but for a part that was begun."""
        parts, self._parts = self._parts, {}
        return parts


class Orders:
    """All that is asked of one web seed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks: dict[tuple[int, int], _Block] = {}  # by piece and offset
        self._waiting: dict[tuple[int, int], _Part] = {}  # by resource and offset; in no transfer, the oldest first
        self._waiting_bytes = 0
        self._transfers: list[Transfer] = []
        self._whole: dict[tuple[int, int], Piece] = {}
        self._whole_files: dict[int, int] = {}  # resources of which all is sent always: bytes that nobody wanted

    def __repr__(self) -> str:
        return f"<Orders for {len(self._blocks)} blocks, {len(self._transfers)} transfers>"

    # -- what is asked for -------------------------------------------------------------------------------------------

    def expect(self, request: Request, place: memoryview | None) -> None:
        """The block is wanted; its data goes to `place`, or comes with the block where there is none."""
        if (request.piece, request.offset) in self._blocks:
            self.forget(request)
        own = place is None
        place = memoryview(bytearray(request.length)) if place is None else place
        block = _Block(request, place, own, request.length)
        self._blocks[request.piece, request.offset] = block
        at = 0
        for span in self._source.spans(request):
            part = _Part(block, place[at : at + span.length])
            at += span.length
            if span.resource is None:
                part.place[:] = bytes(span.length)
                block.missing -= span.length
            else:
                self._order(span.resource, span.offset, part)
        if not block.missing:
            self._finish([block])

    def _order(self, resource: int, offset: int, part: _Part) -> None:
        for transfer in self._transfers:
            if transfer.lies_ahead(resource, offset, len(part.place)):
                transfer.want(offset, part)
                return
        self._waiting[resource, offset] = part
        self._waiting_bytes += len(part.place)

    def forget(self, request: Request) -> None:
        """Take the block's place back."""
        key = request.piece, request.offset
        self._whole.pop(key, None)
        block = self._blocks.pop(key, None)
        if block is None:
            return
        for span in self._source.spans(request):
            if span.resource is None:
                continue
            if self._waiting.pop((span.resource, span.offset), None) is not None:
                self._waiting_bytes -= span.length
            for transfer in self._transfers:
                if transfer.resource == span.resource:
                    transfer.drop(span.offset, block)

    def forget_all(self) -> None:
        """Take back every place."""
        for block in list(self._blocks.values()):
            self.forget(block.request)
        self._whole.clear()

    # -- transfers ---------------------------------------------------------------------------------------------------

    @property
    def are_due(self) -> bool:
        """It is time for another GET."""
        if not self._waiting or (self._whole_files and self._transfers):
            return False
        under_way = sum([transfer.missing for transfer in self._transfers])
        return self._waiting_bytes >= under_way and (under_way <= LITTLE or self._waiting_bytes >= MUCH)

    @property
    def may_grow(self) -> bool:
        """The GET that is due is for little, and if more is asked for in a moment it can be for more."""
        if self._waiting_bytes >= MUCH or not self._waiting:
            return False
        resource, start = next(reversed(self._waiting))
        part = self._waiting[resource, start]
        return start + len(part.place) < self._source.size(resource)

    def next(self) -> Transfer | None:
        """The GET to make now, if it is time for one."""
        if not self.are_due:
            return None
        resource, start = next(iter(self._waiting))
        parts: dict[int, _Part] = {}
        end = start
        while end - start < MOST_REQUEST and (part := self._waiting.pop((resource, end), None)) is not None:
            parts[end] = part
            end += len(part.place)
        self._waiting_bytes -= end - start
        transfer = Transfer(resource, start, end, parts, self._source.get(resource, start, end))
        self._transfers.append(transfer)
        return transfer

    def answered(self, transfer: Transfer, body: range) -> bool:
        """The body is these bytes of the resource; whether it should be read.

        If it is all of the file instead of what was asked for, one at a time is enough: it brings all that is wanted.
        UnusableError if that begins too far in.
        """
        if body == range(transfer.get.start, transfer.get.end):
            return True
        self._allow_for(transfer, transfer.get.start - body.start)
        known = transfer.resource in self._whole_files
        self._whole_files.setdefault(transfer.resource, 0)
        if known and len(self._transfers) > 1:
            return False
        parts = transfer.leftovers()
        transfer.restart(body)
        for offset, part in parts.items():
            transfer.want(offset, part)
        for resource, offset in [key for key in self._waiting if key[0] == transfer.resource]:
            part = self._waiting.pop((resource, offset))
            self._waiting_bytes -= len(part.place)
            transfer.want(offset, part)
        return True

    def feed(self, transfer: Transfer, data: bytes) -> None:
        """So much of the body has come. Raises WebSeedError if it is too much."""
        skipped = transfer.skipped
        self._finish(transfer.feed(data))
        if transfer.resource in self._whole_files:
            self._whole_files[transfer.resource] += transfer.skipped - skipped
            self._allow_for(transfer, 0)

    def _allow_for(self, transfer: Transfer, more: int) -> None:
        """So many more bytes are to be passed over, besides those that were."""
        most = min(MOST_COPIES_SKIPPED * (transfer.get.size or 0) + MOST_REQUEST, MOST_SKIPPED)
        if self._whole_files.get(transfer.resource, 0) + more > most:
            raise UnusableError("cannot send parts of a file (HTTP ranges)")

    def _finish(self, blocks: Iterable[_Block]) -> None:
        for block in blocks:
            key = block.request.piece, block.request.offset
            del self._blocks[key]
            self._whole[key] = block.piece()

    def end(self, transfer: Transfer) -> None:
        """The transfer is over; what it was to bring and has not waits again."""
        self._transfers.remove(transfer)
        for offset, part in transfer.leftovers().items():
            self._order(transfer.resource, offset, part)

    def taken(self) -> tuple[Piece, ...]:
        """The blocks that are whole, each once."""
        pieces = tuple(self._whole.values())
        self._whole.clear()
        return pieces
