"""Which tracker is told what, and when: plain calls in virtual time."""

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.address import Address
from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import AnnounceEvent, Answer, Counts, Refused
from trio_torrent.tracker.status import TrackerStatus
from trio_torrent.tracker.tiers import (
    MAX_AT_ONCE,
    MAX_TRACKERS,
    MIN_GAP,
    RETRY_FIRST,
    RETRY_LAST,
    RETRY_SPREAD,
    RETRY_WISHED,
    SCRAPE_GAP,
    Due,
    Tiers,
)

STARTED, COMPLETED, STOPPED, NONE = (
    AnnounceEvent.STARTED,
    AnnounceEvent.COMPLETED,
    AnnounceEvent.STOPPED,
    AnnounceEvent.NONE,
)
A, B, C, D = (f"http://{name}/announce" for name in "abcd")
GONE = TrackerError("connection refused")


def answer(interval: float = 900, min_interval: float | None = None, tracker_id: bytes | None = None) -> Answer:
    return Answer(interval, min_interval, (Address("1.2.3.4", 5),), 3, 4, "a warning", tracker_id, None)


def make(tiers: Sequence[Sequence[str]], *, strict: bool = False, complete: bool = False, seed: int = 1) -> Tiers:
    made = Tiers(tiers, random=Random(seed), strict=strict)
    made.start(0, complete=complete)
    return made


def said(dues: Sequence[Due]) -> list[tuple[str, AnnounceEvent]]:
    return [(due.url, due.event) for due in dues]


def status(tiers: Tiers, url: str, now: float = 0) -> TrackerStatus:
    return next(tracker for tracker in tiers.status(now) if tracker.url == url)


def answered(tiers: Tiers, now: float, url: str, what: Answer | None = None) -> None:
    """Everything that is due now is asked; `url` is among it and answers."""
    (due,) = (due for due in tiers.due(now) if due.url == url)
    tiers.answered(due, what or answer(), now)


def failed(tiers: Tiers, now: float, error: TrackerError = GONE) -> list[str]:
    """Everything that is due now fails."""
    dues = tiers.due(now)
    for due in dues:
        tiers.failed(due, error, now)
    return [due.url for due in dues]


def test_nothing_is_due_before_the_start():
    tiers = Tiers([[A]], random=Random(1))
    tiers.announce_now(0)
    tiers.completed(0)
    assert tiers.due(0) == ()
    assert tiers.next_time() == math.inf
    assert tiers.stop() == ()
    assert status(tiers, A).state == "stopped"


def test_every_tier_is_asked_at_once():
    tiers = make([[A], [B], [C]])
    assert said(tiers.due(0)) == [(A, STARTED), (B, STARTED), (C, STARTED)]
    assert tiers.due(0) == ()
    assert tiers.next_time() == math.inf


def test_strictly_one_tracker_is_asked_after_the_other():
    tiers = make([[A], [B], [C]], strict=True)
    assert failed(tiers, 0) == [A]
    assert failed(tiers, 1) == [B]
    answered(tiers, 2, C)
    assert tiers.next_time() == 902
    assert said(tiers.due(902)) == [(A, STARTED)]  # each announce begins with the first tier


def test_a_tier_is_asked_in_random_order():
    orders = {tuple(failed(make([[A, B, C]], seed=seed), 0)) for seed in range(30)}
    assert orders == {(A,), (B,), (C,)}


def test_who_answers_moves_to_the_front_of_its_tier():
    tiers = make([[A, B, C]])
    first = failed(tiers, 0)
    (second,) = tiers.due(0)
    tiers.answered(second, answer(), 0)
    assert second.url not in first
    assert tiers.next_time() == 900
    assert said(tiers.due(900)) == [(second.url, NONE)]


def test_a_tier_whose_trackers_all_fail_waits_for_the_first_to_be_tried_again():
    tiers = make([[A, B]])
    first, second = failed(tiers, 0) + failed(tiers, 0)
    assert {first, second} == {A, B}
    assert failed(tiers, 0) == []
    assert 0 < tiers.next_time() < RETRY_LAST
    assert len(tiers.due(tiers.next_time())) == 1


def test_failures_are_retried_ever_less_often_and_never_less_than_hourly():
    tiers = make([[A]])
    waits, now = [], 0.0
    for _ in range(30):
        assert failed(tiers, now) == [A]
        waits.append(tiers.next_time() - now)
        now = tiers.next_time()
    assert RETRY_FIRST < waits[0] < 30
    assert all(wait <= RETRY_LAST * RETRY_SPREAD for wait in waits)
    assert waits[3] < waits[6] < waits[12]
    assert min(waits[-5:]) >= RETRY_LAST
    answered(tiers, now, A)
    assert failed(tiers, now + 900) == [A]
    assert tiers.next_time() - now - 900 == pytest.approx(waits[0], rel=RETRY_SPREAD - 1)


