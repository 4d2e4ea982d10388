"""Why nothing comes, in words."""

import attrs
import pytest

from trio_torrent.client.status import why_nothing_comes
from trio_torrent.swarm.scheduler import Swarm
from trio_torrent.tracker.tiers import TrackerStatus

KNOWS_NOBODY = Swarm.nothing()
KNOWS_FIVE = attrs.evolve(KNOWS_NOBODY, known=5)
CONNECTED = attrs.evolve(KNOWS_FIVE, peers=2)
INTERESTING = attrs.evolve(CONNECTED, interesting=1)
UNCHOKED = attrs.evolve(INTERESTING, unchoked_by=1)
FLOWING = attrs.evolve(UNCHOKED, down_rate=1.0)


@pytest.mark.parametrize(
    ("swarm", "reason"),
    [
        (KNOWS_NOBODY, "no peers known"),
        (KNOWS_FIVE, "none of 5 known peers can be reached"),
        (CONNECTED, "no connected peer has what is missing"),
        (INTERESTING, "all peers choke us"),
        (UNCHOKED, "waiting for data"),
        (FLOWING, None),
        (attrs.evolve(KNOWS_NOBODY, peers=1), "no connected peer has what is missing"),  # it came by itself
    ],
)
def test_the_first_thing_that_is_missing(swarm: Swarm, reason: str | None):
    assert why_nothing_comes(swarm, ()) == reason


def test_if_nobody_is_known_the_tracker_says_why():
    good, bad = (tracker(error) for error in (None, "tracker.example: timed out"))
    assert why_nothing_comes(KNOWS_NOBODY, (good, bad)) == "no peers known (tracker.example: timed out)"
    assert why_nothing_comes(KNOWS_NOBODY, (good,)) == "no peers known"
    assert why_nothing_comes(KNOWS_FIVE, (bad,)) == "none of 5 known peers can be reached"


def tracker(error: str | None) -> TrackerStatus:
    values = {field.name: None for field in attrs.fields(TrackerStatus)}
    return TrackerStatus(**{**values, "error": error})  # type: ignore[arg-type]  # nothing else matters here
