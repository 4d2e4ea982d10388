"""What others are answered, and how much of it."""

from __future__ import annotations

from random import Random

import attrs
import pytest

from trio_torrent.dht import items
from trio_torrent.dht.endpoint import Endpoint, Family, with_port
from trio_torrent.dht.items import target_of
from trio_torrent.dht.krpc import KrpcError, encode_reply
from trio_torrent.dht.messages import (
    AnnouncePeer,
    Ask,
    FindNode,
    Get,
    GetPeers,
    Item,
    Ping,
    Put,
    Query,
    Reply,
    SampleInfohashes,
)
from trio_torrent.dht.serving import MAX_ANSWER, MAX_ITEM_ANSWER, Serving

OURS, THEIRS, TORRENT = b"o" * 20, b"t" * 20, b"h" * 20
V4, V6 = b"\x08\x08\x08\x08\x1a\xe1", bytes(range(0x20, 0x30)) + b"\x1a\xe1"


def many_nodes(family: Family, target: bytes, most: int, now: float) -> bytes:
    return b"".join(target[:-1] + bytes([n]) + bytes(family) for n in range(most))


def serving(family: Family = Family.IPV4) -> Serving:
    return Serving(family, OURS, many_nodes, lambda key, signature, data: True, random=Random(1), now=0)


def ask(
    one: Serving, ask: Ask, *, sender: Endpoint = V4, room: int = MAX_ANSWER, now: float = 0, transaction: bytes = b"aa"
) -> Reply:
    reply = one.answer(Query(transaction, THEIRS, ask), sender, room, now)
    assert len(encode_reply(reply)) <= room
    return reply


def token(one: Serving, target: bytes, *, sender: Endpoint = V4, now: float = 0) -> bytes:
    found = ask(one, GetPeers(target), sender=sender, now=now).token
    assert found is not None
    return found


def with_peers(count: int, family: Family = Family.IPV4) -> Serving:
    one = serving(family)
    for number in range(count):
        endpoint = number.to_bytes(family - 2, "big") + b"\1\1"
        one.peers.announced(TORRENT, endpoint, number % 2 == 0, 0)
    return one


def big_item(size: int = 996) -> Item:
    return Item(items.immutable(bytes(size)).raw, b"k" * 32, 1 << 62, b"s" * 64)


# -- questions --------------------------------------------------------------------------------------------------------


def test_ping():
    assert ask(serving(), Ping()) == Reply(transaction=b"aa", id=OURS, ours=V4)


@pytest.mark.parametrize("family", Family)
def test_nodes_of_the_own_family(family: Family):
    sender = V4 if family is Family.IPV4 else V6
    reply = ask(serving(family), FindNode(TORRENT), sender=sender)
    assert (len(reply.contacts(family)), len(reply.contacts(family.other))) == (8, 0)


def test_nodes_as_wanted():
    assert ask(serving(), FindNode(TORRENT, frozenset({Family.IPV6}))).nodes == b""
    both = ask(serving(), FindNode(TORRENT, frozenset(Family)))
    assert (len(both.contacts(Family.IPV4)), len(both.contacts(Family.IPV6))) == (8, 8)


@pytest.mark.parametrize("family", Family)
def test_peers_and_nodes_and_a_token(family: Family):
    reply = ask(with_peers(3, family), GetPeers(TORRENT), sender=V4 if family is Family.IPV4 else V6)
    assert (len(reply.values), len(reply.contacts(family))) == (3, 8)
    assert reply.token


def test_a_large_swarm_fills_the_datagram_and_no_more():
    reply = ask(with_peers(500), GetPeers(TORRENT))
    assert len(reply.values) > 80
    assert len(reply.contacts(Family.IPV4)) == 8
    assert MAX_ANSWER - 40 < len(encode_reply(reply)) <= MAX_ANSWER


def test_a_little_room_is_shared_by_peers_and_nodes():
    reply = ask(with_peers(500), GetPeers(TORRENT), room=3 * 95)
    assert len(reply.values) >= 9
    assert len(reply.contacts(Family.IPV4)) >= 3


def test_no_seeds_for_seeds():
    reply = ask(with_peers(10), GetPeers(TORRENT, noseed=True))
    assert {value[3] % 2 for value in reply.values} == {1}


def test_a_scrape():
    reply = ask(with_peers(10), GetPeers(TORRENT, scrape=True))
    assert reply.seeds is not None
    assert reply.peers is not None
    assert reply.values
    assert ask(serving(), GetPeers(TORRENT, scrape=True)).seeds is None


