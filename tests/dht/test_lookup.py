"""Whom a lookup asks, and when it is over (BEP 5)."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import attrs
import pytest

from trio_torrent.dht.endpoint import ip_of
from trio_torrent.dht.lookup import ALPHA, MAX_ASKED, MAX_CANDIDATES, MAX_NAMED, WIDE, K, Lookup
from trio_torrent.dht.messages import Contact, Reply
from trio_torrent.dht.node_id import distance, id_for, random_id

TARGET = bytes(20)
OWN = b"\xff" * 20


def somebody(random: Random, *, suits: bool = True) -> Contact:
    ip = bytes([random.randrange(20, 80)]) + random.randbytes(3)
    return Contact(id_for(ip, random) if suits else random_id(random), ip + b"\1\1")


def crowd(count: int, *, seed: int = 1, suits: bool = True) -> list[Contact]:
    """Nearest first."""
    random = Random(seed)
    return sorted((somebody(random, suits=suits) for _ in range(count)), key=lambda c: distance(c.id, TARGET))


def lookup(start: Iterable[Contact]) -> Lookup:
    return Lookup(TARGET, start, own_id=OWN)


def answer(one: Lookup, contact: Contact, named: Iterable[Contact] = (), *, token: bytes | None = b"t") -> bool:
    return one.replied(contact, Reply(transaction=b"", id=contact.id, token=token), named)


def everybody(one: Lookup) -> list[Contact]:
    asked = []
    while (contact := one.next()) is not None:
        asked.append(contact)
    return asked


def exhaust(one: Lookup, named: Iterable[Contact] = ()) -> list[Contact]:
    """Answer all that it asks, one by one."""
    asked = []
    while not one.done:
        contact = one.next()
        assert contact is not None
        asked.append(contact)
        answer(one, contact, named)
    return asked


def test_nobody_to_ask():
    assert lookup([]).done
    assert lookup([]).nearest() == []


def test_the_nearest_are_asked_first_a_few_at_a_time():
    people = crowd(30)
    one = lookup(reversed(people))
    assert everybody(one) == people[:ALPHA]
    assert not one.done
    answer(one, people[3])
    assert everybody(one) == [people[ALPHA]]


def test_it_ends_when_the_nearest_have_answered():
    people = crowd(30)
    one = lookup(people)
    assert exhaust(one) == people[:K]
    assert [node.contact for node in one.nearest()] == people[:K]


def test_nearer_ones_that_are_named_are_asked():
    people = crowd(300)
    one = lookup(people[250:])
    named = iter([people[100:108], people[50:58], people[:8]])
    while not one.done:
        contact = one.next()
        assert contact is not None
        answer(one, contact, next(named, []))
    assert {node.contact for node in one.nearest()} == set(people[:8])


def test_a_late_one_holds_nothing_up():
    people = crowd(30)
    one = lookup(people)
    asked = everybody(one)
    one.late(asked[0])
    assert everybody(one) == [people[ALPHA]]
    for contact in [*asked[1:], people[ALPHA]]:
        answer(one, contact)
    exhaust(one)
    assert asked[0] not in [node.contact for node in one.nearest()]


def test_a_late_one_counts_if_it_answers_after_all():
    people = crowd(30)
    one = lookup(people)
    asked = everybody(one)
    one.late(asked[0])
    assert all(answer(one, contact) for contact in asked)
    exhaust(one)
    assert one.nearest()[0].contact == asked[0]


def test_late_ones_are_waited_for_when_there_is_nobody_else():
    (single,) = crowd(1)
    one = lookup([single])
    assert everybody(one) == [single]
    over = []
    for tell in (one.late, one.failed):
        tell(single)
        over.append(one.done)
    assert over == [False, True]
    assert one.nearest() == []


def test_failures_are_replaced():
    people = crowd(30)
    one = lookup(people)
    for contact in everybody(one):
        one.failed(contact)
    exhaust(one)
    assert [node.contact for node in one.nearest()] == people[ALPHA : ALPHA + K]


def test_who_is_not_what_he_was_said_to_be():
    people = crowd(10)
    one = lookup(people)
    first = one.next()
    assert first is not None
    liar = attrs.evolve(first, id=people[9].id)
    assert not one.replied(first, Reply(transaction=b"", id=liar.id), [])
    exhaust(one)
    assert first not in [node.contact for node in one.nearest()]


def test_answers_that_nobody_asked_for():
    people = crowd(10)
    one = lookup(people)
    stranger, other_port = crowd(1, seed=2)[0], Contact(people[0].id, people[0].endpoint[:4] + b"\2\2")
    everybody(one)
    assert not answer(one, stranger)
    assert not answer(one, other_port)
    assert answer(one, people[0])
    assert not answer(one, people[0])


def test_one_node_for_an_address_and_not_we():
    (single,) = crowd(1)
    twin = Contact(TARGET, single.endpoint[:4] + b"\2\2")
    one = lookup([single, twin, Contact(OWN, b"\x20\1\1\1\1\1"), Contact(TARGET, b"\x7f\0\0\1\1\1")])
    assert exhaust(one) == [single]


def test_local_ones_by_permission():
    local = [Contact(random_id(Random(n)), b"\x7f\0\0\1" + bytes([n + 1, 1])) for n in range(5)]
    one = Lookup(TARGET, local, own_id=OWN, allow_local=True)
    assert set(everybody(one)) == set(local)


def test_routers_are_asked_last_and_may_turn_out_to_be_near():
    people = crowd(20)
    router = Contact(b"", people[0].endpoint)
    one = lookup([router, *people[1:3]])
    assert everybody(one) == [*people[1:3], router]
    answer(one, people[1])
    answer(one, people[2])
    assert one.replied(router, Reply(transaction=b"", id=people[0].id, token=b"r"), [])
    assert one.nearest()[0].contact == people[0]


def test_forged_ids_do_not_hide_those_that_suit():
    """BEP 42: eight forgers around the target are asked, and do not end the lookup."""
    random = Random(5)
    forgers = [Contact(random_id(random, prefix=0, bits=60), somebody(random).endpoint) for _ in range(K)]
    honest = crowd(20)
    one = lookup([*forgers, *honest])
    exhaust(one)
    ended = [node.contact for node in one.nearest()]
    assert set(forgers) <= set(ended)
    assert set(honest[:K]) <= set(ended)


def test_where_nobody_complies_it_ends_all_the_same():
    people = crowd(100, suits=False)
    one = lookup(people)
    assert len(exhaust(one)) == WIDE
    assert [node.contact for node in one.nearest()] == people[:K]


def test_who_invents_ever_nearer_nodes_is_not_followed_for_ever():
    random, depth = Random(1), 0
    one = lookup(crowd(10))
    while not one.done:
        contact = one.next()
        assert contact is not None
        depth += 1
        nearer = [Contact(random_id(random, prefix=0, bits=depth), somebody(random).endpoint) for _ in range(100)]
        answer(one, contact, nearer)
    assert one.asked == MAX_ASKED
    assert len(one._ranked) <= MAX_CANDIDATES
    assert len(one._by_place) == len(one._ranked)


def test_a_reply_names_so_many_at_most():
    one = lookup(crowd(1))
    first = one.next()
    assert first is not None
    answer(one, first, crowd(100, seed=2))
    assert len(one._ranked) == 1 + MAX_NAMED


@pytest.mark.parametrize("seed", range(10))
def test_whatever_happens_it_ends(seed: int):
    random, people = Random(seed), crowd(150, seed=seed)
    one, waiting = lookup(random.sample(people, 8)), []
    for _ in range(10_000):
        if one.done:
            break
        waiting += everybody(one)
        contact = waiting.pop(random.randrange(len(waiting)))
        match random.randrange(4):
            case 0:
                one.late(contact)
                waiting.append(contact)
            case 1:
                one.failed(contact)
            case _:
                answer(one, contact, random.sample(people, 8))
    assert one.done
    assert one.answered == sum(candidate.state.name == "ANSWERED" for candidate in one._ranked)
    assert all(ip_of(node.contact.endpoint) for node in one.nearest())
