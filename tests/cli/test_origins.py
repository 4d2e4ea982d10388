"""Where peers come from, in words and for programs."""

from __future__ import annotations

import json

import attrs
import pytest

from trio_torrent import DiscoveryStatus, TrackerStatus, WebSeedState, WebSeedStatus
from trio_torrent.cli.fields import sources
from trio_torrent.cli.origins import origins

from .test_words import DOWNLOADING

REFUSED = TrackerStatus(
    url="http://user:secret@t.example:80/passkey/announce",
    tier=0,
    state="failing",
    error="refused",
    warning=None,
    peers=0,
    seeders=None,
    leechers=None,
    downloaded=None,
    next_announce=30.0,
    external_ip=None,
)
ANSWERED = attrs.evolve(REFUSED, state="working", error=None, warning="slow down", peers=50, seeders=9, leechers=0)
DHT = DiscoveryStatus(state="idle", peers=7, nodes=20, announced_to=8, last=3.0, next=600.0)
SEED = WebSeedStatus("https://w.example/data/", WebSeedState.RESTING, 2048, "404 Not Found", 61.0)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"trackers": (REFUSED,)}, "tracker t.example:80: failing: refused, again in 30 s"),
        (
            {"trackers": (attrs.evolve(ANSWERED, next_announce=None),)},
            "tracker t.example:80: working: slow down, 50 given, 9 seeding, 0 downloading",
        ),
        ({"dht": DHT}, "DHT: idle: 7 given, 20 nodes answered, again in 10 min 00 s"),
        (
            {"web_seeds": (SEED,)},
            "web seed w.example: resting: 404 Not Found, 2.0 KiB received, again in 1 min 01 s",
        ),
        ({"named": {"pex": 12, "tracker x": 3}}, "other peers: 12 addresses known"),
        ({"named": {"lsd": 1}}, "the local network: 1 address known"),
        ({"named": {"the user": 2}}, "--peer and the link: 2 addresses known"),
    ],
)
def test_each_in_a_line(changes, line):
    assert [str(origin) for origin in origins(attrs.evolve(DOWNLOADING, **changes))] == [line]


def test_what_has_a_key_in_it_is_not_shown():
    (origin,) = origins(attrs.evolve(DOWNLOADING, trackers=(REFUSED,)))
    assert "secret" not in str(origin)
    assert "passkey" not in str(origin)


def test_for_programs():
    status = attrs.evolve(DOWNLOADING, trackers=(REFUSED,), dht=DHT, web_seeds=(SEED,), named={"pex": 12})
    found = json.loads(json.dumps(sources(status)))
    assert found["trackers"][0]["url"] == REFUSED.url
    assert (found["trackers"][0]["error"], found["trackers"][0]["next_announce"]) == ("refused", 30.0)
    assert (found["dht"]["peers"], found["web_seeds"][0]["state"], found["named"]) == (7, "resting", {"pex": 12})
    assert sources(DOWNLOADING)["dht"] is None