def test_a_tracker_may_name_the_time_to_come_back():
    tiers = make([[A], [B]])
    a, b = tiers.due(0)
    tiers.failed(a, Refused("busy", 600), 0)
    tiers.failed(b, Refused("not yours", math.inf), 0)
    assert tiers.next_time() == 600
    assert status(tiers, B).state == "told us not to come back"
    tiers.announce_now(10)
    assert tiers.next_time() == RETRY_WISHED
    assert said(tiers.due(10_000)) == [(A, STARTED)]


def test_wishing_for_peers_respects_what_the_tracker_wants():
    tiers = make([[A], [B]])
    a, b = tiers.due(0)
    tiers.answered(a, answer(min_interval=100), 0)
    tiers.answered(b, answer(), 0)
    tiers.announce_now(5)
    assert tiers.due(MIN_GAP - 1) == ()
    assert said(tiers.due(MIN_GAP)) == [(B, NONE)]
    assert said(tiers.due(100)) == [(A, NONE)]


def test_wishing_for_peers_does_not_wake_reserves():
    tiers = make([[A, B]])
    (first,) = tiers.due(0)
    tiers.answered(first, answer(), 0)
    tiers.announce_now(60)
    assert said(tiers.due(60)) == [(first.url, NONE)]


def test_completed_is_told_once_to_those_who_knew_us_incomplete():
    tiers = make([[A], [B], [C]])
    a, b, c = tiers.due(0)
    tiers.answered(a, answer(min_interval=500), 0)
    tiers.failed(b, GONE, 0)
    tiers.completed(1)
    tiers.completed(1)
    first = tiers.due(1)
    assert said(first) == [(A, COMPLETED)]
    tiers.answered(c, answer(), 2)  # its `started` was under way
    second = tiers.due(2)
    assert said(second) == [(C, COMPLETED)]
    third = tiers.due(60)
    assert said(third) == [(B, STARTED)]  # learns of us as a seeder
    for due in (*first, *third, *second):
        tiers.answered(due, answer(), 60)
    assert said(tiers.due(960)) == [(A, NONE), (B, NONE), (C, NONE)]


def test_a_late_answer_to_the_round_before_is_not_taken_for_one_to_this():
    """One family of addresses, or one name of a hybrid, may take its time."""
    tiers = make([[A]])
    (started,) = tiers.due(0)
    tiers.answered(started, answer(), 1)
    tiers.completed(5)
    (completed,) = tiers.due(5)
    tiers.answered(started, answer(), 6)
    tiers.failed(started, GONE, 6)
    assert tiers.due(6) == (), "it is still under way"
    tiers.answered(completed, answer(), 7)
    assert said(tiers.due(60 * 60)) == [(A, NONE)], "told once"


def test_a_completed_that_fails_is_told_again():
    tiers = make([[A]])
    answered(tiers, 0, A)
    tiers.completed(1)
    assert failed(tiers, 1) == [A]
    assert said(tiers.due(tiers.next_time())) == [(A, COMPLETED)]


def test_a_torrent_that_was_complete_at_the_start_never_completes():
    tiers = make([[A]], complete=True)
    answered(tiers, 0, A)
    tiers.completed(1)
    assert tiers.next_time() == 900


def test_stopped_goes_to_those_that_answered_a_started():
    tiers = make([[A], [B], [C], [D]])
    a, b, c, d = tiers.due(0)
    tiers.answered(a, answer(tracker_id=b"id"), 0)
    tiers.failed(b, GONE, 0)
    tiers.answered(d, answer(), 0)
    assert sorted(failed(tiers, 900)) == [A, B, D]  # A and D answered before: they know us
    assert tiers.stop() == (Due(A, STOPPED, 0, b"id"), Due(D, STOPPED, 0, None))
    assert tiers.stop() == ()
    tiers.answered(c, answer(), 901)  # too late to count
    tiers.failed(c, GONE, 901)
    tiers.announce_now(901)
    assert tiers.next_time() == math.inf
    assert {tracker.state for tracker in tiers.status(0)} == {"stopped"}


