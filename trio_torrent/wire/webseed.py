"""What was asked of a web seed, and the requests of HTTP that it becomes. Bodies in, blocks out; no I/O.

Blocks are asked for a few at a time, and a server wants few requests for many bytes. So what is asked for waits here,
and a request is made for as much of it as lies in a row; the next one is made when much waits, and no less than is on
its way. Thus requests grow to half of what is outstanding, and a server always has something to send.

    expect(request, lend)     this block is wanted; `lend` says where     forget(request)     no longer
    next()                    a `Transfer`: a GET that should be made     end(transfer)       it is over
    transfer.buffers()        where its body goes                         received(transfer, count)   that many came
    feed(transfer, data)      the same for bytes that come by themselves
    taken()                   the blocks that are whole since one last asked

As in `connection`, places are lent: once `forget` returns, nothing is written there. What comes of it all the same is
passed over, and so is whatever a server sends that does not know of ranges, up to what is wanted and lies ahead.
"""

from __future__ import annotations

from collections.abc import Iterable

from .messages import Landed, Piece, Request
from .web_answers import UnusableError
from .web_transfer import Block, Lend, Part, Transfer
from .web_urls import Source, Span, Where

MOST_REQUEST = 16 << 20  # bytes of one GET: libtorrent's `urlseed_max_request_bytes`

# While there is more than a little on its way, another GET should be for much: each costs as much as 30 blocks' work.
LITTLE = 256 << 10  # bytes
MUCH = 4 << 20

# What may be passed over at a server that sends whole files only. In copies of the file: beside other peers it is begun
# anew now and then. And in bytes: what 100 Mbit/s bring in the 20 s that the scheduler waits for a first block.
MOST_COPIES_SKIPPED = 3
MOST_SKIPPED = 256 << 20


class Orders:
    """All that is asked of one web seed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks: dict[tuple[int, int], Block] = {}  # by piece and offset
        self._waiting: dict[Where, Block | Part] = {}  # by resource and offset, the oldest first; in no transfer
        self._waiting_bytes = 0
        self._transfers: list[Transfer] = []
        self._whole: dict[tuple[int, int], Request | Piece] = {}  # those that have landed, or their data
        self._whole_files: dict[int, int] = {}  # resources of which all is sent always: bytes that nobody wanted

    def __repr__(self) -> str:
        return f"<Orders for {len(self._blocks)} blocks, {len(self._transfers)} transfers>"

    # -- what is asked for -------------------------------------------------------------------------------------------

    def expect(self, request: Request, lend: Lend | None) -> None:
        """The block is wanted; its data goes where `lend` says, or comes with the block."""
        key = request.piece, request.offset
        if key in self._blocks:
            self.forget(request)
        self._blocks[key] = block = Block(request, lend)
        if (where := self._source.where(request)) is not None:
            self._order(where, block)
        else:
            self._order_parts(block, self._source.spans(request))

    def _order_parts(self, block: Block, spans: Iterable[Span]) -> None:
        at = 0
        for span in spans:
            part = Part(block, block.place[at : at + span.length])
            at += span.length
            if span.resource is None:
                part.place[:] = bytes(span.length)
                block.missing -= span.length
            else:
                self._order((span.resource, span.offset), part)
        if not block.missing:
            self._finish([block])

    def _order(self, where: Where, part: Block | Part) -> None:
        size = part.size
        for transfer in self._transfers:
            if transfer.lies_ahead(where, size):
                transfer.want(where[1], part)
                return
        self._waiting[where] = part
        self._waiting_bytes += size

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
        return start + part.size < self._source.size(resource)

    def next(self) -> Transfer | None:
        """The GET to make now, if it is time for one."""
        if not self.are_due:
            return None
        resource, start = next(iter(self._waiting))
        parts: dict[int, Block | Part] = {}
        end = start
        while end - start < MOST_REQUEST and (part := self._waiting.pop((resource, end), None)) is not None:
            parts[end] = part
            end += part.size
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
            self._waiting_bytes -= part.size
            transfer.want(offset, part)
        return True

    def feed(self, transfer: Transfer, data: bytes) -> None:
        """So much of the body has come. Raises WebSeedError if it is too much."""
        skipped = transfer.skipped
        self._finish(transfer.feed(data))
        self._count_skipped(transfer, skipped)

    def received(self, transfer: Transfer, count: int) -> None:
        """So many bytes went to the transfer's buffers."""
        skipped = transfer.skipped
        self._finish(transfer.received(count))
        self._count_skipped(transfer, skipped)

    def _count_skipped(self, transfer: Transfer, skipped: int) -> None:
        if transfer.resource in self._whole_files:
            self._whole_files[transfer.resource] += transfer.skipped - skipped
            self._allow_for(transfer, 0)

    def _allow_for(self, transfer: Transfer, more: int) -> None:
        """So many more bytes are to be passed over, besides those that were."""
        most = min(MOST_COPIES_SKIPPED * (transfer.get.size or 0) + MOST_REQUEST, MOST_SKIPPED)
        if self._whole_files.get(transfer.resource, 0) + more > most:
            raise UnusableError("cannot send parts of a file (HTTP ranges)")

    def _finish(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            key = block.request.piece, block.request.offset
            del self._blocks[key]
            self._whole[key] = block.told()

    def end(self, transfer: Transfer) -> None:
        """The transfer is over; what it was to bring and has not waits again."""
        self._transfers.remove(transfer)
        for offset, part in transfer.leftovers().items():
            self._order((transfer.resource, offset), part)

    def taken(self) -> tuple[Landed | Piece, ...]:
        """The blocks that are whole, each once."""
        whole = self._whole.values()
        landed = tuple([block for block in whole if isinstance(block, Request)])
        brought = [block for block in whole if isinstance(block, Piece)] if len(landed) < len(whole) else []
        self._whole = {}
        return (Landed(landed), *brought) if landed else tuple(brought)
