"""One connection after its handshake: bytes in, messages out, with the bytes landing where they belong.

A download is almost nothing but blocks, each of which we asked for. So we know what the next bytes will be: the 13-byte
header of the block that we asked for first, its data, the header of the second, and so on. `buffers()` hands out
exactly that, a list of memory to receive into with each block's place already in its piece's buffer, and `received(n)`
is told how many bytes came. When each header is what we foresaw, the data is where it must be, untouched by Python, and
no more is said of all those blocks than that they have `Landed`.

When one is not (a `have` between two blocks, blocks out of order), everything from there on is taken out of the places
it landed in, and read the ordinary way. Nothing is harmed: a place belongs to a block that has not come yet.

    expect(requests, place) we asked for these blocks; `place` says where each goes, when it is nearly its turn
    forget(request)         it will not come there
    buffers()               where the next bytes should go               received(n)      that many came; messages
    receive(data)           the same for a stream that brings its own bytes
    more()                  the messages that were too many for the last `received`, while `has_more` says so

The places are lent, so the rule of `forget` is strict: once it returns, no byte of the peer goes to that place. Half a
block that is already there is moved out, and the block will come as an ordinary message with data of its own.

They are lent late, too. Of a fast peer a thousand blocks are expected; if all had their places, each byte would be
received into memory that the processor has not seen for 16 MiB.

The buffers are for use at once: call `buffers()` when bytes are there to be read, not before waiting for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeAlias

from trio_torrent.bitfield import Bitfield as PieceSet
from trio_torrent.errors import ProtocolError

from .codec import (
    MAX_MESSAGE,
    MAX_OTHERS,
    PIECE_HEADER,
    PIECE_NUMBER,
    REQUEST_SIZE,
    REQUEST_START,
    decode,
    decode_requests,
    piece_header,
)
from .messages import (
    AllowedFast,
    Bitfield,
    Choke,
    Have,
    Heard,
    KeepAlive,
    Landed,
    Message,
    Piece,
    Reject,
    Request,
    Suggest,
)
from .order import FRESH, transitions

# How many blocks ahead one receive may fill: 512 KiB at first. When all of it was filled, the next may be twice as
# long: from a fast peer the kernel holds more ready, and one receive wakes up three tasks. Beyond 1 MiB little is won,
# and if the peer says something else instead, all of it is in our memory twice more: that must stay under 2 MiB.
FORESEEN = 32
MOST_FORESEEN = 56

# Receives that foresee nothing need little room: a `have` is 9 bytes.
SCRATCH = 64 * 1024

# Messages read in one go, some 100 bytes each as objects. Where blocks are foreseen, half a megabyte may come at once,
# and a peer may fill it with four-byte keep-alives.
MOST_AT_ONCE = 8192

# One for all: four bytes must not cost an object each.
_KEEP_ALIVE = KeepAlive()


_Foreseen: TypeAlias = tuple[Request, bytes, memoryview]
"""A block that comes soon, what its header will be, and where its data goes."""

_Place: TypeAlias = Callable[[Request], memoryview]


class Connection:
    """The reading half of the protocol. `pieces` is how many the torrent has, None while that is not known."""

    def __init__(self, *, pieces: int | None, fast: bool, v2: bool = False, scratch: bytearray | None = None) -> None:
        self._pieces = pieces
        self._state = FRESH
        self._transitions: Final = transitions(fast=fast, v2=v2)
        self._fast = fast
        self._expected: dict[tuple[int, int], Request] = {}  # in the order in which they were asked for
        self._place: _Place = _nowhere
        self._foreseen: deque[_Foreseen] = deque()  # the first of them
        self._ahead = FORESEEN
        self._offered = 0  # how many the last `buffers()` handed out
        self._headers = bytearray()
        self._slots: list[memoryview] = []  # the headers one by one
        self._current: _Foreseen | None = None  # the block whose header has come, and not all of its data
        self._filled = 0  # bytes of its data that have come
        self._tail = b""  # the start of a message that is not a foreseen block
        self.has_more: bool = False  # the tail has whole messages, too
        self._scratch: Final = memoryview(bytearray(SCRATCH) if scratch is None else scratch)

    def __repr__(self) -> str:
        return f"<Connection {self._state.name} expecting {len(self._expected)} blocks>"

    def know(self, pieces: int) -> None:
        """The torrent has so many pieces, which was not known before. What has been said already is not held to it."""
        self._pieces = pieces

    # -- what we asked for ---------------------------------------------------------------------------------------

    def expect(self, requests: Iterable[Request], place: _Place) -> None:
        """The blocks will come. `place` tells where the data of one goes: exactly as long, and the same until then."""
        self._place = place
        for request in requests:
            self._expected[request.piece, request.offset] = request

    def forget(self, request: Request) -> None:
        """Take the block's place back: if the block comes all the same, it brings data of its own."""
        self._unexpect((request.piece, request.offset))
        if self._current is not None:
            current, header, place = self._current
            if (current.piece, current.offset) == (request.piece, request.offset):
                self._tail = header + bytes(place[: self._filled])
                self._current = None

    def forget_all(self) -> None:
        """Take back every place."""
        self._expected.clear()
        self._foreseen.clear()
        if self._current is not None:
            self.forget(self._current[0])

    def _unexpect(self, key: tuple[int, int]) -> Request | None:
        """Take out one that may not be the first, and so nothing is foreseen any more."""
        request = self._expected.pop(key, None)
        if request is not None:
            self._foreseen.clear()
        return request

    # -- bytes in ------------------------------------------------------------------------------------------------

    def buffers(self) -> list[memoryview]:
        """Where the next bytes should go, in this order. Valid until the next call of any method."""
        self._offered = 0
        if self._tail:
            return [self._scratch]
        buffers = []
        if self._current is not None:
            buffers.append(self._current[2][self._filled :])
        if self._expected:
            self._foresee(buffers)
        if self._offered < FORESEEN:  # else there is room enough, and what comes behind it had best be foreseen, too
            buffers.append(self._scratch)
        return buffers

    def _foresee(self, buffers: list[memoryview]) -> None:
        foreseen, ahead, place = self._foreseen, self._ahead, self._place
        for request in islice(self._expected.values(), len(foreseen), ahead):
            header = piece_header(request.piece, request.offset, request.length)
            foreseen.append((request, header, place(request)))
        if len(self._slots) < ahead:
            self._headers = bytearray(PIECE_HEADER * ahead)
            view = memoryview(self._headers)
            self._slots = [view[at : at + PIECE_HEADER] for at in range(0, len(view), PIECE_HEADER)]
        self._offered = min(len(foreseen), ahead)
        for slot, (_, _, room) in zip(self._slots, islice(foreseen, ahead), strict=False):
            buffers += slot, room

    def received(self, count: int) -> tuple[Heard, ...]:
        """What `count` (> 0) more bytes complete. ProtocolError ends the connection."""
        heard: list[Heard] = []
        landed: list[Request] = []
        if self._current is not None:
            count = self._continue_current(count, landed)
        count, rest = self._land(count, landed)
        if landed:
            if self._state is FRESH:
                self._step(Piece)
            heard.append(Landed(tuple(landed)))
        if count > 0:
            rest = self._tail + bytes(self._scratch[:count])
        if rest:
            self._read(rest, heard)
        self._offered = 0
        return tuple(heard)

    def _land(self, count: int, landed: list[Request]) -> tuple[int, bytes]:
        """Go through the blocks that were foreseen: how many bytes are left behind them, or what came instead."""
        headers, foreseen, expected = self._headers, self._foreseen, self._expected
        at, offered = 0, self._offered
        end = offered * PIECE_HEADER
        while count > 0 and at < end:
            request, header, _ = foreseen[0]
            if count < PIECE_HEADER or not headers.startswith(header, at):
                return 0, self._take_out(at, count)
            at += PIECE_HEADER
            each = foreseen.popleft()
            del expected[request.piece, request.offset]
            count -= PIECE_HEADER + request.length
            if count < 0:
                self._current, self._filled = each, count + request.length
            else:
                landed.append(request)
        if at == end:
            self._ahead = min(MOST_FORESEEN, 2 * self._ahead) if offered == self._ahead else self._ahead
        elif 4 * at < end:
            self._ahead = max(FORESEEN, self._ahead // 2)
        return max(0, count), b""

    def more(self) -> tuple[Heard, ...]:
        """The next messages of what has come already."""
        heard: list[Heard] = []
        self._read(self._tail, heard)
        return tuple(heard)

    def receive(self, data: bytes | bytearray | memoryview) -> tuple[Heard, ...]:
        """What these bytes complete."""
        heard: list[Heard] = []
        rest = memoryview(data)
        while rest:
            taken = 0
            for buffer in self.buffers():
                size = min(len(buffer), len(rest) - taken)
                buffer[:size] = rest[taken : taken + size]
                taken += size
            rest = rest[taken:]
            heard.extend(self.received(taken))
            while self.has_more:
                heard.extend(self.more())
        return tuple(heard)

    def _continue_current(self, count: int, landed: list[Request]) -> int:
        """Count bytes towards the block in progress; how many are left over."""
        assert self._current is not None
        request, _, _ = self._current
        missing = request.length - self._filled
        if count < missing:
            self._filled += count
            return 0
        self._current = None
        landed.append(request)
        return count - missing

    def _take_out(self, at: int, count: int) -> bytes:
        """The `count` bytes that went to the header at `at`, the first foreseen place, and so on, as one string."""
        parts: list[memoryview] = []
        for slot, (_, _, place) in zip(self._slots[at // PIECE_HEADER : self._offered], self._foreseen, strict=False):
            for part in (slot, place):
                parts.append(part[:count])
                count -= len(parts[-1])
            if not count:
                break
        return b"".join([*parts, self._scratch[:count]])

    # -- the ordinary way ----------------------------------------------------------------------------------------

    def _read(self, data: bytes, messages: list[Heard]) -> None:
        """Read what is complete, and keep the start of what is not."""
        at, end, view = 0, len(data), memoryview(data)
        self.has_more = False
        while end - at >= 4:
            if len(messages) >= MOST_AT_ONCE:
                self.has_more = True
                break
            if data.startswith(REQUEST_START, at) and end - at >= REQUEST_SIZE:
                self._step(Request)
                requests = decode_requests(data, at, MOST_AT_ONCE - len(messages))
                messages += requests
                at += REQUEST_SIZE * len(requests)
                continue
            length = int.from_bytes(data[at : at + 4])
            if not length:
                messages.append(_KEEP_ALIVE)
                at += 4
                continue
            self._check_length(length)
            if end - at < 4 + length:
                if self._resume_block(data, at):
                    at = end
                break
            messages.append(self._accept(decode(data[at + 4], view[at + 5 : at + 4 + length])))
            at += 4 + length
        self._tail = data[at:]

    def _check_length(self, length: int) -> None:
        longest_bitfield = MAX_MESSAGE if self._pieces is None else 1 + (self._pieces + 7) // 8
        if length > max(MAX_OTHERS, longest_bitfield):
            raise ProtocolError(f"a message of {length} bytes")

    def _resume_block(self, data: bytes, at: int) -> bool:
        """If the data ends inside an expected block, put that part in its place and go on from there."""
        if len(data) - at < PIECE_HEADER or data[at + 4] != PIECE_NUMBER:
            return False
        key = int.from_bytes(data[at + 5 : at + 9]), int.from_bytes(data[at + 9 : at + 13])
        request = self._expected.get(key)
        if request is None or not data.startswith(header := piece_header(*key, request.length), at):
            return False
        self._unexpect(key)
        place = self._place(request)
        self._current, self._filled = (request, header, place), len(data) - at - PIECE_HEADER
        place[: self._filled] = memoryview(data)[at + PIECE_HEADER :]
        return True

    def _accept(self, message: Message) -> Heard:
        """Hold the message to what may come now, and to the torrent's size."""
        self._step(type(message))
        match message:
            case Piece(piece, offset, data):
                return self._put(piece, offset, data)
            case Have(piece) | Suggest(piece) | AllowedFast(piece):
                if self._pieces is not None and piece >= self._pieces:
                    raise ProtocolError(f"piece {piece} of {self._pieces}")
            case Bitfield(bits):
                self._check_bitfield(bits)
            case Choke():
                # Without the fast extension, a choke is the end of all that we asked for (BEP 3).
                if not self._fast:
                    self._expected.clear()
                    self._foreseen.clear()
            case Reject(piece, offset):
                self._unexpect((piece, offset))
            case _:
                pass
        return message

    def _step(self, kind: type[Message]) -> None:
        state = self._transitions[self._state].get(kind)
        if state is None:
            raise ProtocolError(f"an unexpected {kind.__name__.lower()} message")
        self._state = state

    def _put(self, piece: int, offset: int, data: bytes | memoryview) -> Heard:
        """A block that came the ordinary way goes to its place all the same, if it has one."""
        request = self._expected.get((piece, offset))
        if request is None or request.length != len(data):
            return Piece(piece, offset, data)
        self._unexpect((piece, offset))
        self._place(request)[:] = data
        return Landed((request,))

    def _check_bitfield(self, bits: bytes) -> None:
        if self._pieces is None:
            return
        try:
            PieceSet.from_bytes(bits, self._pieces)
        except ValueError as problem:
            raise ProtocolError(f"a bad bitfield: {problem}") from None


def _nowhere(request: Request) -> memoryview:
    raise AssertionError("nothing was expected")
