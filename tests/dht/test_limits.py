"""Floods end at the door, and nothing that strangers fill has no bottom."""

from __future__ import annotations

from trio_torrent.dht.limits import ANSWER_DEPTH, IGNORED, MAX_NUISANCES, MAX_WATCHED, WINDOW, Door, Lately, Quota


def test_five_a_second_are_welcome():
    door = Door(5)
    assert all(door.admits(b"ip", now / 5) for now in range(500))


def test_a_burst_within_the_average():
    door = Door(5)
    assert all(door.admits(b"ip", 0) for _ in range(50))
    assert not door.admits(b"ip", 0)


def test_a_nuisance_is_ignored_for_five_minutes_and_others_are_not():
    door = Door(5)
    for _ in range(51):
        door.admits(b"ip", 1)
    assert door.admits(b"other", 1)
    assert not door.admits(b"ip", 1 + WINDOW)
    assert not door.admits(b"ip", IGNORED)
    assert door.admits(b"ip", 1 + IGNORED)


def test_a_flood_from_everywhere_is_not_remembered():
    door = Door(5)
    for number in range(3 * MAX_WATCHED):
        assert door.admits(number.to_bytes(4, "big"), 0)
    assert len(door._counts) == MAX_WATCHED
    for number in range(2 * MAX_NUISANCES):
        for _ in range(51):
            door.admits(number.to_bytes(4, "big"), 0)
    assert len(door.nuisances) == MAX_NUISANCES


def test_lately():
    lately = Lately(10, most=2)
    lately.note(b"a", 0)
    assert lately.has(b"a", 9.9)
    assert not lately.has(b"a", 10)
    assert not lately.has(b"b", 0)
    lately.note(b"b", 1)
    lately.note(b"a", 2)  # again: now b is the earliest
    lately.note(b"c", 3)
    assert [lately.has(key, 3) for key in (b"a", b"b", b"c")] == [True, False, True]


def test_a_quota_holds_over_time():
    quota = Quota(1000, 0)
    sent = 0
    for tick in range(10_000):
        if quota.is_open(tick / 100):
            quota.spend(100)
            sent += 100
    assert 1000 * 100 <= sent <= 1000 * (100 + ANSWER_DEPTH) + 100


def test_a_silence_saves_a_few_seconds_of_it_only():
    quota = Quota(1000, 0)
    burst = 0
    while quota.is_open(1e6):
        quota.spend(100)
        burst += 100
    assert burst == 1000 * ANSWER_DEPTH
