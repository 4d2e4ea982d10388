"""What was asked of a web seed, and the requests of HTTP that it becomes. Bodies in, blocks out; no I/O.

Blocks are asked for a few at a time, and a server wants few requests for many bytes. So what is asked for waits here,
and a request is made for as much of it as lies in a row; the next one is made when much waits, and no less than is on
its way. Thus requests grow to half of what is outstanding, and a server always has something to send.

    expect(requests, lend)    these blocks are wanted; `lend` says where  forget(requests)    no longer
    next()                    a `Transfer`: a GET that should be made     end(transfer)       it is over
    transfer.buffers()        where its body goes                         received(transfer, count)   that many came
    feed(transfer, data)      the same for bytes that come by themselves
    taken()                   the blocks that are whole since one last asked

As in `connection`, places are lent: once `forget` returns, nothing is written there. What comes of it all the same is
passed over, and so is whatever a server sends that does not know of ranges, up to what is wanted and lies ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .messages import Landed, Piece, Request
from .web_answers import UnusableError
from .web_runs import Lend, Part, Run, in_rows
from .web_transfer import Transfer
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
        self._runs: dict[int, list[Run]] = {}  # all that is missing, by piece
        self._waiting: dict[Where, Run | Part] = {}  # by resource and offset, the oldest first; in no transfer
        self._waiting_bytes = 0
        self._transfers: list[Transfer] = []
        self._told: list[Landed | Piece] = []  # of the blocks that are whole
        self._whole_files: dict[int, int] = {}  # resources of which all is sent always: bytes that nobody wanted

    def __repr__(self) -> str:
        return f"<Orders for {len(self._runs)} pieces, {len(self._transfers)} transfers>"

    # -- what is asked for -------------------------------------------------------------------------------------------

    def expect(self, requests: Sequence[Request], lend: Lend | None) -> None:
        """The blocks are wanted; they go where `lend` says, or come with their data."""
        for row in in_rows(requests) if lend is not None else [[request] for request in requests]:
            run = Run(row, lend)
            self._take_back(run)
            self._add(run)

    def _add(self, run: Run) -> None:
        """As one, if it can be. Where a body may have the beginning behind it, each block is looked for by itself."""
        spans = self._source.spans(run.stretch)
        if run.is_block or (len(spans) == 1 and spans[0].resource is not None and not self._whole_files):
            self._runs.setdefault(run.piece, []).append(run)
            self._order_spans(run, spans)
        else:
            for half in run.halves():
                self._add(half)

    def _order_spans(self, run: Run, spans: Sequence[Span]) -> None:
        if len(spans) == 1 and spans[0].resource is not None:
            self._order((spans[0].resource, spans[0].offset), run)
            return
        at = 0
        for span in spans:
            place = run.place[at : at + span.length]
            at += span.length
            if span.resource is not None:
                self._order((span.resource, span.offset), Part(run, place))
                continue
            place[:] = bytes(span.length)
            if run.fill(span.length):
                self._tell(run)

    def _order(self, where: Where, part: Run | Part) -> None:
        size = part.size
        for transfer in self._transfers:
            if transfer.lies_ahead(where, size):
                transfer.want(where[1], part)
                return
        self._waiting[where] = part
        self._waiting_bytes += size

    def forget(self, requests: Sequence[Request]) -> None:
        """Take back the places of blocks."""
        for row in in_rows(requests):
            self._take_back(Run(row, None))

    def _take_back(self, gone: Run) -> None:
        self._told = [told for told in map(gone.away_from, self._told) if told is not None]
        if self._in_the_way(gone):
            for transfer in self._transfers:
                if (rest := transfer.set_apart(gone.piece)) is not None:
                    self._runs[gone.piece].append(rest)
        for run in self._in_the_way(gone):
            self._remove(run)
            for left in run.without(gone):
                self._add(left)

    def _in_the_way(self, gone: Run) -> list[Run]:
        """Those that have blocks of it."""
        return [run for run in self._runs.get(gone.piece, ()) if gone.start < run.end and run.start < gone.end]

    def _remove(self, run: Run) -> None:
        self._unregister(run)
        for resource, offset in self._places(run):
            if (part := self._waiting.pop((resource, offset), None)) is not None:
                self._waiting_bytes -= part.size
            for transfer in self._transfers:
                if transfer.resource == resource:
                    transfer.drop(offset, run)

    def _places(self, run: Run) -> Iterator[Where]:
        """Where it is, or its parts are."""
        for span in self._source.spans(run.stretch):
            if span.resource is not None:
                yield span.resource, span.offset

    def _unregister(self, run: Run) -> None:
        runs = self._runs[run.piece]
        runs.remove(run)
        if not runs:
            del self._runs[run.piece]

    def forget_all(self) -> None:
        """Take back every place."""
        for runs in list(self._runs.values()):
            for run in runs[:]:
                self._remove(run)
        self._told = []

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
        parts: dict[int, Run | Part] = {}
        end = start
        while (part := self._waiting.get((resource, end))) is not None and end - start + part.size <= MOST_REQUEST:
            parts[end] = self._waiting.pop((resource, end))
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
        view = memoryview(data)
        while view:
            count = transfer.put(view)
            self.received(transfer, count)
            view = view[count:]

    def received(self, transfer: Transfer, count: int) -> None:
        """So many bytes went to the transfer's buffers."""
        skipped = transfer.skipped
        for run in transfer.received(count):
            self._tell(run)
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

    def _tell(self, run: Run) -> None:
        self._told.append(run.told())
        if not run.size:
            self._unregister(run)

    def end(self, transfer: Transfer) -> None:
        """The transfer is over; what it was to bring and has not waits again."""
        self._transfers.remove(transfer)
        for offset, part in transfer.leftovers().items():
            if isinstance(part, Run):
                self._unregister(part)
                self._add(part)
            else:
                self._order((transfer.resource, offset), part)

    def taken(self) -> tuple[Landed | Piece, ...]:
        """The blocks that are whole, each once."""
        told, self._told = self._told, []
        return tuple(told)
