"""A tracker's status as one line."""

import attrs
import pytest

from trio_torrent.tracker.status import TrackerStatus

WAITING = TrackerStatus("http://t/announce", 0, "waiting", None, None, 0, None, None, None, None, None)
WORKING = attrs.evolve(WAITING, state="working", peers=50, seeders=3, leechers=0, next_announce=899.7)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (WAITING, "waiting"),
        (WORKING, "working: 50 given, 3 seeding, 0 downloading, next announce in 900 s"),
        (
            attrs.evolve(WORKING, warning="be nice", peers=0, next_announce=None),
            "working: be nice, 3 seeding, 0 downloading",
        ),
        (
            attrs.evolve(WAITING, state="failing", error="timed out", next_announce=5.0),
            "failing: timed out, next announce in 5 s",
        ),
    ],
)
def test_one_line_for_people(status, line):
    assert str(status) == line


def test_it_is_plain_data():
    assert attrs.asdict(WORKING)["next_announce"] == 899.7
