"""A node among datagrams: what it answers, whom it believes, what it keeps."""

from __future__ import annotations

from random import Random

import pytest

from tests.dht.network import Network
from trio_torrent.dht import items
from trio_torrent.dht.endpoint import Endpoint, Family, ip_of
from trio_torrent.dht.krpc import (
    METHOD_UNKNOWN,
    PROTOCOL_ERROR,
    decode,
    encode_failure,
    encode_query,
    encode_reply,
)
from trio_torrent.dht.limits import ANSWER_DEPTH, IGNORED
from trio_torrent.dht.messages import (
    Ask,
    Contact,
    Failure,
    FindNode,
    Get,
    GetPeers,
    Item,
    Message,
    Ping,
    Query,
    Reply,
)
from trio_torrent.dht.node import MAX_HELD, MAX_UNDER_WAY, Node
from trio_torrent.dht.node_id import QUORUM, id_for, random_id, suits
from trio_torrent.dht.options import Options
from trio_torrent.dht.patience import FIRST_LATE, MAX_GIVE_UP
from trio_torrent.dht.searches import PeerSearch, Search
from trio_torrent.dht.serving import AMPLIFICATION
from trio_torrent.dht.table import FRESH
from trio_torrent.dht.upkeep import FIRST_RETRY, MAX_TICK, TICK

TORRENT = b"h" * 20


def at(number: int) -> Endpoint:
    return bytes([20 + number // 256, number % 256, 7, 9, 26, 225])


def contact(number: int) -> Contact:
    return Contact(id_for(ip_of(at(number)), Random(number)), at(number))


def make(options: Options | None = None, family: Family = Family.IPV4) -> Node:
    return Node(family, random=Random(1), now=0, options=options, verify=lambda key, signature, data: True)


def said(node: Node) -> list[tuple[Message, Endpoint]]:
    return [(decode(data), to) for data, to in node.datagrams()]


def ask(node: Node, asked: Ask, *, sender: Contact | None = None, now: float = 0, read_only: bool = False) -> None:
    sender = sender or contact(1)
    node.receive(encode_query(Query(b"aa", sender.id, asked, read_only)), sender.endpoint, now)


def answer_all(node: Node, now: float = 0, *, ours: Endpoint | None = None, token: bytes | None = None) -> int:
    """Everybody whom it asks answers; how many that were."""
    queries = [(message, to) for message, to in said(node) if isinstance(message, Query)]
    for query, to in queries:
        number = (to[0] - 20) * 256 + to[1]
        reply = Reply(transaction=query.transaction, id=contact(number).id, ours=ours, token=token)
        node.receive(encode_reply(reply), to, now)
    return len(queries)


def know(node: Node, numbers: range, now: float = 0) -> None:
    """Have it meet these."""
    for number in numbers:
        node.add_endpoint(at(number), now)
    answer_all(node, now)


def pass_time(
    node: Node, start: float, seconds: float, *, answering: bool = True, silent: Endpoint = b""
) -> list[Query]:
    """Wake it whenever it wants; what it has asked meanwhile."""
    asked = []
    while node.deadline <= start + seconds:
        now = max(start, node.deadline)
        node.wake(now)
        for message, to in said(node):
            assert isinstance(message, Query)
            asked.append(message)
            if answering and to != silent:
                number = (to[0] - 20) * 256 + to[1]
                node.receive(encode_reply(Reply(transaction=message.transaction, id=contact(number).id)), to, now)
    return asked


# -- being asked -------------------------------------------------------------------------------------------------------


def test_it_answers():
    node = make()
    ask(node, Ping())
    assert said(node) == [(Reply(transaction=b"aa", id=node.id, ours=at(1)), at(1))]
    assert node.datagrams() == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"d1:ad2:id20:abcdefghij0123456789e1:q5:dance1:t2:aa1:y1:qe", METHOD_UNKNOWN),
        (b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe", PROTOCOL_ERROR),
    ],
)
def test_what_it_declines(data: bytes, code: int):
    node = make()
    node.receive(data, at(1), 0)
    ((failure, to),) = said(node)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transaction, to) == (code, b"aa", at(1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"d",
        b"garbage",
        b"d1:q4:ping1:t2:aa1:y1:qe",  # an error would be longer than thrice that, with a longer text
        encode_reply(Reply(transaction=b"aa", id=contact(1).id)),
        encode_failure(Failure(b"aa", 201, "no")),
    ],
)
def test_what_it_keeps_silent_about(data: bytes):
    node = make()
    node.receive(data, at(1), 0)
    assert sum(len(answer) for answer, _ in node.datagrams()) <= AMPLIFICATION * len(data)
    assert node.counters.dropped == 1


