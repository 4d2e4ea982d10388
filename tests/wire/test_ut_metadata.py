import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.wire.ut_metadata import (
    MAX_METADATA,
    METADATA_PIECE,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    decode_metadata,
    encode_metadata,
    metadata_piece_size,
    metadata_pieces,
)

numbers = st.integers(0, metadata_pieces(MAX_METADATA) - 1)
messages = st.one_of(
    st.builds(MetadataRequest, numbers),
    st.builds(MetadataReject, numbers),
    st.builds(MetadataData, numbers, st.integers(1, MAX_METADATA), st.binary(max_size=200)),
)

TABLE = [
    (MetadataRequest(0), b"d8:msg_typei0e5:piecei0ee"),
    (MetadataData(3, 50_000, b"raw"), b"d8:msg_typei1e5:piecei3e10:total_sizei50000eeraw"),
    (MetadataReject(1), b"d8:msg_typei2e5:piecei1ee"),
]


@pytest.mark.parametrize(("message", "payload"), TABLE)
def test_the_bytes(message, payload):
    assert encode_metadata(message) == payload
    assert decode_metadata(payload) == message


@given(messages)
def test_round_trip(message):
    assert decode_metadata(encode_metadata(message)) == message


def test_a_whole_piece_and_the_largest_dictionary():
    whole = MetadataData(1023, MAX_METADATA, bytes(METADATA_PIECE))
    assert decode_metadata(encode_metadata(whole)) == whole


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"le",
        b"d8:msg_typei0ee",  # of no piece
        b"d5:piecei0ee",  # of no kind
        b"d8:msg_typei3e5:piecei0ee",  # of a kind to come
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei0e5:piecei1024ee",  # past 16 MiB
        b"d8:msg_typei0e5:piece1:0e",
        b"d8:msg_typei1e5:piecei0eeraw",  # of no size
        b"d8:msg_typei1e5:piecei0e10:total_sizei0ee",
        b"d8:msg_typei1e5:piecei0e10:total_sizei16777217ee",
        b"d8:msg_typei1e5:piecei0e10:total_sizei16384ee" + bytes(METADATA_PIECE + 1),
        b"d8:msg_typei0e5:piecei0e1:x" + b"l" * 9 + b"e" * 9 + b"e",  # too deep
        b"d8:msg_typei0e5:piecei0e1:xl" + b"le" * 100 + b"ee",  # too much
    ],
)
def test_what_is_odd_is_none(payload: bytes):
    assert decode_metadata(payload) is None


def test_more_than_a_message_can_be_is_not_looked_at():
    assert decode_metadata(b"d8:msg_typei0e5:piecei0ee" + bytes(20_000)) is None


@given(st.binary(max_size=100))
def test_garbage_is_harmless(payload: bytes):
    decode_metadata(payload)


@pytest.mark.parametrize(("size", "pieces", "last"), [(1, 1, 1), (16384, 1, 16384), (16385, 2, 1), (40_000, 3, 7232)])
def test_sizes(size: int, pieces: int, last: int):
    assert metadata_pieces(size) == pieces
    assert metadata_piece_size(size, pieces - 1) == last
    assert sum(metadata_piece_size(size, piece) for piece in range(pieces)) == size
