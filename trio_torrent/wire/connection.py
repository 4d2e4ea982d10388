"""One connection after its handshake: bytes in, messages out, with the bytes landing where they belong.

A download is almost nothing but blocks, each of which we asked for. So we know what the next bytes will be: the 13-byte
header of the block that we asked for first, its data, the header of the second, and so on. `buffers()` hands out
exactly that, a list of memory to receive into with each block's place already in its piece's buffer, and `received(n)`
is told how many bytes came. When each header is what we foresaw, the data is where it must be, untouched by Python.

When one is not (a `have` between two blocks, blocks out of order), everything from there on is taken out of the places
it landed in, and read the ordinary way. Nothing is harmed: a place belongs to a block that has not come yet.

    expect(request, place)  we asked for this block; it goes there       forget(request)  no longer
    buffers()               where the next bytes should go               received(n)      that many came; messages
    receive(data)           the same for a stream that brings its own bytes
    more()                  the messages that were too many for the last `received`, while `has_more` says so

The places are lent, so the rule of `forget` is strict: once it returns, no byte of the peer goes to that place. Half a
block that is already there is moved out, and the block will come as an ordinary message with data of its own.

The buffers are for use at once: call `buffers()` when bytes are there to be read, not before waiting for them.
"""

from __future__ import annotations

import enum
from functools import cache
from itertools import islice
from typing import Final

import attrs

from trio_torrent.bitfield import Bitfield as PieceSet
from trio_torrent.errors import ProtocolError

from .codec import MAX_MESSAGE, MAX_OTHERS, PIECE_HEADER, PIECE_NUMBER, decode, piece_header
from .messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Hashes,
    HashReject,
    HashRequest,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
)

# How many blocks ahead one receive may fill. 32 are 512 KiB, more than the kernel holds ready in practice.
FORESEEN = 32

# Receives that foresee nothing need little room: a `have` is 9 bytes.
SCRATCH = 64 * 1024

# Messages read in one go, some 100 bytes each as objects. Where blocks are foreseen, half a megabyte may come at once,
# and a peer may fill it with four-byte keep-alives.
MOST_AT_ONCE = 8192

# One for all: four bytes must not cost an object each.
_KEEP_ALIVE = KeepAlive()


class State(enum.Enum):
    """What we have heard of the peer."""

    FRESH = "nothing about pieces yet"
    TALKING = "something; it can no longer say that it has none"


FRESH, TALKING = State.FRESH, State.TALKING

# A missing entry is a ProtocolError. BEP 10's handshake, a DHT port and what we do not know may come before the
# bitfield: Transmission and others send them so. And aria2 says a bitfield or a "have all" again where that is shorter
# than a `have` for each new piece.
_PLAIN: dict[type[Message], State] = dict.fromkeys(
    (Choke, Unchoke, Interested, NotInterested, Have, Request, Piece, Cancel), TALKING
)
_ANY_TIME: tuple[type[Message], ...] = (KeepAlive, Extended, Port, Unknown)
_FAST: dict[type[Message], State] = dict.fromkeys((Suggest, Reject, AllowedFast), TALKING)

# Only on a connection that goes by a v2 info-hash (BEP 52); libtorrent drops those who say it elsewhere, too.
_V2: tuple[type[Message], ...] = (HashRequest, Hashes, HashReject)

TRANSITIONS: dict[State, dict[type[Message], State]] = {
    FRESH: {**_PLAIN, **dict.fromkeys(_ANY_TIME, FRESH), Bitfield: TALKING},
    TALKING: {**_PLAIN, **dict.fromkeys(_ANY_TIME, TALKING), Bitfield: TALKING},
}
FAST_TRANSITIONS: dict[State, dict[type[Message], State]] = {
    FRESH: {**TRANSITIONS[FRESH], **_FAST, HaveAll: TALKING, HaveNone: TALKING},
    TALKING: {**TRANSITIONS[TALKING], **_FAST, HaveAll: TALKING},
}


