"""Whom the routing table keeps (BEP 5)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.dht.endpoint import Endpoint, ip_of, subnet_of
from trio_torrent.dht.messages import Contact
from trio_torrent.dht.node_id import distance, id_for, random_id
from trio_torrent.dht.table import ASK_AGAIN, FRESH, MAX_FAILS, MAX_SPARES, RETRY, SPREAD_BITS, K, Table

OWN = bytes(20)


def at(number: int, port: int = 6881) -> Endpoint:
    """A public address in a subnet of its own."""
    return bytes([20 + number % 60, number // 60 % 256, number // 15360, 9]) + port.to_bytes(2, "big")


def near(random: Random, bits: int) -> bytes:
    """An id whose first `bits` bits are zero, and the next is not."""
    return random_id(random, prefix=1 << (159 - bits), bits=bits + 1)


def node(number: int, *, bits: int = 0) -> Contact:
    return Contact(near(Random(number), bits), at(number))


def table_of(*contacts: Contact, now: float = 0, allow_local: bool = False) -> Table:
    table = Table(OWN, now, allow_local=allow_local)
    for contact in contacts:
        table.replied(contact, now)
    return table


def members(table: Table) -> set[Contact]:
    return {entry.contact for entry in table.entries}


def full(number: int = K) -> list[Contact]:
    """Nodes of one bucket that cannot be split any more."""
    prefix = 0b11111 << 155
    random = Random(1)
    return [Contact(random_id(random, prefix=prefix, bits=5), at(n)) for n in range(number)]


def filled() -> Table:
    """A table in which such a bucket is full, and split as far as it goes."""
    table = table_of(*full())
    random = Random(2)
    for n in range(2000):
        table.replied(Contact(random_id(random), at(100 + n)), 0)
    assert len(table) >= 32 * K
    return table


# -- who is in it ------------------------------------------------------------------------------------------------------


def test_who_answers_is_in():
    assert members(table_of(node(1), node(2))) == {node(1), node(2)}


def test_we_are_not():
    assert not len(table_of(Contact(OWN, at(1))))


@pytest.mark.slow
def test_it_grows_to_what_it_can_hold_and_no_further():
    table, random = Table(OWN, 0), Random(1)
    for number in range(20_000):
        table.replied(Contact(near(random, random.randrange(12)), at(number)), 0)
        table.heard_of(Contact(near(random, random.randrange(12)), at(number + 20_000)))
    assert table.buckets < 32 + 12
    assert len(table) <= table.buckets * K
    assert table.spares <= table.buckets * MAX_SPARES


def test_a_crowd_may_wait_beside_the_only_bucket():
    """Most of them have a place as soon as it is split."""
    table = Table(OWN, 0)
    crowd = [node(number) for number in range(30)]
    assert all(table.heard_of(contact) for contact in crowd)
    while (awaited := table.take_awaited()) is not None:
        table.replied(awaited, 0)
    assert len(table) > 3 * K


def test_what_waits_beside_an_unsplit_bucket_has_a_limit_that_its_halves_keep():
    table = Table(OWN, 0)
    crowd = full(2000)
    for contact in crowd:
        table.heard_of(contact)
    assert table.spares == MAX_SPARES << SPREAD_BITS
    for contact in crowd[: K + 1]:
        table.replied(contact, 0)
    assert table.buckets > SPREAD_BITS
    assert table.spares == MAX_SPARES


def test_all_of_it_is_in_the_buckets_and_the_index():
    table, random = filled(), Random(3)
    for _ in range(3000):
        entry = random.choice(list(table.entries))
        table.failed(entry.contact, 1)
        table.replied(Contact(random_id(random), at(random.randrange(9000))), 1)
    leaves = [entry for leaf in table._leaves for entry in leaf.entries.values()]
    assert len(leaves) == len(table)
    assert set(map(id, leaves)) == set(map(id, table.entries))
    assert all(table.placed(entry.contact.endpoint) is entry for entry in leaves)


@pytest.mark.parametrize("endpoint", [b"\x7f\0\0\1\1\1", b"\xc0\xa8\0\1\1\1", b"\1\2\3\4\0\0", b"\xe0\0\0\1\1\1"])
def test_bogus_addresses_are_kept_out(endpoint: Endpoint):
    table = table_of(Contact(near(Random(1), 0), endpoint))
    assert not table.heard_of(Contact(near(Random(2), 0), endpoint))
    table.restored(Contact(near(Random(3), 0), endpoint), 0)
    assert not len(table)
    assert not table.spares


def test_one_node_for_an_address():
    one, other = node(1), Contact(near(Random(2), 3), at(1, port=7))
    table = table_of(one, other)
    assert members(table) == {one}
    assert not table.heard_of(other)
    table.failed(one, 1)
    table.replied(other, 1)
    assert members(table) == {other}


def test_one_node_for_a_subnet_in_a_bucket():
    neighbours = [Contact(node(n).id, bytes([20, 1, 1, n, 1, 1])) for n in range(8)]
    assert len(table_of(*neighbours)) == 1


def test_local_ones_share_addresses():
    neighbours = [Contact(near(Random(n), n), b"\x7f\0\0\1" + bytes([1, n])) for n in range(8)]
    assert members(table_of(*neighbours, allow_local=True)) == set(neighbours)


def test_an_id_is_taken():
    one, thief = node(1), Contact(node(1).id, at(2))
    table = table_of(one, thief)
    assert members(table) == {one}
    table.failed(one, 1)
    table.replied(thief, 1)
    assert members(table) == {thief}


def test_a_node_that_has_restarted():
    old, new = node(1), Contact(near(Random(9), 4), at(1))
    assert members(table_of(old, new)) == {new}


# -- a full bucket -----------------------------------------------------------------------------------------------------


def test_good_nodes_stay():
    table = filled()
    before = members(table)
    table.replied(full(20)[-1], 1)
    assert members(table) == before


def test_a_failing_one_makes_room_for_one_who_waits():
    table = filled()
    waiting = full(20)[-1]
    table.replied(waiting, 1)
    leaving = next(entry.contact for entry in table.closest(waiting.id) if entry.contact in full())
    table.failed(leaving, 2)
    assert leaving not in members(table)
    assert waiting in members(table)


def test_a_failing_one_stays_while_nobody_waits():
    table = table_of(node(1))
    for _ in range(MAX_FAILS - 1):
        table.failed(node(1), 1)
    assert members(table) == {node(1)}
    table.failed(node(1), 1)
    assert not len(table)


def test_an_id_that_suits_its_address_comes_first():
    """BEP 42, softly: who does not comply is kept until his place is wanted."""
    table = filled()
    endpoint = at(5000)
    random = Random(1)
    suiting = next(i for i in iter(lambda: id_for(ip_of(endpoint), random), None))
    before = len(table)
    table.replied(Contact(suiting, endpoint), 1)
    assert Contact(suiting, endpoint) in members(table)
    assert len(table) == before


def test_those_who_have_answered_wait_before_those_who_have_not():
    table = filled()
    bucket = table._find(int.from_bytes(full()[0].id, "big"))
    assert bucket is not None
    bucket.spares.clear()
    crowd = full(60)[20:]
    for contact in crowd[:MAX_SPARES]:
        table.replied(contact, 1)
    table.failed(bucket.entries[next(iter(bucket.entries))].contact, 1)  # makes room, for the latest of them
    waiting = set(bucket.spares)
    for contact in crowd[MAX_SPARES:]:
        table.heard_of(contact)
    assert waiting <= set(bucket.spares)


# -- good or not -------------------------------------------------------------------------------------------------------


def test_good_for_a_quarter_of_an_hour():
    table = table_of(node(1))
    assert table.good(FRESH - 1) == 1
    assert table.good(FRESH) == 0
    table.queried(node(1), FRESH)
    assert table.good(FRESH + 1) == 1


def test_who_has_never_answered_is_not_good():
    table = Table(OWN, 0)
    assert table.queried(node(1), 0)
    assert not len(table)
    table.restored(node(2), 0)
    table.queried(node(2), 0)
    assert table.good(0) == 0
    assert [entry.contact for entry in table.closest(node(2).id)] == [node(2)]
    assert table.closest_good(node(2).id, 0) == []


def test_who_has_failed_is_good_again_when_it_answers():
    table = table_of(node(1))
    table.failed(node(1), 1)
    assert table.good(1) == 0
    table.queried(node(1), 2)
    assert table.good(2) == 0
    table.replied(node(1), 3)
    assert table.good(3) == 1


def test_a_failure_of_another_is_not_its():
    table = table_of(node(1))
    table.failed(Contact(node(2).id, at(1)), 1)
    table.failed(Contact(OWN, at(1)), 1)
    assert table.good(1) == 1


# -- closest -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.integers(0, 1 << 32), st.integers(1, 400), st.integers(1, 20))
def test_the_closest_are_the_closest(seed: int, size: int, count: int):
    random = Random(seed)
    table = Table(random_id(random), 0)
    for number in range(size):
        table.replied(Contact(random_id(random), at(number)), 0)
    target = random_id(random)
    expected = sorted(members(table), key=lambda contact: distance(contact.id, target))[:count]
    assert [entry.contact for entry in table.closest(target, count)] == expected
    assert [entry.contact for entry in table.closest_good(target, 0, count)] == expected


# -- chores ------------------------------------------------------------------------------------------------------------


def test_whom_we_heard_of_is_pinged_if_there_is_a_place():
    table = Table(OWN, 0)
    assert table.heard_of(node(1))
    assert not table.heard_of(node(1))
    assert table.take_awaited() == node(1)
    assert table.take_awaited() is None


def test_nobody_is_pinged_for_a_full_bucket():
    table = filled()
    while table.take_awaited():
        pass
    assert not any(table.heard_of(contact) for contact in full(100)[K:])


def test_who_is_due():
    table = table_of(node(1))
    table.replied(node(2, bits=1), 10)
    due = table.next_due()
    assert due is not None
    assert (due.contact, due.due) == (node(1), ASK_AGAIN)
    table.failed(node(2, bits=1), 20)
    due = table.next_due()
    assert due is not None
    assert (due.contact, due.due) == (node(2, bits=1), 20 + RETRY)


def test_the_restored_are_due_at_once():
    table = Table(OWN, 1000)
    table.restored(node(1), 1000)
    due = table.next_due()
    assert due is not None
    assert due.due <= 1000


def test_stale_buckets_are_refreshed_once():
    table = filled()
    buckets = table.buckets
    targets = [table.stale_target(FRESH, Random(n)) for n in range(buckets + 1)]
    assert targets[-1] is None
    found = {table._find(int.from_bytes(target, "big")).start for target in targets if target}  # type: ignore[union-attr]
    assert len(found) == buckets


def test_targets_are_in_buckets_with_a_place():
    table = filled()
    assert 0 < len(table.targets(Random(1))) < table.buckets
    for target in table.targets(Random(1)):
        bucket = table._find(int.from_bytes(target, "big"))
        assert bucket is not None
        assert table._wants(bucket)


def test_moving_keeps_the_nodes():
    table = filled()
    moved = table.moved(near(Random(1), 0), 0)
    assert len(moved) > len(table) * 0.8
    assert members(moved) <= members(table)
    assert moved.own_id != table.own_id


def test_the_first_levels_are_split_for_all():
    table = filled()
    assert all(leaf.depth >= SPREAD_BITS for leaf in table._leaves)
    subnets = [{subnet_of(e.contact.endpoint) for e in leaf.entries.values()} for leaf in table._leaves]
    assert all(len(leaf.entries) == len(nets) for leaf, nets in zip(table._leaves, subnets, strict=True))
