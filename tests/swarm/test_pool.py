"""The addresses that may enter, and those that go for others' sake."""

from __future__ import annotations

import pytest

from trio_torrent.address import Address
from trio_torrent.swarm.pool import (
    MOST_AT_A_SITE,
    MOST_FAILURES,
    MOST_KNOWN,
    MOST_OF_A_FAMILY,
    MOST_SOURCES,
    USER,
    Known,
    Pool,
)

OURS = Address("8.8.8.8", 6881)


def by_last_part(address: Address) -> int:
    return address.port


def four(number: int, port: int = 1) -> Address:
    return Address(f"9.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", port)


def six(number: int, port: int = 1) -> Address:
    return Address(f"2a00:{number:x}::1", port)


def fours(count: int, start: int = 0) -> list[Address]:
    return [four(number) for number in range(start, start + count)]


def sixes(count: int) -> list[Address]:
    return [six(number) for number in range(1, count + 1)]


def pool() -> Pool:
    return Pool(by_last_part, own={OURS})


def known(pool: Pool, address: Address) -> Known:
    one = pool.get(address)
    assert one is not None
    return one


def count(pool: Pool, source: str) -> int:
    return sum(one.sources[0] == source for one in pool.waiting())


# -- what is no peer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        Address("9.9.9.9", 0),
        Address("9.9.9.9", 65536),
        Address("0.0.0.0", 1),
        Address("0.1.2.3", 1),
        Address("224.0.0.1", 1),
        Address("255.255.255.255", 1),
        Address("240.0.0.1", 1),
        Address("::", 1),
        Address("ff02::1", 1),
        Address("::ffff:224.0.0.1", 1),
        Address("", 1),
        OURS,
        Address("::ffff:8.8.8.8", OURS.port),
    ],
)
def test_no_peer_can_be_there(address: Address):
    found = pool()
    found.add([address, four(1)], "tracker", frozenset())
    assert [one.address for one in found.waiting()] == [four(1)]


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "fe80::1", "seed.example", "100.64.0.1"])
def test_neighbours_and_names_are_fine(host: str):
    found = pool()
    found.add([Address(host, 1)], "tracker", frozenset())
    assert len(found) == 1


def test_the_user_may_name_ourselves():
    found = pool()
    found.add([OURS], USER, frozenset())
    assert len(found) == 1


def test_an_ipv4_address_inside_ipv6_is_the_same_address():
    found = pool()
    found.add([Address("::ffff:9.9.9.9", 1), Address("9.9.9.9", 1), Address("::ffff:909:909", 1)], "x", frozenset())
    assert [one.address for one in found.waiting()] == [Address("9.9.9.9", 1)]
    assert known(found, Address("9.9.9.9", 1)).family == 4


def test_a_ban_holds_for_either_spelling():
    found = pool()
    found.add([Address("::ffff:9.9.9.9", 1)], "x", {Address("9.9.9.9", 1)})
    assert len(found) == 0


# -- sources ---------------------------------------------------------------------------------------------------------


def test_every_address_remembers_who_named_it_within_limits():
    found = pool()
    for source in ("tracker", "peers", "tracker", "dht", *map(str, range(10)), USER):
        found.add([four(1)], source, frozenset())
    sources = known(found, four(1)).sources
    assert sources[:3] == ("tracker", "peers", "dht")
    assert len(sources) == MOST_SOURCES + 1
    assert USER in sources


@pytest.mark.slow
def test_no_source_drives_out_the_others():
    found = pool()
    found.add(fours(1000), "tracker", frozenset())
    found.add(sixes(900), "dht", frozenset())
    found.add(fours(5000, start=1000), "peers", frozenset())
    assert (count(found, "tracker"), count(found, "dht")) == (1000, 900)
    assert count(found, "peers") == 1000


@pytest.mark.slow
def test_the_greatest_source_makes_room_for_a_new_one():
    found = pool()
    found.add(fours(5000), "peers", frozenset())
    found.add(fours(100, start=5000), "tracker", frozenset())
    assert count(found, "tracker") == 100
    assert count(found, "peers") == MOST_OF_A_FAMILY - 100
    found.add(fours(5000, start=6000), "tracker", frozenset())
    assert abs(count(found, "tracker") - count(found, "peers")) <= 2