@pytest.mark.parametrize("sender", [b"\x08\x08\x08\x08\0\0", bytes(18), b""])
def test_senders_that_cannot_be(sender: Endpoint):
    node = make()
    ask(node, Ping(), sender=Contact(bytes(20), sender))
    assert node.datagrams() == []


def test_ourselves():
    node = make()
    ask(node, Ping(), sender=Contact(node.id, at(1)))
    assert node.datagrams() == []


def test_a_flood_is_ignored_for_a_while():
    node = make()
    for _ in range(60):
        ask(node, Ping())
    assert len(node.datagrams()) == 50
    ask(node, Ping(), now=20)
    assert node.datagrams() == []
    ask(node, Ping(), sender=contact(2), now=20)
    ask(node, Ping(), now=IGNORED + 1)
    assert len(node.datagrams()) == 2


def test_answers_keep_to_their_rate():
    """A flood from all over the world; ours is 8 kB/s at most."""
    node, sent = make(), 0
    for number in range(20_000):
        endpoint = b"\x30" + number.to_bytes(3, "big") + b"\1\1"
        ask(node, GetPeers(TORRENT), sender=Contact(bytes(20), endpoint), now=number / 1000)
        sent += sum(len(data) for data, _ in node.datagrams())
    assert 8000 * 20 < sent < 8000 * (20 + ANSWER_DEPTH) + 1000


def test_a_stranger_gets_thrice_what_he_sends():
    node = make()
    know(node, range(100, 140))
    for number in range(200):
        node.serving.peers.announced(TORRENT, at(number), False, 0)
    query = encode_query(Query(b"aa", contact(1).id, GetPeers(TORRENT)))
    node.receive(query, at(1), 0)
    ((reply, _),) = node.datagrams()
    assert 2 * len(query) < len(reply) <= AMPLIFICATION * len(query)


def test_who_has_answered_us_gets_more():
    node = make()
    know(node, range(1, 3))
    for number in range(200):
        node.serving.peers.announced(TORRENT, at(number), False, 0)
    ask(node, GetPeers(TORRENT))
    ((reply, _),) = node.datagrams()
    assert len(reply) > 800


def big_item() -> Item:
    return items.immutable(bytes(900))


def held_get(node: Node) -> Query:
    """A stranger asks for a large item, and is pinged first."""
    node.serving.items.put(big_item(), None, 0)
    ask(node, Get(items.target_of(big_item())))
    ((ping, to),) = said(node)
    assert isinstance(ping, Query)
    assert (ping.ask, to) == (Ping(), at(1))
    return ping


def test_a_large_item_is_for_those_who_prove_their_address():
    node = make()
    ping = held_get(node)
    node.receive(encode_reply(Reply(transaction=ping.transaction, id=contact(1).id)), at(1), 0.1)
    ((reply, to),) = said(node)
    assert isinstance(reply, Reply)
    assert (reply.transaction, reply.item, to) == (b"aa", big_item(), at(1))


def test_who_does_not_prove_it_gets_nothing():
    node = make()
    held_get(node)
    pass_time(node, 0, 20, answering=False)
    assert node._held == 0
    assert node.counters.answers_out == 0


def test_so_many_are_held_at_once():
    node = make(Options(answer_rate=1e9))
    held_get(node)
    for number in range(2, 200):
        ask(node, Get(items.target_of(big_item())), sender=contact(number))
    asked = [message for message, _ in said(node)]
    assert sum(isinstance(message, Query) for message in asked) == MAX_HELD - 1


def test_read_only_ones_are_not_pinged():
    """BEP 43: they would not answer."""
    node = make()
    node.serving.items.put(big_item(), None, 0)
    ask(node, Get(items.target_of(big_item())), read_only=True)
    ((reply, _),) = said(node)
    assert isinstance(reply, Reply)
    assert reply.item is None
    assert not node.table.spares


