"""Where others see us: an election that strangers take part in."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from trio_torrent.address import Address
from trio_torrent.swarm.mirror import QUORUM, VOTES, Mirror

OURS, OTHER, SIX = "5.6.7.8", "9.9.9.9", "2a00:1:2::3"
PORT = 6881


def voter(number: int) -> str:
    return f"8.1.{number // 250}.{number % 250 + 1}"


def seen(*votes: tuple[str, str]) -> list[str]:
    mirror = Mirror(PORT)
    for host, ours in votes:
        mirror.told(host, ours)
    assert all(address.port == PORT for address in mirror.addresses)
    return [address.host for address in mirror.addresses]


def test_nobody_is_believed_alone():
    votes = [(voter(number), OURS) for number in range(QUORUM)]
    assert seen(*votes[:-1]) == []
    assert seen(*votes) == [OURS]


def test_a_voice_counts_once_and_the_last_that_it_gave():
    assert seen(*[(voter(1), OURS)] * 10) == []
    assert seen((voter(1), OTHER), (voter(2), OURS), (voter(3), OURS), (voter(1), OURS)) == [OURS]


@pytest.mark.parametrize("of_one", ["2a01:2:3:4::{:x}", "::ffff:8.1.1.1"])
def test_a_household_has_one_voice(of_one: str):
    ours = SIX if of_one.startswith("2a01") else OURS
    assert seen(*[(of_one.format(number), ours) for number in range(1, 10)]) == []


def test_it_takes_more_than_half():
    half = [(voter(number), OURS) for number in range(4)] + [(voter(number), OTHER) for number in range(4, 8)]
    mirror = Mirror(PORT)
    for host, ours in [*half[4:], *half[:4]]:
        mirror.told(host, ours)
    assert [address.host for address in mirror.addresses] == [OTHER]  # as long as there is no other majority
    mirror.told(voter(9), OURS)
    assert [address.host for address in mirror.addresses] == [OURS]


@pytest.mark.parametrize(
    "ours",
    ["10.0.0.1", "192.168.1.1", "127.0.0.1", "100.64.1.1", "0.0.0.0", "224.0.0.1", "fe80::1", "fd00::1", "::1", "x"],
)
def test_nobody_outside_reaches_us_there(ours: str):
    assert seen(*[(f"{name}.example", ours) for name in "abcdef"]) == []


@pytest.mark.parametrize(
    ("host", "ours"), [("192.168.1.{}", OURS), ("10.0.0.{}", OURS), ("8.8.8.{}", SIX), ("2a00:1:{}::1", OURS)]
)
def test_who_does_not_see_the_same_world_has_no_voice(host: str, ours: str):
    assert seen(*[(host.format(number), ours) for number in range(1, 9)]) == []


def test_trackers_by_name_see_us_by_either_family():
    names = [f"{name}.example" for name in "abc"]
    assert seen(*[(name, ours) for name in names for ours in (OURS, SIX)]) == [OURS, SIX]


def test_however_it_is_written_it_is_one_address():
    votes = [(voter(1), "::ffff:5.6.7.8"), (voter(2), OURS)]
    mirror = Mirror(PORT)
    for host, ours in votes:
        mirror.told(host, ours)
    mirror.told(voter(3), ip_address(OURS))
    assert mirror.addresses == (Address(OURS, PORT),)


def test_our_address_may_change():
    now, then = OTHER, OURS
    votes = [(voter(number), then) for number in range(VOTES)]
    later = [(voter(100 + number), now) for number in range(VOTES // 2 + 1)]
    assert seen(*votes, *later[:-1]) == [then]
    assert seen(*votes, *later) == [now]


def test_only_the_latest_are_kept():
    mirror = Mirror(PORT)
    for number in range(10 * VOTES):
        mirror.told(voter(number), f"5.6.{number // 250}.{number % 250 + 1}")
    assert sum(map(len, mirror._votes.values())) == VOTES
    assert mirror.addresses == ()


def test_what_is_certain_needs_no_vote():
    mirror = Mirror(PORT, [Address(OURS, PORT)])
    for number in range(VOTES):
        mirror.told(voter(number), OTHER)
    assert mirror.addresses == (Address(OURS, PORT),)
