from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import ports
from trio_torrent.address import Address
from trio_torrent.bencode import Value, encode
from trio_torrent.wire.ut_pex import MOST_CONTACTS, OUTGOING, SEED, Contact, PeerExchange, decode_pex, encode_pex

ipv4 = st.builds(Address, st.ip_addresses(v=4).map(str), ports)
ipv6 = st.builds(Address, st.ip_addresses(v=6).map(str), ports)
flags = st.integers(0, 255)


def some(addresses: st.SearchStrategy[Address]) -> st.SearchStrategy[list[Address]]:
    return st.lists(addresses, max_size=5, unique=True)


def contacts(addresses: st.SearchStrategy[Address]) -> st.SearchStrategy[tuple[Contact, ...]]:
    return some(addresses).flatmap(lambda found: st.tuples(*[st.builds(Contact, st.just(one), flags) for one in found]))


def joined(left: st.SearchStrategy[Any], right: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """IPv4 comes before IPv6, as in a message."""
    return st.tuples(left, right).map(lambda pair: (*pair[0], *pair[1]))


messages = st.builds(PeerExchange, joined(contacts(ipv4), contacts(ipv6)), joined(some(ipv4), some(ipv6)))


@given(messages)
def test_round_trip(message: PeerExchange):
    assert decode_pex(encode_pex(message)) == message


def test_the_bytes():
    added = Contact(Address("192.0.2.1", 6881), SEED | OUTGOING), Contact(Address("2001:db8::1", 80))
    message = PeerExchange(added, (Address("192.0.2.2", 1),))
    assert encode_pex(message) == (
        b"d5:added6:\xc0\x00\x02\x01\x1a\xe17:added.f1:\x12"
        b"6:added618: \x01\r\xb8" + bytes(11) + b"\x01\x00P8:added6.f1:\x00"
        b"7:dropped6:\xc0\x00\x02\x02\x00\x018:dropped60:e"
    )


def test_each_has_its_own_flags_though_one_has_no_port():
    first, second = b"\xc0\x00\x02\x01\x00\x00", b"\xc0\x00\x02\x02\x00\x01"
    message = decode_pex(encode({b"added": first + second, b"added.f": b"\x01\x02"}))
    assert message == PeerExchange((Contact(Address("192.0.2.2", 1), 2),))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"added": 5, b"added.f": 6, b"dropped": []},
        {b"added": b"torn", b"added6": b"also torn", b"dropped": b"torn"},
        {b"added.f": b"of nobody"},
    ],
)
def test_what_is_odd_counts_as_absent(fields):
    assert decode_pex(encode(fields)) == PeerExchange()


def test_flags_may_be_missing():
    message = decode_pex(encode({b"added": b"\xc0\x00\x02\x01\x00\x01", b"added.f": 1}))
    assert message == PeerExchange((Contact(Address("192.0.2.1", 1)),))


def test_who_names_thousands_is_heard_of_fifty():
    four, six = b"\xc0\x00\x02\x01\x00\x01", bytes(15) + b"\x01\x00\x01"
    thousands: Value = {b"added": four * 2000, b"added6": six * 1000, b"dropped": four * 2000}
    message = decode_pex(encode(thousands))
    assert message is not None
    assert (len(message.added), len(message.dropped)) == (2 * MOST_CONTACTS, MOST_CONTACTS)


@pytest.mark.parametrize("payload", [b"", b"le", b"i1e", b"d", b"d5:added", encode({b"added": bytes(70_000)})])
def test_what_cannot_be_read_is_none(payload: bytes):
    assert decode_pex(payload) is None


def test_a_name_cannot_be_told():
    with pytest.raises(ValueError, match=r"peer\.example"):
        encode_pex(PeerExchange((Contact(Address("peer.example", 1)),)))


@given(st.binary(max_size=100))
def test_garbage_is_harmless(payload: bytes):
    decode_pex(payload)
