"""Bytes in, messages out; blocks land in their places, however the bytes are cut."""

import contextlib
import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies_wire import hash_messages, messages
from trio_torrent.errors import ProtocolError
from trio_torrent.wire.codec import MAX_OTHERS, encode, encode_all
from trio_torrent.wire.connection import FORESEEN, MOST_FORESEEN, Connection
from trio_torrent.wire.messages import (
    AllowedFast,
    Bitfield,
    Choke,
    Extended,
    HashReject,
    HashRequest,
    Have,
    HaveAll,
    HaveNone,
    Heard,
    Interested,
    KeepAlive,
    Landed,
    Message,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
)

BLOCK = 40


def connection(pieces: int | None = 16, fast: bool = True, v2: bool = False) -> Connection:
    return Connection(pieces=pieces, fast=fast, v2=v2)


def scatter(to: Connection, data: bytes) -> tuple[Heard, ...]:
    """What a socket does: fill the buffers in order, as far as the data goes."""
    taken = 0
    for buffer in to.buffers():
        run = min(len(buffer), len(data) - taken)
        buffer[:run] = data[taken : taken + run]
        taken += run
    assert taken == len(data), "more than there was room for"
    return to.received(taken)


def feed(to: Connection, data: bytes, cuts: Iterable[int]) -> list[Heard]:
    """Feed the data in chunks that end at `cuts`. How many blocks land at once depends on those: here it is one."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    heard = [each for start, end in itertools.pairwise(edges) for each in scatter(to, data[start:end])]
    return [one for each in heard for one in one_by_one(each)]


def one_by_one(heard: Heard) -> Sequence[Heard]:
    return [Landed((request,)) for request in heard.requests] if isinstance(heard, Landed) else [heard]


class Places:
    """Memory for blocks, and the connection's promise that they land there."""

    def __init__(self, to: Connection, keys: Sequence[tuple[int, int]]) -> None:
        self.memory = {key: bytearray(b"." * BLOCK) for key in keys}
        self.lent: set[tuple[int, int]] = set()
        to.expect([Request(piece, offset, BLOCK) for piece, offset in keys], self.lend)

    def lend(self, request: Request) -> memoryview:
        self.lent.add((request.piece, request.offset))
        return memoryview(self.memory[request.piece, request.offset])


def landed(*keys: tuple[int, int]) -> Landed:
    return Landed(tuple([Request(piece, offset, BLOCK) for piece, offset in keys]))


def block(piece: int, offset: int) -> Piece:
    return Piece(piece, offset, bytes([65 + (piece * 7 + offset) % 26]) * BLOCK)


# -- ordinary messages -----------------------------------------------------------------------------------------------