@cache
def transitions(*, fast: bool, v2: bool) -> dict[State, dict[type[Message], State]]:
    """What may come when, by what both sides speak: BEP 6, BEP 52."""
    tables = FAST_TRANSITIONS if fast else TRANSITIONS
    return {state: {**table, **dict.fromkeys(_V2, state)} for state, table in tables.items()} if v2 else tables


@attrs.define(eq=False)  # not frozen: one is made for each block, and frozen ones take twice as long to make
class _Expected:
    """A block that we asked for: what its header will be, and where its data goes."""

    piece: int
    offset: int
    header: bytes
    place: memoryview


class Connection:
    """The reading half of the protocol. `pieces` is how many the torrent has, None while that is not known."""

    def __init__(self, *, pieces: int | None, fast: bool, v2: bool = False, scratch: bytearray | None = None) -> None:
        self._pieces = pieces
        self._state = FRESH
        self._transitions: Final = transitions(fast=fast, v2=v2)
        self._fast = fast
        self._expected: dict[tuple[int, int], _Expected] = {}  # in the order in which they were asked for
        self._foreseen: list[_Expected] = []  # what the last `buffers()` handed out
        self._headers = bytearray()
        self._current: _Expected | None = None  # the block whose header has come, and not all of its data
        self._filled = 0  # bytes of its data that have come
        self._tail = b""  # the start of a message that is not a foreseen block
        self.has_more = False  # the tail has whole messages, too
        self._scratch: Final = memoryview(bytearray(SCRATCH) if scratch is None else scratch)

    def __repr__(self) -> str:
        return f"<Connection {self._state.name} expecting {len(self._expected)} blocks>"

    def know(self, pieces: int) -> None:
        """The torrent has so many pieces, which was not known before. What has been said already is not held to it."""
        self._pieces = pieces

    # -- what we asked for ---------------------------------------------------------------------------------------

    def expect(self, request: Request, place: memoryview) -> None:
        """The block will come; its data goes to `place`, which is exactly as long."""
        header = piece_header(request.piece, request.offset, len(place))
        expected = _Expected(request.piece, request.offset, header, place)
        self._expected[request.piece, request.offset] = expected

    def forget(self, request: Request) -> None:
        """Take the block's place back: if the block comes all the same, it brings data of its own."""
        self._expected.pop((request.piece, request.offset), None)
        current = self._current
        if current is not None and (current.piece, current.offset) == (request.piece, request.offset):
            self._tail = current.header + bytes(current.place[: self._filled])
            self._current = None

    def forget_all(self) -> None:
        """Take back every place."""
        self._expected.clear()
        if self._current is not None:
            self.forget(Request(self._current.piece, self._current.offset, 0))

    # -- bytes in ------------------------------------------------------------------------------------------------

    def buffers(self) -> list[memoryview]:
        """Where the next bytes should go, in this order. Valid until the next call of any method."""
        self._foreseen = []
        if self._tail:
            return [self._scratch]
        buffers = []
        if self._current is not None:
            buffers.append(self._current.place[self._filled :])
        if self._expected:
            self._foresee(buffers)
        buffers.append(self._scratch)
        return buffers

    def _foresee(self, buffers: list[memoryview]) -> None:
        self._foreseen = foreseen = list(islice(self._expected.values(), FORESEEN))
        if not self._headers:
            self._headers = bytearray(PIECE_HEADER * FORESEEN)
        headers = memoryview(self._headers)
        at = 0
        for expected in foreseen:
            buffers.append(headers[at : at + PIECE_HEADER])
            buffers.append(expected.place)
            at += PIECE_HEADER

    def received(self, count: int) -> tuple[Message, ...]:
        """The messages that `count` (> 0) more bytes complete. ProtocolError ends the connection."""
        messages: list[Message] = []
        if self._current is not None:
            count = self._continue_current(count, messages)
        at = 0
        for index, expected in enumerate(self._foreseen):
            if count <= 0:
                break
            if count < PIECE_HEADER or self._headers[at : at + PIECE_HEADER] != expected.header:
                self._read(self._take_out(index, count), messages)
                count = 0
                break
            at += PIECE_HEADER
            del self._expected[expected.piece, expected.offset]
            self._current, self._filled = expected, 0
            count = self._continue_current(count - PIECE_HEADER, messages)
        if count > 0:
            self._read(self._tail + bytes(self._scratch[:count]), messages)
        self._foreseen = []
        return tuple(messages)

    def more(self) -> tuple[Message, ...]:
        """The next messages of what has come already."""
        messages: list[Message] = []
        self._read(self._tail, messages)
        return tuple(messages)

    def receive(self, data: bytes | bytearray | memoryview) -> tuple[Message, ...]:
        """The messages that these bytes complete."""
        messages: list[Message] = []
        rest = memoryview(data)
        while rest:
            taken = 0
            for buffer in self.buffers():
                size = min(len(buffer), len(rest) - taken)
                buffer[:size] = rest[taken : taken + size]
                taken += size
            rest = rest[taken:]
            messages.extend(self.received(taken))
            while self.has_more:
                messages.extend(self.more())
        return tuple(messages)

    def _continue_current(self, count: int, messages: list[Message]) -> int:
        """Count bytes towards the block in progress; how many are left over."""
        current = self._current
        assert current is not None
        missing = len(current.place) - self._filled
        if count < missing:
            self._filled += count
            return 0
        self._current = None
        if self._state is FRESH:
            self._step(Piece)
        messages.append(Piece(current.piece, current.offset, current.place))
        return count - missing

    def _take_out(self, index: int, count: int) -> bytes:
        """The `count` bytes that went to the foreseen places from `index` on, as one string."""
        taken = bytearray()
        for at in range(index, len(self._foreseen)):
            taken += self._headers[at * PIECE_HEADER : (at + 1) * PIECE_HEADER]
            taken += self._foreseen[at].place
            if len(taken) >= count:
                return bytes(taken[:count])
        return bytes(taken + self._scratch[: count - len(taken)])

    # -- the ordinary way ----------------------------------------------------------------------------------------

    def _read(self, data: bytes, messages: list[Message]) -> None:
        """Read what is complete, and keep the start of what is not."""
        at, end, view = 0, len(data), memoryview(data)
        self.has_more = False
        while end - at >= 4:
            if len(messages) >= MOST_AT_ONCE:
                self.has_more = True
                break
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
        expected = self._expected.get(key)
        if expected is None or not data.startswith(expected.header, at):
            return False
        del self._expected[key]
        self._current, self._filled = expected, len(data) - at - PIECE_HEADER
        expected.place[: self._filled] = memoryview(data)[at + PIECE_HEADER :]
        return True

    def _accept(self, message: Message) -> Message:
        """Hold the message to what may come now, and to the torrent's size."""
        self._step(type(message))
        match message:
            case Piece(piece, offset, data):
                return self._place(piece, offset, data)
            case Have(piece) | Suggest(piece) | AllowedFast(piece):
                if self._pieces is not None and piece >= self._pieces:
                    raise ProtocolError(f"piece {piece} of {self._pieces}")
            case Bitfield(bits):
                self._check_bitfield(bits)
            case Choke():
                # Without the fast extension, a choke is the end of all that we asked for (BEP 3).
                if not self._fast:
                    self._expected.clear()
            case Reject(piece, offset):
                self._expected.pop((piece, offset), None)
            case _:
                pass
        return message

    def _step(self, kind: type[Message]) -> None:
        state = self._transitions[self._state].get(kind)
        if state is None:
            raise ProtocolError(f"an unexpected {kind.__name__.lower()} message")
        self._state = state

    def _place(self, piece: int, offset: int, data: bytes | memoryview) -> Piece:
        """A block that came the ordinary way goes to its place all the same, if it has one."""
        expected = self._expected.get((piece, offset))
        if expected is None or len(expected.place) != len(data):
            return Piece(piece, offset, data)
        del self._expected[piece, offset]
        expected.place[:] = data
        return Piece(piece, offset, expected.place)

    def _check_bitfield(self, bits: bytes) -> None:
        if self._pieces is None:
            return
        try:
            PieceSet.from_bytes(bits, self._pieces)
        except ValueError as problem:
            raise ProtocolError(f"a bad bitfield: {problem}") from None


__all__ = ["FAST_TRANSITIONS", "TRANSITIONS", "Connection", "State", "transitions"]
