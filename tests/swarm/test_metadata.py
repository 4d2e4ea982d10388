"""The info dictionary from peers: whom to ask for what, and who lied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha1

import pytest

from tests.payload import random_bytes
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.metadata import (
    AGAIN_SECONDS,
    DOUBLING_SECONDS,
    FIRST_REST_SECONDS,
    MOST_AT_WORK,
    MOST_OUTSTANDING,
    MOST_SILENCES,
    OUTSTANDING,
    REQUEST_SECONDS,
    REST_SECONDS,
    MetadataFetch,
)
from trio_torrent.wire.ut_metadata import MAX_METADATA, METADATA_PIECE, MetadataData

INFO = random_bytes(4 * METADATA_PIECE + 100)
SIZE, PIECES = len(INFO), 5
WRONG = bytes(SIZE)
ALICE, BOB, CAROL, DAVE = map(PeerId, range(1, 5))


def make(*peers: PeerId, info: bytes = INFO) -> MetadataFetch:
    fetch = MetadataFetch(InfoHashes(sha1(info).digest()))
    for peer in peers:
        fetch.offered(peer, len(info))
    return fetch


def data(piece: int, info: bytes = INFO) -> MetadataData:
    return MetadataData(piece, len(info), info[piece * METADATA_PIECE : (piece + 1) * METADATA_PIECE])


def asked(fetch: MetadataFetch, peer: PeerId, now: float = 0.0) -> list[int]:
    return [piece for someone, piece in fetch.due(now) if someone == peer]


def play(
    fetch: MetadataFetch,
    liars: Mapping[PeerId, bytes] | None = None,
    *,
    owed: Sequence[tuple[PeerId, int]] = (),
    now: float = 0.0,
) -> set[PeerId]:
    """Everybody answers what it owes, and then at once, liars out of something else, till nobody is asked any more.

    Returns those who were convicted.
    """
    convicted: set[PeerId] = set()
    liars = liars or {}
    while requests := [*owed, *fetch.due(now)]:
        owed = ()
        for peer, piece in requests:
            for liar in fetch.came(peer, data(piece, liars.get(peer, INFO))):
                convicted.add(liar)
                fetch.left(liar)
    return convicted


# -- the everyday ----------------------------------------------------------------------------------------------------


def test_one_peer_gives_it_all_two_pieces_at_first_and_one_more_for_each_that_came():
    fetch = make(ALICE)
    assert asked(fetch, ALICE) == [0, 1]
    assert asked(fetch, ALICE) == []
    assert fetch.came(ALICE, data(1)) == frozenset()
    assert asked(fetch, ALICE) == [2, 3]
    assert play(fetch, owed=[(ALICE, 0), (ALICE, 2), (ALICE, 3)]) == set()
    assert fetch.info == INFO
    assert fetch.received == SIZE
    assert (fetch.held, fetch.givers, fetch.due(9)) == (0, 0, [])


def test_a_peer_never_owes_more_than_so_many():
    info = random_bytes(40 * METADATA_PIECE)
    fetch = make(ALICE, info=info)
    owed = asked(fetch, ALICE)
    most = 0
    while fetch.info is None:
        fetch.came(ALICE, data(owed.pop(0), info))
        owed += asked(fetch, ALICE)
        most = max(most, len(owed))
    assert most == MOST_OUTSTANDING


def test_who_was_late_is_asked_for_as_little_as_at_first():
    info = random_bytes(40 * METADATA_PIECE)
    fetch = make(ALICE, info=info)
    for piece in asked(fetch, ALICE):
        fetch.came(ALICE, data(piece, info))
    assert len(asked(fetch, ALICE)) == 2 * OUTSTANDING
    assert len(asked(fetch, ALICE, REQUEST_SECONDS + 0.1)) == OUTSTANDING


def test_several_share_the_work():
    fetch = make(ALICE, BOB)
    requests = fetch.due(0)
    assert [piece for _, piece in requests] == [0, 1, 2, 3]
    assert [peer for peer, _ in requests] == [ALICE, ALICE, BOB, BOB]


@pytest.mark.parametrize("size", [0, -1, MAX_METADATA + 1])
def test_who_names_an_impossible_size_is_not_asked(size: int):
    fetch = make()
    fetch.offered(ALICE, size)
    assert fetch.due(0) == []


def test_a_size_counts_the_first_time():
    fetch = make(ALICE)
    fetch.offered(ALICE, 100)
    assert fetch.givers == 1
    assert play(fetch) == set()
    assert fetch.info == INFO


def test_what_nobody_asked_for_is_not_taken():
    fetch = make(ALICE)
    fetch.came(ALICE, data(0))
    fetch.came(BOB, data(0))
    assert fetch.received == 0
    fetch.due(0)
    fetch.came(ALICE, data(4))
    assert fetch.received == 0


# -- who does not answer ---------------------------------------------------------------------------------------------


def test_what_a_refusing_peer_would_not_give_is_asked_of_others_and_it_rests_longer_each_time():
    fetch = make(ALICE)
    now, rests = 0.0, []
    for _ in range(3):
        for piece in asked(fetch, ALICE, now):
            fetch.refused(ALICE, piece, now)
        rested = 0.0
        while not fetch._givers[ALICE].is_free(now + rested):
            rested += 1
        rests.append(rested)
        now += rested
    assert rests == [2 * FIRST_REST_SECONDS, 8 * FIRST_REST_SECONDS, REST_SECONDS]  # both requests were refused
    fetch.offered(BOB, SIZE)
    assert play(fetch, now=now - 1) == set()
    assert fetch.info == INFO


def test_a_refusal_is_forgiven_when_something_comes():
    fetch = make(ALICE)
    fetch.due(0)
    fetch.refused(ALICE, 0, 0)
    fetch.came(ALICE, data(1))
    assert asked(fetch, ALICE, FIRST_REST_SECONDS) == [0, 2, 3]
    fetch.refused(ALICE, 0, FIRST_REST_SECONDS)
    fetch.came(ALICE, data(2))
    assert asked(fetch, ALICE, 2 * FIRST_REST_SECONDS) == [0, 4]


def test_rests_have_an_end():
    fetch = make(ALICE)
    now = 0.0
    for _ in range(20):
        requests = asked(fetch, ALICE, now)
        assert requests
        for piece in requests:
            fetch.refused(ALICE, piece, now)
        now += REST_SECONDS


def test_what_a_silent_peer_owes_is_asked_of_others_later_and_taken_all_the_same():
    fetch = make(ALICE)
    assert asked(fetch, ALICE) == [0, 1]
    assert asked(fetch, ALICE, REQUEST_SECONDS) == []
    later = REQUEST_SECONDS + 0.1
    assert asked(fetch, ALICE, later) == [2, 3]  # not the same again, while it may come
    fetch.came(ALICE, data(0))
    assert fetch.received == METADATA_PIECE
    assert asked(fetch, ALICE, later + AGAIN_SECONDS) != []


def test_a_peer_that_says_nothing_at_all_rests():
    fetch = make(ALICE)
    now, requests = 0.0, 0
    while now < REST_SECONDS:
        requests += len(asked(fetch, ALICE, now))
        now += 1
    assert OUTSTANDING < requests <= MOST_SILENCES * OUTSTANDING


def test_a_piece_is_asked_again_of_the_only_one_who_has_it():
    """It answers all but one request, of which the answer was lost."""
    fetch = make(ALICE)
    now = 0.0
    ignored = False
    while fetch.info is None and now < 60:
        for piece in asked(fetch, ALICE, now):
            if piece == 0 and not ignored:
                ignored = True
            else:
                fetch.came(ALICE, data(piece))
        now += 0.5
    assert fetch.info == INFO
    assert now < REQUEST_SECONDS + AGAIN_SECONDS + 2


def test_silent_peers_cost_little_where_another_answers():
    """Ninety-nine of a hundred. The one that answers is found by asking ever more of them."""
    silent = [PeerId(number) for number in range(99)]
    honest = PeerId(99)
    fetch = make(*silent, honest)
    now = 0.0
    while fetch.info is None and now < 60:
        for peer, piece in fetch.due(now):
            if peer == honest:
                fetch.came(peer, data(piece))
        now += DOUBLING_SECONDS
    assert fetch.info == INFO
    assert now < 5


def test_those_who_answer_are_not_asked_twice():
    fetch = make(*[PeerId(number) for number in range(50)])
    assert len(fetch.due(0)) == PIECES
    assert fetch.due(DOUBLING_SECONDS - 0.1) == []
    assert len(fetch.due(DOUBLING_SECONDS)) == PIECES  # two for each from now on
    assert len(fetch.due(2 * DOUBLING_SECONDS)) == 2 * PIECES  # and four


def test_who_has_given_nothing_owes_no_more_than_two():
    fetch = make(*[PeerId(number) for number in range(50)])
    owed: dict[PeerId, int] = {}
    for tick in range(10):
        for peer, _ in fetch.due(tick * 0.4):
            owed[peer] = owed.get(peer, 0) + 1
    assert max(owed.values()) == OUTSTANDING


def test_what_one_owed_who_left_is_asked_of_others():
    fetch = make(ALICE, BOB)
    fetch.due(0)
    fetch.left(ALICE)
    assert play(fetch, owed=[(BOB, 2), (BOB, 3)]) == set()
    assert fetch.info == INFO


# -- liars -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        MetadataData(0, SIZE + 1, bytes(METADATA_PIECE)),
        MetadataData(0, SIZE, bytes(METADATA_PIECE - 1)),
        MetadataData(0, SIZE, b""),
    ],
)
def test_who_contradicts_itself_about_the_size_lied(message: MetadataData):
    fetch = make(ALICE, BOB)
    fetch.due(0)
    assert fetch.came(ALICE, message) == {ALICE}
    fetch.left(ALICE)
    assert play(fetch, owed=[(BOB, 2), (BOB, 3)]) == set()
    assert fetch.info == INFO


def test_who_gave_all_of_something_wrong_lied():
    fetch = make(ALICE)
    assert play(fetch, {ALICE: WRONG}) == {ALICE}
    assert (fetch.info, fetch.held, fetch.givers) == (None, 0, 0)


def test_those_who_did_not_give_to_it_go_on():
    fetch = make(ALICE)
    *pieces, last = range(PIECES)
    while owed := [piece for piece in asked(fetch, ALICE) if piece in pieces]:
        for piece in owed:
            fetch.came(ALICE, data(piece, WRONG))
    fetch.offered(BOB, SIZE)
    assert fetch.came(ALICE, data(last, WRONG)) == {ALICE}
    fetch.left(ALICE)
    assert play(fetch) == set()
    assert fetch.info == INFO


def test_of_several_givers_the_liar_is_found_and_the_honest_are_not_convicted():
    fetch = make(ALICE, BOB, CAROL)
    convicted = play(fetch, {BOB: WRONG})
    assert fetch.info == INFO
    assert convicted <= {BOB}


@pytest.mark.parametrize("honest", [ALICE, BOB, CAROL, DAVE])
def test_one_honest_peer_is_enough(honest: PeerId):
    everyone = {ALICE, BOB, CAROL, DAVE}
    fetch = make(*everyone)
    liars = {peer: bytes([peer]) * SIZE for peer in everyone - {honest}}
    assert honest not in play(fetch, liars)
    assert fetch.info == INFO


def test_what_a_suspect_gave_it_need_not_give_again():
    fetch = make(ALICE, BOB)
    received: dict[PeerId, list[int]] = {ALICE: [], BOB: []}
    while fetch.info is None and (requests := fetch.due(0)):
        for peer, piece in requests:
            received[peer].append(piece)
            for liar in fetch.came(peer, data(piece, WRONG if peer == BOB else INFO)):
                fetch.left(liar)
    assert fetch.info == INFO
    assert sorted(received[ALICE]) == list(range(PIECES))


def test_who_names_another_size_spoils_nothing():
    fetch = make(ALICE)
    fetch.offered(BOB, SIZE + 1)
    fetch.offered(CAROL, METADATA_PIECE)
    wrong = {BOB: bytes(SIZE + 1), CAROL: bytes(METADATA_PIECE)}
    assert play(fetch, wrong) <= {BOB, CAROL}
    assert fetch.info == INFO


def test_a_newcomer_does_not_join_a_suspect():
    fetch = make(ALICE, BOB)
    for peer, piece in fetch.due(0):
        fetch.came(peer, data(piece, WRONG))
    for peer, piece in fetch.due(0):
        fetch.came(peer, data(piece, WRONG))
    fetch.offered(CAROL, SIZE)
    assert asked(fetch, CAROL) == [0, 1]


# -- memory ----------------------------------------------------------------------------------------------------------


def test_the_largest_drafts_are_filled_two_at_a_time():
    fetch = make()
    for number in range(5):
        fetch.offered(PeerId(number), MAX_METADATA - number)
    assert {peer for peer, _ in fetch.due(0)} == {PeerId(3), PeerId(4)}  # the smaller ones first


@pytest.mark.slow
def test_drafts_that_nobody_goes_on_with_give_way():
    """Each peer names a size of its own, gives nearly all, and falls silent."""
    fetch = make()
    now, most = 0.0, 0
    for number in range(6):
        size = MAX_METADATA - number
        fetch.offered(PeerId(number), size)
        piece = 0
        for piece in range(1000):
            fetch.due(now)
            fetch.came(PeerId(number), MetadataData(piece, size, bytes(METADATA_PIECE)))
            most = max(most, fetch.held)
        for _ in range(60):
            now += 1
            fetch.due(now)
    assert MOST_AT_WORK // 2 < most <= MOST_AT_WORK + MAX_METADATA


def test_who_leaves_takes_its_draft_along():
    fetch = make(ALICE)
    fetch.due(0)
    fetch.came(ALICE, data(0))
    assert fetch.held == METADATA_PIECE
    fetch.left(ALICE)
    fetch.left(ALICE)
    assert fetch.held == 0