def test_being_read_only():
    node = make(Options(read_only=True))
    ask(node, Ping())
    node.receive(b"d1:ad2:id20:abcdefghij0123456789e1:q5:dance1:t2:aa1:y1:qe", at(1), 0)
    assert node.datagrams() == []
    node.add_endpoint(at(1), 0)
    ((query, _),) = said(node)
    assert isinstance(query, Query)
    assert query.read_only


# -- the table ---------------------------------------------------------------------------------------------------------


def test_who_asks_is_pinged_and_then_known():
    node = make()
    ask(node, Ping(), now=0)
    assert len(node.table) == 0
    node.datagrams()
    pass_time(node, 0, 3 * TICK)
    assert [entry.contact for entry in node.table.entries] == [contact(1)]


def test_an_answer_from_elsewhere_counts_for_nothing():
    node = make()
    node.add_endpoint(at(1), 0)
    ((query, _),) = said(node)
    reply = encode_reply(Reply(transaction=query.transaction, id=contact(2).id))
    node.receive(reply, at(2), 0)
    assert len(node.table) == 0
    node.receive(encode_reply(Reply(transaction=query.transaction, id=contact(1).id)), at(1), 0)
    assert len(node.table) == 1
    assert node.counters.dropped == 1


def test_who_does_not_answer_is_forgotten_while_others_do():
    node = make()
    know(node, range(1, 12))
    pass_time(node, 0, 3600, silent=at(1))
    assert node.table.placed(at(1)) is None
    assert len(node.table) == 10


def test_when_nobody_answers_the_line_is_down_and_nobody_is_forgotten():
    node = make()
    know(node, range(1, 40))
    known = len(node.table)
    assert known > 30
    pass_time(node, 0, 6 * 3600, answering=False)
    assert len(node.table) == known
    pass_time(node, 6 * 3600, FRESH)
    assert node.table.good(6 * 3600 + FRESH) == known


def test_the_table_stays_good_at_little_cost():
    node = make()
    know(node, range(1, 60))
    pass_time(node, 0, 600)  # what there is to do after meeting them
    asked = pass_time(node, 600, 3600)
    assert node.table.good(4200) == len(node.table)
    assert len(asked) < 3 * len(node.table) * 3600 / 800


def test_it_joins_through_routers_and_tries_again():
    node = make()
    node.add_routers([at(1), at(2), b"\x7f\0\0\1\1\1", bytes(18)], 0)
    assert {to for _, to in said(node)} == {at(1), at(2)}
    asked = pass_time(node, 0, 3600, answering=False)
    assert 6 <= len(asked) <= 2 * 3600 / FIRST_RETRY
    assert all(isinstance(query.ask, FindNode) for query in asked)


def test_alone_it_sleeps():
    node = make()
    wakings = 0
    while node.deadline < 3600:
        node.wake(node.deadline)
        wakings += 1
    assert wakings <= 3600 / MAX_TICK + 20


def test_an_endpoint_is_pinged_unless_known_or_bogus():
    node = make()
    for endpoint in (b"\x7f\0\0\1\1\1", b"\x08\x08\x08\x08\0\0", bytes(18)):
        node.add_endpoint(endpoint, 0)
    assert not node.datagrams()
    know(node, range(1, 2))
    node.add_endpoint(at(1), 0)
    assert not node.datagrams()


def test_queries_under_way_are_limited():
    node = make()
    for number in range(3 * MAX_UNDER_WAY):
        node.add_endpoint(b"\x30" + number.to_bytes(3, "big") + b"\1\1", 0)
    assert len(node.datagrams()) == MAX_UNDER_WAY
    pass_time(node, 0, 2 * MAX_GIVE_UP, answering=False)
    assert not node._asked
    assert len(node._timers) < 10


def test_it_learns_its_address_and_takes_an_id_that_suits_it():
    node = make()
    know(node, range(1, 20))
    before, ours = node.id, b"\x08\x09\x0a\x0b\x1a\xe1"
    for number in range(100, 100 + QUORUM):
        node.add_endpoint(at(number), 0)
    answer_all(node, ours=ours)
    assert node.external == ip_of(ours)
    assert node.id != before
    assert suits(node.id, ip_of(ours))
    assert len(node.table) > 20
    ask(node, Ping())
    assert [message.id for message, to in said(node) if isinstance(message, Reply)] == [node.id]