@given(st.lists(messages, max_size=8), st.lists(st.integers(0, 600), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_messages(said: list[Message], cuts: list[int]):
    said = [message for message in said if not isinstance(message, Bitfield | HaveAll | HaveNone)]
    assert feed(connection(None), encode_all(said), cuts) == said


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_garbage_gives_messages_or_a_protocol_error(data: bytes, cuts: list[int]):
    with contextlib.suppress(ProtocolError):
        feed(connection(), data, cuts)


def test_chunks_of_a_stream_are_taken_as_well():
    said: list[Message] = [Unchoke(), Have(3), Interested()]
    assert list(connection().receive(encode_all(said))) == said


def test_an_unknown_message_is_skipped_by_its_length():
    raw = (6).to_bytes(4) + b"\x63hello"
    assert connection().receive(raw + encode(Choke())) == (Unknown(0x63, 6), Choke())


def test_a_long_unknown_message_arrives_in_pieces():
    raw = MAX_OTHERS.to_bytes(4) + b"\x63" + bytes(MAX_OTHERS - 1) + encode(Choke())
    assert connection().receive(raw) == (Unknown(0x63, MAX_OTHERS), Choke())


@pytest.mark.parametrize("length", [MAX_OTHERS + 1, 2**32 - 1])
def test_a_length_out_of_bounds_is_refused_before_anything_is_kept(length: int):
    with pytest.raises(ProtocolError, match=f"{length} bytes"):
        connection().receive(length.to_bytes(4) + b"\x07")


def test_the_bitfield_of_a_giant_torrent_may_be_longer():
    pieces = 20_000_000
    raw = encode(Bitfield(bytes(pieces // 8)))
    assert connection(pieces).receive(raw) == (Bitfield(bytes(pieces // 8)),)


def test_a_flood_of_small_messages_is_read_in_portions():
    """Half a megabyte of keep-alives, where blocks were foreseen, would be tens of megabytes of objects."""
    to = connection()
    to.expect([Request(2, 0, 200_000)], lambda request: memoryview(bytearray(request.length)))
    raw = encode_all([KeepAlive()] * 30_000 + [Have(1)])
    portions = [scatter(to, raw)]
    while to.has_more:
        portions.append(to.more())
    assert [len(portion) for portion in portions] == [8192, 8192, 8192, 30_001 - 3 * 8192]
    assert portions[-1][-1] == Have(1)
    assert to.receive(encode(block(0, 0))) == (block(0, 0),)  # and the stream is in step


def test_a_flood_of_requests_is_read_in_portions_too():
    to = connection()
    to.expect([Request(2, 0, 200_000)], lambda request: memoryview(bytearray(request.length)))
    flood = [Request(1, number, 1) for number in range(10_000)]
    portions = [scatter(to, encode_all([Have(1), *flood, Choke()]))]
    while to.has_more:
        portions.append(to.more())
    assert [len(portion) for portion in portions] == [8192, 10_002 - 8192]
    assert [message for portion in portions for message in portion] == [Have(1), *flood, Choke()]


# -- what may come when ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [Extended(0, b"d1:md1:xi1eee"), Port(1), KeepAlive(), Unknown(99, 1)])
@pytest.mark.parametrize("second", [Bitfield(bytes(2)), HaveAll(), HaveNone()])
def test_some_messages_may_come_before_the_bitfield(first: Message, second: Message):
    assert connection().receive(encode_all([first, second])) == (first, second)


@pytest.mark.parametrize("first", [Bitfield(bytes(2)), Have(0), Unchoke(), HaveAll(), Interested()])
def test_nothing_does_not_come_after_something(first: Message):
    with pytest.raises(ProtocolError, match="unexpected"):
        connection().receive(encode_all([first, HaveNone()]))


@pytest.mark.parametrize("again", [Bitfield(b"\xff\xff"), HaveAll()])
def test_a_bitfield_may_be_said_again(again: Message):
    """aria2 does, where that is shorter than a `have` for each new piece."""
    first = Bitfield(b"\xf0\x00")
    assert connection().receive(encode_all([first, Have(9), again])) == (first, Have(9), again)


@pytest.mark.parametrize("message", [HaveAll(), HaveNone(), Suggest(1), AllowedFast(1), Reject(1, 2, 3)])
def test_fast_messages_need_the_fast_extension(message: Message):
    assert connection(fast=True).receive(encode(message)) == (message,)
    with pytest.raises(ProtocolError, match="unexpected"):
        connection(fast=False).receive(encode(message))


@pytest.mark.parametrize("message", [Have(16), Suggest(16), AllowedFast(2**32 - 1)])
def test_a_piece_out_of_range_is_refused(message: Message):
    with pytest.raises(ProtocolError, match="of 16"):
        connection().receive(encode(message))
    assert connection(None).receive(encode(message)) == (message,)  # without the torrent, nobody can know


@pytest.mark.parametrize("bits", [b"", bytes(1), bytes(3)])
def test_a_bitfield_of_the_wrong_length_is_refused(bits: bytes):
    with pytest.raises(ProtocolError, match="bitfield"):
        connection().receive(encode(Bitfield(bits)))


def test_a_bitfield_with_a_spare_bit_is_refused():
    assert connection(15).receive(encode(Bitfield(b"\xff\xfe"))) == (Bitfield(b"\xff\xfe"),)
    with pytest.raises(ProtocolError, match="spare bit"):
        connection(15).receive(encode(Bitfield(b"\xff\xff")))


# -- blocks that we asked for ----------------------------------------------------------------------------------------

KEYS = [(piece, offset) for piece in (0, 1) for offset in (0, BLOCK, 2 * BLOCK)]

streams = st.lists(
    st.one_of(
        st.sampled_from([block(*key) for key in KEYS]),
        st.sampled_from([Have(3), Unchoke(), KeepAlive(), Unknown(77, 9), block(5, 5)]),
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(streams, st.lists(st.integers(0, 900), max_size=20))
def test_blocks_land_in_their_places_in_any_order_and_any_split(said: list[Message], cuts: list[int]):
    to = connection()
    places = Places(to, KEYS)
    heard: list[Heard] = []
    came: set[tuple[int, int]] = set()
    for message in said:
        if isinstance(message, Piece) and (message.piece, message.offset) in KEYS:
            key = message.piece, message.offset
            heard.append(message if key in came else landed(key))
            came.add(key)
        else:
            heard.append(message)
    assert feed(to, encode_all(said), cuts) == heard
    for key in came:
        assert places.memory[key] == bytes(block(*key).data), "the first copy is in its place, and stays there"


def test_blocks_that_are_foreseen_are_not_copied_and_told_of_at_once():
    to = connection()
    places = Places(to, KEYS)
    assert [buffer.obj for buffer in to.buffers()[1::2]] == [places.memory[key] for key in KEYS]
    assert scatter(to, encode_all([block(*key) for key in KEYS[:4]])) == (landed(*KEYS[:4]),)


def test_places_are_lent_as_late_as_can_be():
    to = connection(None)
    places = Places(to, [(piece, 0) for piece in range(3 * FORESEEN)])
    assert not places.lent
    to.buffers()
    assert places.lent == {(piece, 0) for piece in range(FORESEEN)}


def test_a_block_that_nobody_asked_for_brings_its_own_data():
    (message,) = connection().receive(encode(block(3, 0)))
    assert isinstance(message, Piece)
    assert isinstance(message.data, bytes)


def test_the_second_copy_of_a_block_does_not_touch_the_first():
    to = connection()
    places = Places(to, KEYS[:1])
    scatter(to, encode(block(0, 0)))
    (again,) = scatter(to, encode(Piece(0, 0, b"x" * BLOCK)))
    assert isinstance(again, Piece)
    assert isinstance(again.data, bytes)
    assert places.memory[0, 0] == bytes(block(0, 0).data)


def test_a_block_of_another_length_than_asked_for_stays_out():
    to = connection()
    places = Places(to, KEYS[:1])
    (message,) = to.receive(encode(Piece(0, 0, b"short")))
    assert message == Piece(0, 0, b"short")
    assert isinstance(message, Piece)
    assert isinstance(message.data, bytes)
    assert to.receive(encode(block(0, 0))) == (landed((0, 0)),)  # the place is still lent for the real one
    assert places.memory[0, 0] == bytes(block(0, 0).data)


def test_a_fast_peer_may_fill_more_at_once_and_a_slow_one_less():
    to, keys = connection(None), [(piece, 0) for piece in range(4 * MOST_FORESEEN)]
    places, ahead = Places(to, keys), FORESEEN
    raw = encode_all([block(*key) for key in keys])
    while ahead < MOST_FORESEEN:
        assert len(to.buffers()) == 2 * ahead
        size = ahead * (13 + BLOCK)
        (heard,) = scatter(to, raw[:size])
        assert isinstance(heard, Landed)
        assert len(heard.requests) == ahead
        raw, ahead = raw[size:], min(MOST_FORESEEN, 2 * ahead)
    assert len(to.buffers()) == 2 * MOST_FORESEEN
    scatter(to, raw[: 5 * (13 + BLOCK)])
    assert len(to.buffers()) == 2 * FORESEEN
    assert len(places.lent) < len(keys)
    assert sum(len(heard.requests) for heard in to.receive(raw[5 * (13 + BLOCK) :]) if isinstance(heard, Landed)) == (
        len(raw) // (13 + BLOCK) - 5
    )
    assert all(places.memory[key] == bytes(block(*key).data) for key in keys)


# -- places are taken back -------------------------------------------------------------------------------------------


@given(st.integers(0, 13 + BLOCK - 1))
def test_forgetting_leaves_the_place_alone_from_then_on(cut: int):
    to = connection()
    places = Places(to, KEYS)
    raw = encode(block(0, 0))
    assert (scatter(to, raw[:cut]) if cut else ()) == ()
    to.forget(Request(0, 0, BLOCK))
    places.memory[0, 0][:] = b"!" * BLOCK
    (message,) = scatter(to, raw[cut:])
    assert message == block(0, 0)
    assert isinstance(message, Piece)
    assert isinstance(message.data, bytes)
    assert places.memory[0, 0] == b"!" * BLOCK
    assert scatter(to, encode(block(0, BLOCK))) == (landed((0, BLOCK)),)  # the stream is still in step
    assert bytes(places.memory[0, BLOCK]) == bytes(block(0, BLOCK).data)


def test_a_choke_ends_what_was_asked_for_without_the_fast_extension():
    for fast, lands in ((False, False), (True, True)):
        to = connection(fast=fast)
        places = Places(to, KEYS[:1])
        to.receive(encode_all([Choke(), block(0, 0)]))
        assert (places.memory[0, 0] == bytes(block(0, 0).data)) is lands


def test_a_reject_ends_one_request():
    to = connection()
    places = Places(to, KEYS[:2])
    to.receive(encode(Reject(0, 0, BLOCK)))
    places.memory[0, 0][:] = b"." * BLOCK
    to.receive(encode_all([block(0, 0), block(0, BLOCK)]))
    assert places.memory[0, 0] == b"." * BLOCK
    assert places.memory[0, BLOCK] == bytes(block(0, BLOCK).data)


@given(st.integers(1, 13 + BLOCK - 1))
def test_forget_all_leaves_every_place_alone(cut: int):
    to = connection()
    places = Places(to, KEYS)
    raw = encode_all([block(*key) for key in KEYS])
    scatter(to, raw[:cut])
    to.forget_all()
    for memory in places.memory.values():
        memory[:] = b"!" * BLOCK
    scatter(to, raw[cut:])
    assert all(memory == b"!" * BLOCK for memory in places.memory.values())


def test_scratch_may_be_shared_by_all_connections():
    scratch = bytearray(64)
    one, other = (Connection(pieces=None, fast=True, scratch=scratch) for _ in range(2))
    raw = encode_all([Have(1), block(9, 9), Have(2)])
    heard: dict[Connection, list[Heard]] = {one: [], other: []}
    for start in range(0, len(raw), 5):
        for each in (one, other):
            heard[each] += scatter(each, raw[start : start + 5])
    assert heard[one] == heard[other] == [Have(1), block(9, 9), Have(2)]


@pytest.mark.parametrize("fast", [False, True])
@given(st.lists(hash_messages, min_size=1, max_size=4), st.lists(st.integers(0, 3000)))
def test_hashes_on_a_v2_connection_however_they_are_cut(fast: bool, said: list[Message], cuts: list[int]):
    assert feed(connection(fast=fast, v2=True), encode_all(said), cuts) == said


@pytest.mark.parametrize("fast", [False, True])
@given(hash_messages)
def test_hashes_elsewhere_are_unexpected(fast: bool, said: Message):
    with pytest.raises(ProtocolError, match="unexpected hash"):
        connection(fast=fast).receive(encode(said))


def test_hashes_leave_it_open_which_pieces_the_peer_has():
    to = connection(v2=True)
    part = HashRequest(b"r" * 32, 0, 0, 2, 0)
    assert to.receive(encode_all([part, HashReject(part), HaveNone()])) == (part, HashReject(part), HaveNone())