def test_samples():
    assert ask(serving(), SampleInfohashes(TORRENT)).samples == ()
    reply = ask(with_peers(1), SampleInfohashes(TORRENT))
    assert (reply.samples, reply.num) == ((TORRENT,), 1)
    assert reply.interval
    assert len(reply.contacts(Family.IPV4)) == 8


# -- announces and items -----------------------------------------------------------------------------------------------


def test_an_announce():
    one = serving()
    ask(one, AnnouncePeer(TORRENT, 7000, token(one, TORRENT)))
    assert list(ask(one, GetPeers(TORRENT)).values) == [with_port(V4, 7000)]
    ask(one, AnnouncePeer(TORRENT, 0, token(one, TORRENT), implied_port=True))
    assert list(ask(one, GetPeers(TORRENT)).values) == [V4]


def test_a_token_of_another():
    one = serving()
    for bad in (b"", token(one, OURS), token(one, TORRENT, sender=b"\x08\x08\x08\x09\1\1")):
        with pytest.raises(KrpcError, match="token"):
            ask(one, AnnouncePeer(TORRENT, 7000, bad))
    with pytest.raises(KrpcError, match="token"):
        ask(one, AnnouncePeer(TORRENT, 7000, token(one, TORRENT)), now=601)
    assert not one.peers.torrents


def test_a_token_goes_with_the_address_and_not_with_the_port():
    one = serving()
    ask(one, AnnouncePeer(TORRENT, 7000, token(one, TORRENT)), sender=with_port(V4, 9))
    assert one.peers.torrents == 1


def test_an_item_is_stored_and_given():
    one, item = serving(), big_item()
    ask(one, Put(item, token(one, target_of(item))))
    reply = ask(one, Get(target_of(item)), room=MAX_ITEM_ANSWER)
    assert reply.item == item
    assert reply.token
    assert reply.nodes
    with pytest.raises(KrpcError, match="token"):
        ask(one, Put(item, token(one, TORRENT)))


def test_a_value_that_is_known_is_spared():
    one, item = serving(), attrs.evolve(big_item(), seq=5)
    ask(one, Put(item, token(one, target_of(item))))
    numbers = {seq: ask(one, Get(target_of(item), seq), room=MAX_ITEM_ANSWER).item for seq in (4, 5, 6)}
    assert numbers == {4: item, 5: None, 6: None}


def test_out_of_date():
    one, item = with_peers(1), big_item()
    ask(one, Put(item, token(one, target_of(item))))
    one.expire(1e6)
    assert (one.peers.torrents, len(one.items)) == (0, 0)


# -- room --------------------------------------------------------------------------------------------------------------

ASKS: list[Ask] = [
    Ping(),
    FindNode(TORRENT),
    FindNode(TORRENT, frozenset(Family)),
    GetPeers(TORRENT),
    GetPeers(TORRENT, frozenset(Family), scrape=True),
    Get(target_of(big_item())),
    SampleInfohashes(TORRENT, frozenset(Family)),
]


@pytest.mark.parametrize("asked", ASKS)
@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("transaction", [b"", b"aa", b"t" * 32])
def test_whatever_the_room_it_is_kept_to(asked: Ask, family: Family, transaction: bytes):
    """`ask` measures each."""
    one = with_peers(500, family)
    one.items.put(big_item(), None, 0)
    for number in range(2000):
        one.peers.announced(number.to_bytes(20, "big"), bytes(range(family)), False, 0)
    least = len(encode_reply(one.answer(Query(transaction, THEIRS, asked), bytes(range(1, family + 1)), 0, 0)))
    for room in range(least, MAX_ITEM_ANSWER, 7):
        ask(one, asked, sender=bytes(range(1, family + 1)), room=room, transaction=transaction)


def test_what_is_worth_a_proof():
    one = with_peers(5)
    one.items.put(big_item(), None, 0)
    small = items.immutable(b"small")
    one.items.put(small, None, 0)
    worth = {
        asked: one.is_too_much(Query(b"aa", THEIRS, asked), 290)
        for asked in [*ASKS, Get(target_of(small)), GetPeers(OURS, scrape=True)]
    }
    assert {asked for asked, is_worth in worth.items() if is_worth} == {ASKS[4], ASKS[5]}
    assert not one.is_too_much(Query(b"aa", THEIRS, ASKS[5]), MAX_ITEM_ANSWER)