def test_a_few_liars_do_not_move_it():
    node = make()
    before = node.id
    for number in range(100, 100 + QUORUM - 1):
        node.add_endpoint(at(number), 0)
    answer_all(node, ours=b"\x08\x09\x0a\x0b\x1a\xe1")
    assert (node.id, node.external) == (before, None)


# -- searching ---------------------------------------------------------------------------------------------------------


def test_a_search_with_nobody_to_ask_is_over_at_once():
    node, search = make(), Search(TORRENT)
    node.begin(search, 0)
    assert search.done
    assert node.news() == [search]
    assert node.news() == []


def test_a_search_and_what_it_writes():
    node, search = make(), PeerSearch(TORRENT, announce=7000)
    know(node, range(1, 5))
    node.begin(search, 0)
    assert answer_all(node, token=b"t") == 4
    writes = said(node)
    assert {to for _, to in writes} == {at(n) for n in range(1, 5)}
    for number, (query, to) in enumerate(writes):
        if number == 0:
            node.receive(encode_failure(Failure(query.transaction, 203, "no")), to, 0)
        else:
            node.receive(encode_reply(Reply(transaction=query.transaction, id=contact(to[1]).id)), to, 0)
    assert (search.done, search.asked, search.answered, search.written) == (True, 4, 4, 3)
    assert [failure.text for failure in search.refused] == ["no"]


def test_without_tokens_nothing_is_written():
    node, search = make(), PeerSearch(TORRENT, announce=7000)
    know(node, range(1, 5))
    node.begin(search, 0)
    answer_all(node)
    assert search.done
    assert not node.datagrams()


def test_the_lost_are_given_up():
    node, search = make(), PeerSearch(TORRENT, announce=7000)
    know(node, range(1, 5))
    node.begin(search, 0)
    node.datagrams()
    pass_time(node, 0, 20, answering=False)
    assert search.done
    assert (search.asked, search.answered) == (4, 0)
    assert node.counters.timeouts >= 4


def test_errors_do_not_end_it():
    node, search = make(), Search(TORRENT)
    know(node, range(1, 5))
    node.begin(search, 0)
    for query, to in said(node):
        node.receive(encode_failure(Failure(query.transaction, 202, "busy")), to, 0)
    assert search.done
    assert search.answered == 0


def test_an_abandoned_search_says_nothing_more():
    node, search = make(), PeerSearch(TORRENT)
    know(node, range(1, 5))
    node.begin(search, 0)
    node.abandon(search)
    answer_all(node)
    assert search.done
    assert node.news() == []
    assert not len(node._walking)


def test_the_late_make_way():
    node, search = make(), PeerSearch(TORRENT)
    know(node, range(1, 30))
    node.begin(search, 0)
    first = {to for _, to in said(node)}
    node.wake(FIRST_LATE)
    second = {to for message, to in said(node) if isinstance(message, Query) and isinstance(message.ask, GetPeers)}
    assert len(first) == len(second) == 5
    assert not first & second


# -- siblings ----------------------------------------------------------------------------------------------------------


def siblings() -> tuple[Node, Node]:
    one, other = make(), make(family=Family.IPV6)
    one.sibling, other.sibling = other, one
    return one, other


def test_a_node_in_need_is_helped_by_its_sibling():
    v4, v6 = siblings()
    v4.add_routers([at(1)], 0)
    ((query, to),) = said(v4)
    assert isinstance(query, Query)
    assert query.ask == FindNode(v4.id, frozenset(Family))
    network = Network(1)
    endpoints = [network.new_endpoint(Family.IPV6) for _ in range(8)]
    nodes6 = b"".join(random_id(Random(n)) + endpoint for n, endpoint in enumerate(endpoints))
    v4.receive(encode_reply(Reply(transaction=query.transaction, id=contact(1).id, nodes6=nodes6)), to, 0)
    assert {to for _, to in said(v6)} == set(endpoints)


def test_nodes_of_the_other_family_come_from_the_sibling():
    v4, v6 = siblings()
    network = Network(1)
    for _ in range(8):
        v6.table.replied(Contact(network.random.randbytes(20), network.new_endpoint(Family.IPV6)), 0)
    know(v4, range(1, 20))
    ask(v4, FindNode(TORRENT, frozenset(Family)))
    ((reply, _),) = said(v4)
    assert isinstance(reply, Reply)
    assert (len(reply.contacts(Family.IPV4)), len(reply.contacts(Family.IPV6))) == (8, 8)
