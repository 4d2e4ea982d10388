"""Why nothing comes: the first thing that is missing."""

import pytest

from trio_torrent.swarm.stall import Stall, why

NOTHING = {"known": 0, "dialling": 0, "peers": 0, "interesting": 0, "giving": 0, "silent": 0}


@pytest.mark.parametrize(
    ("facts", "stall"),
    [
        ({}, Stall.NO_PEERS),
        ({"known": 5}, Stall.UNREACHABLE),
        ({"known": 5, "dialling": 1}, Stall.CONNECTING),
        ({"known": 5, "peers": 2}, Stall.NOBODY_HAS),
        ({"peers": 1}, Stall.NOBODY_HAS),  # it came by itself
        ({"peers": 2, "interesting": 1}, Stall.CHOKED),
        ({"peers": 2, "interesting": 2, "giving": 2, "silent": 1}, Stall.WAITING),
        ({"peers": 2, "interesting": 2, "giving": 2, "silent": 2}, Stall.SILENT),
    ],
)
def test_the_first_thing_that_is_missing(facts: dict[str, int], stall: Stall):
    assert why(**{**NOTHING, **facts}, limited=False, full=False) is stall


def test_what_we_do_to_ourselves_comes_first():
    facts = {**NOTHING, "peers": 1, "interesting": 1, "giving": 1}
    assert why(**facts, limited=True, full=False) is Stall.RATE_LIMIT
    assert why(**facts, limited=False, full=True) is Stall.DISK_SLOW
