"""One message to bytes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies_wire import hash_messages, messages
from trio_torrent.errors import ProtocolError
from trio_torrent.wire.codec import decode, decode_requests, encode, encode_all, piece_header, put_piece_header
from trio_torrent.wire.messages import (
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

PART = HashRequest(b"r" * 32, 2, 4, 4, 3)  # whose answer has 4 nodes, and 2 uncles
PART_HEX = "72" * 32 + "00000002 00000004 00000004 00000003"

# Every message of BEP 3, BEP 6, BEP 52 and BEP 10's envelope, with its bytes as the BEPs lay them out.
CASES: list[tuple[Message, str]] = [
    (KeepAlive(), "00000000"),
    (Choke(), "00000001 00"),
    (Unchoke(), "00000001 01"),
    (Interested(), "00000001 02"),
    (NotInterested(), "00000001 03"),
    (Have(0x010203), "00000005 04 00010203"),
    (Bitfield(b"\xff\x80"), "00000003 05 ff80"),
    (Request(1, 16384, 16384), "0000000d 06 00000001 00004000 00004000"),
    (Piece(1, 16384, b"abc"), "0000000c 07 00000001 00004000 616263"),
    (Cancel(1, 0, 5), "0000000d 08 00000001 00000000 00000005"),
    (Port(6881), "00000003 09 1ae1"),
    (Suggest(7), "00000005 0d 00000007"),
    (HaveAll(), "00000001 0e"),
    (HaveNone(), "00000001 0f"),
    (Reject(2, 3, 4), "0000000d 10 00000002 00000003 00000004"),
    (AllowedFast(9), "00000005 11 00000009"),
    (Extended(0, b"de"), "00000004 14 00 6465"),
    (PART, "00000031 15" + PART_HEX),
    (Hashes(PART, b"h" * 192), "000000f1 16" + PART_HEX + "68" * 192),
    (HashReject(PART), "00000031 17" + PART_HEX),
    (Unknown(24, 3), "00000003 18 0000"),
]


@pytest.mark.parametrize(("message", "data"), CASES, ids=lambda value: type(value).__name__)
def test_both_ways(message: Message, data: str):
    raw = bytes.fromhex(data)
    assert encode(message) == raw
    if raw[4:]:
        assert decode(raw[4], raw[5:]) == message
        assert decode(raw[4], memoryview(raw)[5:]) == message


@given(messages | hash_messages)
def test_round_trip(message: Message):
    raw = encode(message)
    assert int.from_bytes(raw[:4]) == len(raw) - 4
    if raw[4:]:
        assert decode(raw[4], raw[5:]) == message


@given(st.integers(0, 255), st.binary(max_size=40))
def test_garbage_is_a_message_or_a_protocol_error(number: int, body: bytes):
    try:
        message = decode(number, body)
    except ProtocolError:
        return
    if not isinstance(message, Unknown):
        assert encode(message)[4:] == bytes([number]) + body


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (0, b"x"),  # choke with a body
        (4, b"\0\0\0"),  # a short have
        (4, bytes(5)),
        (6, bytes(11)),
        (7, bytes(8)),  # a block without a byte
        (7, bytes(8 + 16384 + 1)),  # more than anyone asks for
        (9, b"\0"),
        (14, b"x"),
        (20, b""),
        (21, bytes(47)),
        (21, bytes(49)),
        (22, bytes(47)),
        (22, bytes.fromhex(PART_HEX) + bytes(191)),
        (22, bytes.fromhex(PART_HEX) + bytes(224)),  # an uncle too many
        (22, bytes(48)[:40] + b"\0\0\x20\x01\0\0\0\0" + bytes(32 * 8193)),  # more nodes than anyone asks for
        (23, bytes(47)),
    ],
)
def test_a_body_that_does_not_fit_is_refused(number: int, body: bytes):
    with pytest.raises(ProtocolError):
        decode(number, body)


@pytest.mark.parametrize(
    ("length", "proofs", "uncles"),
    [(2, 0, 0), (2, 1, 1), (2, 5, 5), (4, 1, 0), (4, 2, 1), (512, 8, 0), (512, 11, 3), (1, 0, 1), (1, 3, 4), (3, 2, 1)],
)
def test_proof_layers_that_the_nodes_themselves_make_up_have_no_uncle(length: int, proofs: int, uncles: int):
    assert HashRequest(bytes(32), 0, 0, length, proofs).uncles == uncles


def test_several_messages_go_in_one_send():
    assert encode_all([Choke(), Have(1)]) == encode(Choke()) + encode(Have(1))


def test_the_header_of_a_block_is_the_start_of_its_message():
    assert encode(Piece(3, 4, b"data")) == piece_header(3, 4, 4) + b"data"
    written = bytearray(b"?" * 20)
    put_piece_header(written, 5, Request(3, 4, 7))
    assert written == b"?????" + piece_header(3, 4, 7) + b"??"


REQUESTS = [Request(piece, 16384 * piece, 2**32 - 1) for piece in range(5)]


@pytest.mark.parametrize(
    ("behind", "most", "found"),
    [
        (b"", 9, 5),
        (b"", 5, 5),
        (b"", 3, 3),
        (encode(REQUESTS[0])[:16], 9, 5),
        (encode(Cancel(1, 2, 3)) + encode(REQUESTS[0]), 9, 5),
        (encode(Have(6)) + encode(REQUESTS[0]), 9, 5),
    ],
)
def test_requests_in_a_row_are_read_in_one_go(behind: bytes, most: int, found: int):
    data = b"????" + encode_all(REQUESTS) + behind
    assert decode_requests(data, 4, most) == REQUESTS[:found]


@pytest.mark.parametrize("data", [b"", encode(REQUESTS[0])[:16], encode(Reject(1, 2, 3)), b"\0\0\0\x0e" + bytes(14)])
def test_what_is_not_a_whole_request_is_none(data: bytes):
    assert decode_requests(data, 0, 9) == []
