"""Why nothing comes, in words."""

import attrs

from trio_torrent.client.status import in_words
from trio_torrent.swarm.stall import Stall
from trio_torrent.tracker.status import TrackerStatus


def test_if_nobody_is_known_the_tracker_says_why():
    good, bad = (tracker(error) for error in (None, "tracker.example: timed out"))
    assert in_words(Stall.NO_PEERS, (good, bad)) == "no peers known (tracker.example: timed out)"
    assert in_words(Stall.NO_PEERS, (good,)) == "no peers known"
    assert in_words(Stall.CHOKED, (bad,)) == "all peers choke us"
    assert in_words(None, (bad,)) is None


def tracker(error: str | None) -> TrackerStatus:
    values = {field.name: None for field in attrs.fields(TrackerStatus)}
    return TrackerStatus(**{**values, "error": error})  # type: ignore[arg-type]  # nothing else matters here
