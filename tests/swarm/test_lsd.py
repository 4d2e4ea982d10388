"""The local network: when we speak, and whom we believe."""

from __future__ import annotations

from random import Random

import pytest

from trio_torrent.address import Address
from trio_torrent.swarm.lsd import AGAIN_SECONDS, APART_SECONDS, MOST_HEARD, Neighbourhood
from trio_torrent.wire.lsd import MOST_HASHES, LocalAnnounce, encode_local

ONE, TWO = b"1" * 20, b"2" * 20
NEIGHBOUR = "192.168.1.5"


def make(seed: int = 1) -> Neighbourhood:
    return Neighbourhood(6881, Random(seed))


def said(neighbourhood: Neighbourhood, info_hashes: list[bytes], now: float) -> tuple[bytes, ...]:
    announce = neighbourhood.due(info_hashes, now)
    return () if announce is None else announce.info_hashes


def datagram(*info_hashes: bytes, port: int = 7000, cookie: str = "theirs") -> bytes:
    return encode_local(LocalAnnounce(port, info_hashes or (ONE,), cookie), ipv6=False)


# -- speaking --------------------------------------------------------------------------------------------------------


def test_at_once_and_then_every_five_minutes():
    here = make()
    announce = here.due([ONE, TWO], 1000)
    assert announce is not None
    assert (announce.port, announce.info_hashes) == (6881, (ONE, TWO))
    assert said(here, [ONE, TWO], 1000 + AGAIN_SECONDS - 1) == ()
    assert said(here, [ONE, TWO], 1000 + AGAIN_SECONDS) == (ONE, TWO)


def test_a_message_a_minute_at_the_most():
    here = make()
    assert said(here, [ONE], 1000) == (ONE,)
    assert said(here, [ONE, TWO], 1000 + APART_SECONDS - 1) == ()
    assert said(here, [ONE, TWO], 1000 + APART_SECONDS) == (TWO,)


def test_what_could_not_be_sent_was_not_said():
    here = make()
    announce = here.due([ONE, TWO], 1000)
    assert announce is not None
    here.unheard(announce)
    assert said(here, [ONE, TWO], 1000 + APART_SECONDS - 1) == ()
    assert said(here, [ONE, TWO], 1000 + APART_SECONDS) == (ONE, TWO)


def test_many_torrents_take_turns():
    here, now = make(), 0.0
    everything = [bytes([number]) * 20 for number in range(3 * MOST_HASHES + 1)]
    announced: list[bytes] = []
    for _ in range(4):
        announced += said(here, everything, now)
        now += APART_SECONDS
    assert sorted(announced) == everything
    assert said(here, everything, now) == ()
    assert said(here, everything, AGAIN_SECONDS) == tuple(everything[:MOST_HASHES])


def test_nothing_is_said_of_nothing():
    assert make().due([], 1000) is None


def test_what_went_and_came_again_is_new():
    here = make()
    said(here, [ONE], 1000)
    said(here, [], 1001)
    assert said(here, [ONE], 1000 + APART_SECONDS) == (ONE,)


# -- hearing ---------------------------------------------------------------------------------------------------------


def test_a_neighbour_has_these():
    assert make().heard(datagram(ONE, TWO), NEIGHBOUR, 0) == (Address(NEIGHBOUR, 7000), (ONE, TWO))


def test_we_know_ourselves():
    here = make()
    own = here.due([ONE], 0)
    assert own is not None
    assert here.heard(encode_local(own, ipv6=False), NEIGHBOUR, 0) is None
    assert make(seed=2).heard(encode_local(own, ipv6=False), NEIGHBOUR, 0) is not None


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111"])
def test_only_neighbours_are_listened_to(host: str):
    assert make().heard(datagram(), host, 0) is None


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"BT-SEARCH * HTTP/1.1\r\n\r\n"])
def test_rubbish_is_nothing(rubbish: bytes):
    assert make().heard(rubbish, NEIGHBOUR, 0) is None


def test_a_storm_is_not_listened_to():
    here = make()
    answers = [here.heard(datagram(), NEIGHBOUR, 5 + number / 100) for number in range(50)]
    assert sum(answer is not None for answer in answers) == MOST_HEARD
    assert here.heard(datagram(), NEIGHBOUR, 6.01) is not None
