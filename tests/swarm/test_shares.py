"""What torrents share."""

from __future__ import annotations

import pytest

from trio_torrent.swarm.shares import FOR_FILES, FOR_STATE, PEERS_SHARE, SLACK, Budget, Room, Shares, Waiting


def make(*torrents: str, connections: int = 10, attempts: int = 4, looks: int = 2) -> Shares:
    shares = Shares(Budget(connections, attempts, looks, 5))
    for torrent in torrents:
        shares.enter(torrent)
    return shares


def connect(shares: Shares, torrent: str, count: int) -> None:
    for _ in range(count):
        shares.connect(torrent)


# -- the budget ------------------------------------------------------------------------------------------------------


def test_where_there_is_enough_the_limits_are_those_that_everybody_has():
    for descriptors in (None, 1024, 1 << 20):
        assert Budget.within(descriptors) == Budget(200, 30, 15, 256)
    assert Budget.within(None, 7).connections == Budget.within(1024, 7).connections == 7
    assert Budget.within(1 << 20, 5000).connections == 5000
    assert Budget.within(1024, 5000).connections == 297


@pytest.mark.parametrize("descriptors", [100, 128, 200, 256, 512, 600, 800, 1024])
def test_files_and_the_rest_keep_theirs(descriptors: int):
    budget = Budget.within(descriptors)
    peers = budget.connections + SLACK + budget.attempts + budget.pending
    assert 3 <= peers <= descriptors * PEERS_SHARE
    assert peers <= descriptors - FOR_FILES - FOR_STATE
    assert 0 < budget.looks <= budget.attempts <= budget.connections


@pytest.mark.parametrize("descriptors", [0, 1, 20, 60])
def test_with_next_to_nothing_it_still_tries(descriptors: int):
    assert Budget.within(descriptors) == Budget(1, 1, 1, 1)


# -- connections -----------------------------------------------------------------------------------------------------


def test_one_torrent_may_have_all_and_in_a_pinch_a_few_more():
    shares = make("a")
    connect(shares, "a", 9)
    assert shares.room("a") is Room.FREE
    connect(shares, "a", 1)
    assert shares.room("a") is Room.CROWDED
    connect(shares, "a", SLACK)
    assert shares.room("a") is Room.NONE
    shares.disconnect("a")
    assert shares.room("a") is Room.CROWDED


def test_who_has_less_than_its_share_gets_it_from_who_has_more():
    shares = make("a")
    connect(shares, "a", 10)
    assert not shares.is_over("a")
    shares.enter("b")
    assert (shares.room("a"), shares.room("b")) == (Room.CROWDED, Room.FREE)
    for _ in range(5):
        assert shares.room("b") is Room.FREE
        shares.connect("b")
        assert shares.is_over("a")
        assert not shares.is_over("b")
        shares.disconnect("a")
    assert not shares.is_over("a")
    assert (shares.room("a"), shares.room("b")) == (Room.CROWDED, Room.CROWDED)


def test_a_torrent_that_is_gone_takes_no_share():
    shares = make("a", "b")
    connect(shares, "b", 1)
    shares.leave("b")
    assert shares.fair == 10
    shares.disconnect("b")
    assert shares.connections == 0


def test_with_more_torrents_than_places_each_may_hope_for_one():
    shares = make(*map(str, range(50)))
    assert shares.fair == 1


# -- attempts --------------------------------------------------------------------------------------------------------


def begin_all(shares: Shares, queue: list[Waiting]) -> list[object]:
    begun: list[object] = []
    while (one := shares.next(queue)) is not None:
        queue.remove(one)
        shares.begin(one)
        begun.append(one.torrent)
    return begun


def test_attempts_are_shared_fairly_and_first_come_first_served():
    shares = make("a", "b", attempts=4)
    queue = [Waiting(torrent, look=False) for torrent in "aaaaabbb"]
    assert begin_all(shares, queue) == ["a", "b", "a", "b"]
    first = Waiting("a", look=False)
    shares.begin(first)
    shares.end(first)
    assert begin_all(shares, queue) == []
    shares.end(Waiting("b", look=False))
    assert begin_all(shares, queue) == ["b"]


def test_what_takes_long_leaves_room_for_the_rest():
    shares = make("a", attempts=4, looks=2)
    looks = [Waiting("a", look=True) for _ in range(3)]
    queue = [*looks, Waiting("b", look=False)]
    assert begin_all(shares, queue) == ["a", "b", "a"]
    assert queue == [looks[2]]
    shares.end(looks[0])
    assert begin_all(shares, queue) == ["a"]
    for _ in range(3):
        shares.end(Waiting("a", look=False))
    assert shares.next([Waiting("a", look=True)]) is None, "two looks are under way"
