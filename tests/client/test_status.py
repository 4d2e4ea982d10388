"""Why nothing comes, in words."""

import attrs

from trio_torrent.client.status import in_words
from trio_torrent.dht.status import DiscoveryStatus
from trio_torrent.swarm.stall import Stall
from trio_torrent.tracker.status import TrackerStatus


def test_if_nobody_is_known_the_tracker_says_why():
    good, bad = (tracker(error) for error in (None, "tracker.example: timed out"))
    assert in_words(Stall.NO_PEERS, (good, bad)) == "no peers known (tracker.example: timed out)"
    assert in_words(Stall.NO_PEERS, (good,)) == "no peers known"
    assert in_words(Stall.CHOKED, (bad,)) == "all peers choke us"
    assert in_words(None, (bad,)) is None


def test_if_nobody_is_known_the_dht_says_what_it_does():
    dht = DiscoveryStatus(state="looking for peers", peers=0, nodes=0, announced_to=0, last=None, next=None)
    bad = tracker("tracker.example: timed out")
    assert in_words(Stall.NO_PEERS, (), dht) == "no peers known (DHT: looking for peers)"
    assert in_words(Stall.NO_PEERS, (bad,), dht) == (
        "no peers known (tracker.example: timed out; DHT: looking for peers)"
    )
    assert in_words(Stall.CHOKED, (bad,), dht) == "all peers choke us"
    assert in_words(None, (bad,), dht) is None


def tracker(error: str | None) -> TrackerStatus:
    values = {field.name: None for field in attrs.fields(TrackerStatus)}
    return TrackerStatus(**{**values, "error": error})  # type: ignore[arg-type]  # nothing else matters here
