"""Datagrams into messages and back (BEP 5, KRPC)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies_dht as dht_st
from tests.strategies import values
from trio_torrent.bencode import Value, encode
from trio_torrent.dht.endpoint import Family
from trio_torrent.dht.krpc import (
    MAX_DATAGRAM,
    MAX_TRANSACTION,
    METHOD_UNKNOWN,
    PROTOCOL_ERROR,
    KrpcError,
    decode,
    encode_failure,
    encode_query,
    encode_reply,
)
from trio_torrent.dht.messages import (
    AnnouncePeer,
    Contact,
    Failure,
    FindNode,
    Get,
    GetPeers,
    Item,
    Message,
    Ping,
    Put,
    Query,
    Reply,
    SampleInfohashes,
)

A, B = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"

EXAMPLES: list[tuple[bytes, Message]] = [  # BEP 5's own
    (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", Query(b"aa", A, Ping())),
    (b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re", Reply(transaction=b"aa", id=B)),
    (
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        Query(b"aa", A, FindNode(B)),
    ),
    (
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        Query(b"aa", A, GetPeers(B)),
    ),
    (
        b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        Reply(transaction=b"aa", id=A, token=b"aoeusnth", values=(b"axje.u", b"idhtnm")),
    ),
    (
        b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e"
        b"5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        Query(b"aa", A, AnnouncePeer(B, 0, b"aoeusnth", implied_port=True)),
    ),
    (b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee", Failure(b"aa", 201, "A Generic Error Ocurred")),
]


def said(method: bytes, **fields: Value) -> bytes:
    arguments: dict[bytes, Value] = {b"id": A} | {name.encode(): value for name, value in fields.items()}
    return encode({b"y": b"q", b"t": b"aa", b"q": method, b"a": arguments})


def asked(method: bytes, **fields: Value) -> object:
    message = decode(said(method, **fields))
    assert isinstance(message, Query)
    return message.ask


def reply(**fields: Value) -> Reply:
    r = {name.encode(): value for name, value in {"id": A, **fields}.items()}
    message = decode(encode({b"y": b"r", b"t": b"aa", b"r": r}))
    assert isinstance(message, Reply)
    return message


@pytest.mark.parametrize(("data", "message"), EXAMPLES)
def test_examples(data: bytes, message: Message):
    assert decode(data) == message


@pytest.mark.slow
@given(dht_st.queries)
def test_queries_round_trip(query: Query):
    assert decode(encode_query(query)) == query


@pytest.mark.slow
@given(dht_st.replies())
def test_replies_round_trip(message: Reply):
    data = encode_reply(message)
    if len(data) <= MAX_DATAGRAM:
        assert decode(data) == message


@given(dht_st.failures)
def test_failures_round_trip(failure: Failure):
    assert decode(encode_failure(failure)) == failure


@pytest.mark.slow
@given(dht_st.queries.map(encode_query) | dht_st.replies().map(encode_reply), st.data())
def test_a_torn_datagram_is_refused(data: bytes, draw: st.DataObject):
    torn = data[: draw.draw(st.integers(0, len(data) - 1))]
    with pytest.raises(KrpcError):
        decode(torn)


@pytest.mark.slow
@given(st.binary(max_size=200) | values().map(encode))
def test_garbage_gives_a_message_or_the_error(data: bytes):
    with contextlib.suppress(KrpcError):
        decode(data)


@pytest.mark.slow
@given(st.sampled_from([b"q", b"r", b"e"]), st.dictionaries(st.sampled_from([b"a", b"r", b"e", b"q", b"ip"]), values()))
def test_the_right_keys_with_anything_in_them(kind: bytes, fields: dict[bytes, Value]):
    with contextlib.suppress(KrpcError):
        decode(encode({b"y": kind, b"t": b"aa", **fields}))


@pytest.mark.parametrize(
    "top",
    [
        [],
        1,
        {},
        {b"y": b"q"},
        {b"y": b"q", b"t": 1},
        {b"y": b"q", b"t": b"a" * (MAX_TRANSACTION + 1)},
        {b"y": b"x", b"t": b"aa"},
        {b"y": [], b"t": b"aa"},
        {b"y": {}, b"t": b"aa"},
        {b"y": b"r", b"t": b"aa"},
        {b"y": b"r", b"t": b"aa", b"r": {b"id": b"short"}},
        {b"y": b"r", b"t": b"aa", b"r": []},
    ],
)
def test_no_message(top: Value):
    with pytest.raises(KrpcError) as error:
        decode(encode(top))
    assert error.value.transaction is None


def test_too_long():
    with pytest.raises(KrpcError, match="1501 bytes"):
        decode(said(b"ping", x=bytes(MAX_DATAGRAM + 1 - len(said(b"ping", x=b"")) - 3)))


@pytest.mark.parametrize(
    "data",
    [
        said(b"ping", id=b"short"),
        encode({b"y": b"q", b"t": b"aa", b"q": b"ping", b"a": {}}),
        said(b"find_node"),
        said(b"find_node", target=B + b"x"),
        said(b"get_peers", info_hash=7),
        said(b"announce_peer", info_hash=B, token=b"t"),
        said(b"announce_peer", info_hash=B, token=b"t", port=0),
        said(b"announce_peer", info_hash=B, token=b"t", port=65536),
        said(b"announce_peer", info_hash=B, token=b"t", port=-1),
        said(b"announce_peer", info_hash=B, port=1),
        said(b"get", target=B, seq=-1),
        said(b"get", target=B, seq=1 << 63),
        said(b"put", token=b"t"),
        said(b"put", v=1),
        said(b"put", v=1, token=b"t", k=bytes(31), sig=bytes(64), seq=1),
        said(b"put", v=1, token=b"t", k=bytes(32), sig=bytes(63), seq=1),
        said(b"put", v=1, token=b"t", k=bytes(32), sig=bytes(64)),
        said(b"put", v=1, token=b"t", k=bytes(32), sig=bytes(64), seq=1, salt=1),
        encode({b"y": b"q", b"t": b"aa", b"q": b"ping", b"a": 1}),
        encode({b"y": b"q", b"t": b"aa", b"q": [], b"a": {b"id": A}}),
    ],
)
def test_a_bad_query_can_be_answered(data: bytes):
    with pytest.raises(KrpcError) as error:
        decode(data)
    assert (error.value.code, error.value.transaction) == (PROTOCOL_ERROR, b"aa")


def test_an_unknown_method():
    with pytest.raises(KrpcError) as error:
        decode(said(b"dance"))
    assert (error.value.code, error.value.transaction) == (METHOD_UNKNOWN, b"aa")


def test_an_unknown_method_that_leads_somewhere_is_a_search_for_nodes():
    assert asked(b"dance", target=B) == FindNode(B)
    assert asked(b"dance", info_hash=B, want=[b"n6"]) == FindNode(B, frozenset({Family.IPV6}))


def test_what_is_wanted():
    assert asked(b"find_node", target=B, want=[b"n4", b"n6", b"n8", 3]) == FindNode(B, frozenset(Family))
    assert asked(b"get_peers", info_hash=B, want=b"n4") == GetPeers(B)
    assert asked(b"sample_infohashes", target=B, want=[b"n4"]) == SampleInfohashes(B, frozenset({Family.IPV4}))


def test_an_implied_port_needs_no_port():
    assert asked(b"announce_peer", info_hash=B, token=b"t", implied_port=1, port=1 << 80) == AnnouncePeer(
        B, 0, b"t", implied_port=True
    )


def test_read_only():
    message = decode(encode({b"y": b"q", b"t": b"aa", b"q": b"ping", b"ro": 1, b"a": {b"id": A}}))
    assert message == Query(b"aa", A, Ping(), read_only=True)


def test_a_get_with_a_number():
    assert asked(b"get", target=B, seq=0) == Get(B, 0)


def test_what_is_wrong_in_a_reply_is_left_out():
    assert reply(
        nodes=1, nodes6=[], values=b"axje.u", token=5, BFsd=b"x", BFpe=b"y", samples=7, interval=-1, num=b"", v=1, k=b""
    ) == Reply(transaction=b"aa", id=A)


def test_mixed_values():
    assert reply(values=[b"axje.u", bytes(18), b"short", 5]).values == (b"axje.u", bytes(18))


def test_torn_samples():
    assert reply(samples=A + B + b"torn").samples == (A, B)
    assert reply(samples=b"").samples == ()


def test_nodes_of_both_families():
    message = reply(nodes=A + bytes(6) + B + b"torn!", nodes6=B + bytes(18))
    assert message.contacts(Family.IPV4) == [Contact(A, bytes(6))]
    assert message.contacts(Family.IPV6) == [Contact(B, bytes(18))]


def test_a_value_is_kept_as_it_came():
    """Not as it would be written again: here the keys are not in order."""
    data = b"d1:ad2:id20:%b5:token1:t1:vd1:bi1e1:ai2eee1:q3:put1:t2:aa1:y1:qe" % A
    message = decode(data)
    assert message == Query(b"aa", A, Put(Item(b"d1:bi1e1:ai2ee"), b"t"))
    answer = decode(b"d1:rd2:id20:%b1:vd1:bi1e1:ai2eee1:t2:aa1:y1:re" % A)
    assert answer == Reply(transaction=b"aa", id=A, item=Item(b"d1:bi1e1:ai2ee"))


def test_an_error_without_its_list():
    assert decode(b"d1:ei5e1:t2:aa1:y1:ee") == Failure(b"aa", 201, "")
    assert decode(b"d1:eli203e3:\xff\xfe\xfde1:t2:aa1:y1:ee") == Failure(b"aa", 203, "\ufffd" * 3)


def test_versions_are_sent_by_those_who_ask():
    assert b"1:v4:TT" in encode_query(Query(b"aa", A, Ping()))
    assert b"1:v4:" not in encode_reply(Reply(transaction=b"aa", id=A))