@pytest.mark.slow
def test_what_the_user_named_stays_and_always_gets_in():
    found = pool()
    found.add(fours(MOST_OF_A_FAMILY), "peers", frozenset())
    found.add(fours(1500, start=9000), USER, frozenset())
    assert count(found, USER) == 1500
    found.add(fours(1000, start=20_000), "dht", frozenset())
    assert count(found, USER) == 1500


def test_the_lowest_in_rank_goes_first_and_who_is_busy_stays():
    found = pool()
    found.add([four(number, port=number + 1) for number in range(MOST_OF_A_FAMILY)], "peers", frozenset())
    known(found, four(0, 1)).trying = True
    known(found, four(1, 2)).connections = 1
    found.add([four(9999)], "dht", frozenset())
    gone = [number for number in range(10) if found.get(four(number, number + 1)) is None]
    assert gone == [2]


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_more_than_so_many_are_known():
    found = pool()
    found.add(fours(MOST_KNOWN + 500), "peers", frozenset())
    assert len(found) == MOST_OF_A_FAMILY
    found.add(sixes(MOST_KNOWN), "peers", frozenset())
    assert len(found) == MOST_KNOWN


@pytest.mark.slow
def test_neither_family_starves_the_other():
    for many, few in ((fours(MOST_KNOWN), sixes(900)), (sixes(MOST_KNOWN), fours(900))):
        found = pool()
        found.add(many, "peers", frozenset())
        found.add(few, "peers", frozenset())
        assert all(found.get(address) is not None for address in few)
        assert len(found) == MOST_OF_A_FAMILY + 900


@pytest.mark.parametrize("place", [four, six])
def test_a_public_host_is_not_knocked_on_at_every_door(place):
    found = pool()
    found.add([place(1, port) for port in range(1, 1000)], "peers", frozenset())
    assert len(found) == MOST_AT_A_SITE
    found.add([place(2)], "peers", frozenset())
    assert len(found) == MOST_AT_A_SITE + 1


def test_a_network_of_ipv6_is_one_site():
    found = pool()
    found.add([Address(f"2a00:1:2:3::{number:x}", 1) for number in range(1, 100)], "peers", frozenset())
    assert len(found) == MOST_AT_A_SITE


def test_on_this_machine_there_may_be_a_whole_swarm():
    found = pool()
    found.add([Address("127.0.0.1", port) for port in range(1, 100)], "tracker", frozenset())
    assert len(found) == 99


def test_at_a_site_the_given_up_make_room():
    found = pool()
    found.add([four(1, port) for port in range(1, MOST_AT_A_SITE + 1)], "peers", frozenset())
    known(found, four(1, 3)).failures = MOST_FAILURES
    found.add([four(1, 100), four(1, 101)], "peers", frozenset())
    assert found.get(four(1, 3)) is None
    assert len(found) == MOST_AT_A_SITE


def test_the_given_up_make_room():
    found = pool()
    found.add([*fours(MOST_OF_A_FAMILY), *sixes(MOST_KNOWN - MOST_OF_A_FAMILY)], "peers", frozenset())
    for one in list(found.waiting())[::2]:
        one.for_good = True
    found.add(fours(100, start=100_000), "peers", frozenset())
    assert all(found.get(address) is not None for address in fours(100, start=100_000))
    assert len(found) == MOST_KNOWN


def test_whoever_is_connected_is_never_forgotten():
    found = pool()
    found.add(fours(MOST_OF_A_FAMILY), "peers", frozenset())
    for one in list(found.waiting()):
        one.connections = 1
    found.add([four(99_999)], USER, frozenset())
    assert found.get(four(99_999)) is None


def test_who_made_room_at_a_crowded_site_is_not_asked_to_make_room_again():
    found = Pool(lambda address: -address.port)
    crowd = [Address("9.9.9.9", 100 + number) for number in range(MOST_AT_A_SITE)]
    found.add(crowd, "tracker", frozenset())
    found.add(fours(MOST_OF_A_FAMILY - MOST_AT_A_SITE), "tracker", frozenset())
    for given_up in (crowd[0], fours(1)[0]):
        known = found.get(given_up)
        assert known is not None
        known.failures = MOST_FAILURES
    newcomers = [Address("7.0.0.1", 1), Address("9.9.9.9", 2), Address("7.0.0.2", 3), Address("7.0.0.3", 4)]
    found.add(newcomers, "peers", frozenset())
    assert len(found) == MOST_OF_A_FAMILY
    assert found.get(crowd[0]) is None
