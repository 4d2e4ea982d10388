import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.address import Address, pack, unpack_ipv4, unpack_ipv6

ipv4 = st.builds(Address, st.ip_addresses(v=4).map(str), st.integers(1, 65535))
ipv6 = st.builds(Address, st.ip_addresses(v=6).map(str), st.integers(1, 65535))


@given(st.lists(ipv4), st.lists(ipv6))
def test_compact_round_trip(four: list[Address], six: list[Address]):
    packed_four, packed_six = pack([*six, *four])
    assert unpack_ipv4(packed_four) == four
    assert unpack_ipv6(packed_six) == six


def test_a_torn_group_and_port_zero_are_left_out():
    assert unpack_ipv4(bytes([127, 0, 0, 1, 0x1A, 0xE1, 127, 0, 0, 2, 0, 0, 127, 0, 0])) == [Address("127.0.0.1", 6881)]


@given(st.one_of(ipv4, ipv6, st.just(Address("seed.example", 1))))
def test_text_round_trip(address: Address):
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "HOST:PORT"),
        ("host", "HOST:PORT"),
        (":1", "HOST:PORT"),
        ("host:", "not a port"),
        ("host:0", "not a port"),
        ("host:65536", "not a port"),
        ("host:x", "not a port"),
        ("host:\u0661", "not a port"),
        ("::1:6881", r"\[ADDRESS\]"),
        ("[::x]:1", "::x"),
    ],
)
def test_bad_text_is_refused_with_the_reason(text: str, why: str):
    with pytest.raises(ValueError, match=why):
        Address.parse(text)