def test_a_torrent_that_starts_again_waits_for_nothing():
    tiers = make([[A], [B]])
    assert failed(tiers, 0) == [A, B]
    assert failed(tiers, 40) == [A, B]
    assert tiers.next_time() > 50
    tiers.stop()
    tiers.start(50, complete=False)
    assert said(tiers.due(50)) == [(A, STARTED), (B, STARTED)]


def test_a_tracker_id_is_given_back_until_there_is_another():
    tiers = make([[A]])
    answered(tiers, 0, A, answer(tracker_id=b"one"))
    (due,) = tiers.due(900)
    assert due.tracker_id == b"one"
    tiers.answered(due, answer(), 900)
    assert tiers.due(1800)[0].tracker_id == b"one"


def test_what_we_cannot_speak_is_listed_and_never_asked():
    tiers = make([["ws://a:80", A], ["wss://b"], ["\x1b[31m:x"], ["HTTPS://C/announce"]])
    assert sorted(due.url for due in tiers.due(0)) == ["HTTPS://C/announce", A]
    assert status(tiers, "ws://a:80").state == "not supported: ws"
    assert status(tiers, "wss://b").state == "not supported: wss"
    assert status(tiers, "\x1b[31m:x").state == "not supported"
    assert status(tiers, "wss://b").next_announce is None


def test_the_same_tracker_is_asked_once_and_blanks_are_no_trackers():
    tiers = make([[A, A, " "], [], [f" {A}\n", B], [""]])
    assert [(tracker.url, tracker.tier) for tracker in tiers.status(0)] == [(A, 0), (B, 1)]


def test_a_torrent_with_a_flood_of_trackers():
    tiers = make([[f"http://{number}/announce"] for number in range(MAX_TRACKERS + 50)])
    assert len(tiers.status(0)) == MAX_TRACKERS
    dues = tiers.due(0)
    assert len(dues) == MAX_AT_ONCE
    assert tiers.due(0) == ()
    assert tiers.next_time() == math.inf
    tiers.failed(dues[0], GONE, 1)
    assert tiers.next_time() <= 1
    assert len(tiers.due(1)) == 1


def test_status_tells_how_each_tracker_is():
    tiers = make([[A, B], [C], [D]])
    first, c, _ = tiers.due(0)
    tiers.answered(first, answer(), 0)
    tiers.failed(c, GONE, 0)
    reserve = B if first.url == A else A
    assert status(tiers, first.url) == TrackerStatus(
        first.url, 0, "working", None, "a warning", 1, 3, 4, None, 900, None
    )
    assert status(tiers, reserve) == TrackerStatus(
        reserve, 0, "in reserve", None, None, 0, None, None, None, None, None
    )
    assert status(tiers, D).state == "announcing"
    failing = status(tiers, C)
    assert (failing.state, failing.error) == ("failing", "connection refused")
    assert failing.next_announce == tiers.next_time()
    assert status(make([[A]]), A).state == "waiting"


MOVES = st.lists(st.sampled_from(["answer", "fail", "refuse", "complete", "wish", "wait", "restart"]), max_size=60)


@given(MOVES, st.booleans(), st.integers(0, 1000))
def test_whatever_happens_the_events_are_in_order(moves, strict, seed):
    """A tracker hears `started` first, `completed` at most once and after it; a lane never has two under way."""
    tiers = make([[A, B], [C, "ws://x"], [D]], strict=strict, seed=seed)
    now, under_way, heard = 0.0, list[Due](), dict[str, list[AnnounceEvent]]()
    for move in moves:
        under_way += tiers.due(now)
        assert len({due.url for due in under_way}) == len(under_way) <= (1 if strict else 3)
        if move == "complete":
            tiers.completed(now)
        elif move == "wish":
            tiers.announce_now(now)
        elif move == "restart":
            assert {due.url for due in tiers.stop()} == set(heard)
            heard.clear()
            under_way.clear()
            tiers.start(now, complete=False)
        elif move == "wait" or not under_way:
            assert under_way or now < tiers.next_time() < now + RETRY_LAST * RETRY_SPREAD + 900
            now = now + 1 if under_way else tiers.next_time()
        elif move == "answer":
            due = under_way.pop(0)
            heard.setdefault(due.url, []).append(due.event)
            tiers.answered(due, answer(), now)
        else:
            tiers.failed(under_way.pop(0), GONE if move == "fail" else Refused("later", 60), now)
        for events in heard.values():
            assert events.index(STARTED) == 0
            assert events.count(STARTED) == 1
            assert events.count(COMPLETED) <= 1


# -- two families, scrapes, what is not asked ------------------------------------------------------------------------


