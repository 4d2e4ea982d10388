import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.wire.extended import ExtendedHandshake, decode_extended, encode_extended
from trio_torrent.wire.messages import Extended

handshakes = st.builds(
    ExtendedHandshake,
    extensions=st.dictionaries(st.text(max_size=8), st.integers(1, 255), max_size=3),
    client=st.none() | st.text(max_size=30),
    port=st.none() | st.integers(1, 65535),
    reqq=st.none() | st.integers(1, 5000),
    upload_only=st.booleans(),
    metadata_size=st.none() | st.integers(1, 1 << 30),
)


@given(handshakes)
def test_round_trip(handshake: ExtendedHandshake):
    assert decode_extended(encode_extended(handshake)) == handshake


def test_the_bytes():
    message = encode_extended(ExtendedHandshake(extensions={"ut_pex": 1}, client="x", port=6881, reqq=250))
    assert message == Extended(0, b"d1:md6:ut_pexi1ee1:pi6881e4:reqqi250e1:v1:xe")


@pytest.mark.parametrize(
    "payload", [b"", b"i1e", b"le", b"d", b"x", b"d1:m", b"l" * 40 + b"e" * 40, b"d1:v70000:" + b"x" * 70000 + b"e"]
)
def test_what_cannot_be_read_is_no_handshake(payload: bytes):
    assert decode_extended(Extended(0, payload)) is None


def test_another_number_is_another_message():
    assert decode_extended(Extended(1, b"de")) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"de",
        b"d1:mi1e1:pi0e4:reqqi-5e1:vi3ee",
        b"d1:md6:ut_pexi0e1:x1:ye1:pi65536e4:reqq3:abc11:upload_only1:1e",
        b"d13:metadata_sizei-1ee",
    ],
)
def test_odd_fields_count_as_absent(payload: bytes):
    assert decode_extended(Extended(0, payload)) == ExtendedHandshake()


@given(st.binary(max_size=60))
def test_garbage_is_harmless(payload: bytes):
    decode_extended(Extended(0, payload))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_where_we_see_the_other(host: str):
    handshake = ExtendedHandshake(your_ip=ipaddress.ip_address(host))
    assert decode_extended(encode_extended(handshake)) == handshake


@pytest.mark.parametrize("value", [b"4:\1\2\3\4", b"3:abc", b"5:hello", b"i4e", b"0:"])
def test_an_address_of_another_length_is_none(value: bytes):
    decoded = decode_extended(Extended(0, b"d6:yourip" + value + b"e"))
    assert decoded is not None
    assert (decoded.your_ip is not None) == (value[:1] == b"4")
