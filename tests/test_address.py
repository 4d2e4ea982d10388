import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.address import Address, is_local, is_peer, pack, plain, site, unpack_ipv4, unpack_ipv6

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


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::1", "::1"),
        ("Seed.example", "Seed.example"),
    ],
)
def test_an_address_has_one_spelling(host: str, expected: str):
    assert plain(Address(host, 7)) == Address(expected, 7)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("192.168.1.1", True),
        ("::ffff:10.0.0.1", True),
        ("169.254.1.1", True),
        ("fd00::1", True),
        ("::1", True),
        ("8.8.8.8", False),
        ("2a00::1", False),
        ("somewhere.example", False),
    ],
)
def test_what_is_near(host: str, local: bool):
    assert is_local(host) == local


@pytest.mark.parametrize(
    ("address", "there"),
    [
        (Address("8.8.8.8", 1), True),
        (Address("127.0.0.1", 65535), True),
        (Address("2a00::1", 1), True),
        (Address("somewhere.example", 1), True),
        (Address("somewhere.example", 0), False),
        (Address("8.8.8.8", 0), False),
        (Address("0.0.0.0", 1), False),
        (Address("239.1.2.3", 1), False),
        (Address("255.255.255.255", 1), False),
        (Address("ff02::1", 1), False),
    ],
)
def test_where_a_peer_can_be(address: Address, there: bool):
    assert is_peer(address) == there


def test_a_household_is_an_ipv4_address_or_a_network_of_ipv6():
    assert site("8.8.8.8") == site("::ffff:8.8.8.8") != site("8.8.8.9")
    assert site("2a00:1:2:3::1") == site("2a00:1:2:3:ffff::") != site("2a00:1:2:4::1")
    assert site("a.example") != site("b.example")
