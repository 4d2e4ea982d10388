"""Gossip: who is told of whom, and whom to believe."""

from __future__ import annotations

from collections.abc import Iterable

from trio_torrent.address import Address
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.pex import EARLIEST_SECONDS, FIRST_SECONDS, INTERVAL_SECONDS, MOST_TOLD, Pex
from trio_torrent.wire.ut_pex import MOST_CONTACTS, OUTGOING, Contact, PeerExchange, encode_pex

ALICE = PeerId(1)
HER = Address("1.1.1.1", 6881)


def at(number: int, port: int = 6881) -> Address:
    """A public address."""
    return Address(f"2.2.{number // 250}.{number % 250 + 1}", port)


def here(numbers: Iterable[int]) -> dict[PeerId, Contact]:
    return {PeerId(number + 100): Contact(at(number), OUTGOING) for number in numbers}


def numbers(message: PeerExchange | None) -> tuple[set[Address], set[Address]]:
    assert message is not None
    return {contact.address for contact in message.added}, set(message.dropped)


def listening() -> Pex:
    pex = Pex()
    pex.joined(ALICE, 0)
    return pex


# -- telling ---------------------------------------------------------------------------------------------------------


def test_once_a_minute_those_who_came_and_those_who_went():
    pex = listening()
    assert pex.due(FIRST_SECONDS - 0.1) == []
    assert pex.due(FIRST_SECONDS) == [ALICE]
    assert numbers(pex.news(ALICE, HER, here([1, 2, 3]), FIRST_SECONDS)) == ({at(1), at(2), at(3)}, set())
    later = FIRST_SECONDS + INTERVAL_SECONDS
    assert pex.due(later - 0.1) == []
    assert numbers(pex.news(ALICE, HER, here([2, 3, 4]), later)) == ({at(4)}, {at(1)})


def test_what_is_known_of_them_is_told():
    message = listening().news(ALICE, HER, here([1]), 9)
    assert message == PeerExchange((Contact(at(1), OUTGOING),))


def test_where_there_is_nothing_new_it_is_looked_at_again_soon():
    pex = listening()
    assert pex.news(ALICE, HER, {}, FIRST_SECONDS) is None
    assert pex.due(FIRST_SECONDS) == []
    assert pex.due(2 * FIRST_SECONDS) == [ALICE]
    assert numbers(pex.news(ALICE, HER, here([1]), 2 * FIRST_SECONDS)) == ({at(1)}, set())


def test_nobody_is_told_of_itself():
    pex = listening()
    everyone = {ALICE: Contact(HER), PeerId(2): Contact(HER), **here([1])}
    assert numbers(pex.news(ALICE, HER, everyone, 9)) == ({at(1)}, set())


def test_crowds_come_in_portions_and_go_in_portions():
    pex, now, told = listening(), 0.0, set[Address]()
    for expected in (MOST_TOLD, MOST_TOLD, 20):
        added, dropped = numbers(pex.news(ALICE, HER, here(range(120)), now := now + 60))
        assert (len(added), len(dropped)) == (expected, 0)
        assert not told & added
        told |= added
    for expected in (MOST_TOLD, MOST_TOLD, 20):
        added, dropped = numbers(pex.news(ALICE, HER, {}, now := now + 60))
        assert (len(added), len(dropped)) == (0, expected)
    assert pex.news(ALICE, HER, {}, now + 60) is None


def test_who_came_and_went_in_between_is_not_mentioned():
    pex = listening()
    assert pex.news(ALICE, HER, here([1]), 60)
    assert pex.news(ALICE, HER, here([1]), 180) is None


def test_addresses_of_a_local_network_stay_in_it():
    near = {PeerId(2): Contact(Address("192.168.1.5", 1)), PeerId(3): Contact(Address("fd00::1", 1))}
    assert listening().news(ALICE, HER, near, 9) is None
    neighbour = Address("192.168.1.9", 6881)
    assert numbers(listening().news(ALICE, neighbour, {**near, **here([1])}, 9))[0] == {
        Address("192.168.1.5", 1),
        Address("fd00::1", 1),
        at(1),
    }


def test_saying_again_that_it_listens_brings_nothing_sooner():
    pex = listening()
    assert pex.news(ALICE, HER, here([1]), FIRST_SECONDS)
    pex.joined(ALICE, 10)
    assert pex.due(FIRST_SECONDS + INTERVAL_SECONDS - 1) == []


def test_who_has_left_is_told_nothing():
    pex = listening()
    pex.left(ALICE)
    pex.left(ALICE)
    assert pex.due(1000) == []


# -- listening -------------------------------------------------------------------------------------------------------


def said(*addresses: Address) -> bytes:
    return encode_pex(PeerExchange(tuple([Contact(address) for address in addresses]), (at(200),)))


def test_those_who_are_added_may_be_worth_dialling():
    assert Pex().heard(ALICE, HER, said(at(1), at(2)), 0) == (at(1), at(2))


def test_once_a_minute_and_no_more():
    pex = Pex()
    assert pex.heard(ALICE, HER, said(at(1)), 0)
    assert pex.heard(ALICE, HER, said(at(2)), EARLIEST_SECONDS - 1) == ()
    assert pex.heard(ALICE, HER, said(at(3)), EARLIEST_SECONDS) == (at(3),)
    assert pex.heard(PeerId(2), HER, said(at(4)), EARLIEST_SECONDS) == (at(4),)


def test_rubbish_counts_as_a_message():
    pex = Pex()
    assert pex.heard(ALICE, HER, b"rubbish", 0) == ()
    assert pex.heard(ALICE, HER, said(at(1)), 1) == ()


def test_one_of_each_host_of_the_internet():
    assert Pex().heard(ALICE, HER, said(at(1, 1), at(1, 2), at(2)), 0) == (at(1, 1), at(2))


def test_hosts_of_the_local_network_may_have_many():
    near = Address("127.0.0.1", 1), Address("127.0.0.1", 2)
    assert Pex().heard(ALICE, Address("127.0.0.1", 9), said(*near), 0) == near


def test_nobody_outside_directs_us_to_the_local_network():
    near = Address("127.0.0.1", 22), Address("10.0.0.1", 80), Address("fe80::1", 80)
    assert Pex().heard(ALICE, HER, said(*near, at(1)), 0) == (at(1),)


def test_a_flood_is_cut_short():
    flood = said(*[at(number) for number in range(1000)])
    assert len(Pex().heard(ALICE, HER, flood, 0)) == MOST_CONTACTS
