"""A torrent with two names at one tracker."""

import math

import pytest

from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import AnnounceEvent, Refused
from trio_torrent.tracker.names import Names

NONE, STARTED, COMPLETED, STOPPED = AnnounceEvent
A, B = "http://a/announce", "http://b/announce"
ONE, TWO = b"1" * 20, b"2" * 20


def test_each_name_is_started_at_each_tracker_until_that_was_answered():
    names = Names()
    assert names.event(A, ONE, STARTED) is STARTED
    assert names.event(A, ONE, COMPLETED) is STARTED
    names.answered(A, ONE)
    assert names.event(A, ONE, NONE) is NONE
    assert names.event(A, ONE, COMPLETED) is COMPLETED
    assert names.event(A, TWO, NONE) is STARTED
    assert names.event(B, ONE, NONE) is STARTED


def test_only_what_is_known_is_stopped_and_once():
    names = Names()
    names.answered(A, ONE)
    assert names.event(A, TWO, STOPPED) is None
    assert names.event(A, ONE, STOPPED) is STOPPED
    assert names.event(A, ONE, STOPPED) is None


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Refused("not registered", math.inf), None),
        (Refused("not registered", 600), STARTED),
        (Refused("not registered"), STARTED),
        (TrackerError("no answer"), STARTED),
    ],
)
def test_a_name_that_is_never_welcome_is_not_said_again(error: TrackerError, again: AnnounceEvent | None):
    names = Names()
    names.failed(A, TWO, error)
    assert names.event(A, TWO, NONE) is again
    assert names.event(A, ONE, NONE) is names.event(B, TWO, NONE) is STARTED
    names.start()
    assert names.event(A, TWO, STARTED) is STARTED


def test_after_a_new_start_nobody_knows_any():
    names = Names()
    names.answered(A, ONE)
    names.start()
    assert names.event(A, ONE, STOPPED) is None
