import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.errors import ProtocolError
from trio_torrent.wire.handshake import DHT, EXTENDED, FAST, V2, Handshake, answer, decode_handshake, may_be_handshake

HASH, PEER = b"h" * 20, b"-TT0100-abcdefghijkl"


def test_the_68_bytes():
    raw = bytes(Handshake(HASH, PEER, FAST | EXTENDED))
    assert raw == b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100004") + HASH + PEER
    handshake = decode_handshake(raw)
    assert handshake == Handshake(HASH, PEER, FAST | EXTENDED)
    assert handshake.fast
    assert handshake.extended
    assert not Handshake(HASH, PEER).fast


def test_each_bit_is_where_its_bep_has_it():
    """BEP 5, 6, 10 and 52."""
    bits = {DHT: (7, 0x01), FAST: (7, 0x04), V2: (7, 0x10), EXTENDED: (5, 0x10)}
    for bit, (byte, value) in bits.items():
        handshake = Handshake(HASH, PEER, bit)
        assert bytes(handshake)[20 + byte] == value
        assert (handshake.dht, handshake.fast, handshake.v2, handshake.extended) == tuple(
            [bit is other for other in (DHT, FAST, V2, EXTENDED)]
        )


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20), st.integers(0, 2**64 - 1))
def test_round_trip(info_hash: bytes, peer_id: bytes, reserved: int):
    handshake = Handshake(info_hash, peer_id, reserved)
    assert decode_handshake(bytes(handshake)) == handshake


@pytest.mark.parametrize("raw", [b"", b"\x13BitTorrent protocol", b"GET / HTTP/1.1\r\n" + bytes(52), bytes(68)])
def test_something_else_is_refused(raw: bytes):
    with pytest.raises(ProtocolError):
        decode_handshake(raw)


@pytest.mark.parametrize(
    ("start", "verdict"),
    [(b"", True), (b"\x13", True), (b"\x13Bit", True), (b"\x13BitTorrent protocol\0\0", True), (b"GET", False)],
)
def test_a_stranger_shows_early_what_it_is_not(start: bytes, verdict: bool):
    assert may_be_handshake(start) is verdict


V1_NAME, V2_NAME = b"1" * 20, b"2" * 20


@pytest.mark.parametrize(
    ("asked", "reserved", "v2", "answered"),
    [
        (V1_NAME, 0, None, V1_NAME),
        (V1_NAME, V2, None, V1_NAME),  # it would take v2, and there is none
        (V1_NAME, 0, V2_NAME, V1_NAME),  # a hybrid, and somebody who knows v1 only
        (V1_NAME, V2 | FAST, V2_NAME, V2_NAME),
        (V2_NAME, 0, V2_NAME, V2_NAME),
    ],
)
def test_an_answer_is_by_the_v2_name_if_both_like_it(asked: bytes, reserved: int, v2: bytes | None, answered: bytes):
    ours = Handshake(V1_NAME, PEER, FAST)
    assert answer(Handshake(asked, b"t" * 20, reserved), ours, v2) == Handshake(answered, PEER, FAST)