def test_the_second_answer_of_an_announce_adds_to_the_first():
    tiers = make([[A]])
    (due,) = tiers.due(0)
    v6 = Answer(60, None, (Address("2001::5", 5), Address("1.2.3.4", 5)), 9, None, None, None, "2001::7")
    tiers.answered(due, answer(), 0)
    tiers.answered(due, v6, 1)
    told = status(tiers, A)
    assert (told.peers, told.seeders, told.leechers, told.warning) == (2, 9, 4, "a warning")
    assert told.external_ip == "2001::7"
    assert tiers.next_time() == 900


def test_a_second_answer_that_comes_after_the_next_announce_changes_nothing():
    tiers = make([[A]])
    (first,) = tiers.due(0)
    tiers.answered(first, answer(), 0)
    (second,) = tiers.due(900)
    tiers.answered(second, answer(), 900)
    tiers.answered(first, answer(tracker_id=b"old"), 901)
    assert tiers.due(1800)[0].tracker_id is None


def test_a_second_answer_that_comes_after_the_end_changes_nothing():
    tiers = make([[A]])
    (due,) = tiers.due(0)
    tiers.stop()
    tiers.answered(due, answer(), 0)
    assert status(tiers, A).peers == 0


def test_scrapes_are_for_all_that_we_speak_to_and_not_too_often():
    tiers = make([[A, B], ["wss://c"], ["udp://d:80"]])
    assert sorted(tiers.scrapes(5)) == [A, B, "udp://d:80"]
    assert tiers.scrapes(5 + SCRAPE_GAP - 1) == ()
    assert len(tiers.scrapes(5 + SCRAPE_GAP)) == 3
    tiers.stop()
    assert len(tiers.scrapes(5 + 2 * SCRAPE_GAP)) == 3


def test_figures_come_from_the_last_scrape_or_announce_that_had_them():
    tiers = make([[A]])
    tiers.scraped(A, [Counts(10, 11, 12)])
    told = status(tiers, A)
    assert (told.seeders, told.leechers, told.downloaded) == (10, 11, 12)
    answered(tiers, 0, A)
    told = status(tiers, A)
    assert (told.seeders, told.leechers, told.downloaded) == (3, 4, 12)
    tiers.scraped(A, [Counts(None, 5, None)])
    told = status(tiers, A)
    assert (told.seeders, told.leechers, told.downloaded) == (3, 5, 12)


def test_of_two_names_the_larger_swarm_counts_and_silence_changes_nothing():
    tiers = make([[A]])
    tiers.scraped(A, [Counts(10, 1, None), Counts(9, 2, None)])
    tiers.scraped(A, [])
    told = status(tiers, A)
    assert (told.seeders, told.leechers, told.downloaded) == (10, 2, None)


@pytest.mark.parametrize(("gaps", "again"), [((60, 1200), 1200), ((1200, 60), 1200), ((60, 120), 900)])
def test_it_rests_for_the_longest_that_any_answer_to_one_announce_wants(gaps: tuple[float, float], again: float):
    tiers = make([[A]])
    (due,) = tiers.due(0)
    for gap in gaps:
        tiers.answered(due, answer(max(900, gap), gap), 0)
    assert tiers.next_time() == again
    tiers.announce_now(10)
    assert tiers.next_time() == max(gaps)


def test_a_second_answer_does_not_delay_the_news():
    tiers = make([[A]])
    (due,) = tiers.due(0)
    tiers.answered(due, answer(), 0)
    tiers.completed(5)
    tiers.answered(due, answer(), 6)
    assert said(tiers.due(6)) == [(A, COMPLETED)]


def test_what_is_silenced_is_listed_with_the_reason():
    tiers = Tiers([["udp://a:80", A]], random=Random(1), silenced={"udp": "not asked: because"})
    tiers.start(0, complete=False)
    assert said(tiers.due(0)) == [(A, STARTED)]
    assert status(tiers, "udp://a:80").state == "not asked: because"
    assert tiers.scrapes(0) == (A,)


def test_the_next_announce_is_told_in_seconds_from_now():
    tiers = make([[A]])
    answered(tiers, 0, A)
    assert status(tiers, A, 100).next_announce == 800
    assert status(tiers, A, 1000).next_announce == 0


def test_the_address_at_which_a_tracker_sees_us_is_kept():
    tiers = make([[A]])
    (due,) = tiers.due(0)
    tiers.answered(due, Answer(900, None, (), None, None, None, None, "5.6.7.8"), 0)
    answered(tiers, 900, A)
    assert status(tiers, A).external_ip == "5.6.7.8"
