"""Peers that others have announced."""

from __future__ import annotations

from random import Random

from trio_torrent.dht.bloom import estimate
from trio_torrent.dht.peers import LIFETIME, MAX_PEERS, MAX_SAMPLES, MAX_TORRENTS, SAMPLE_INTERVAL, Peers

TORRENT = b"t" * 20


def endpoint(number: int, port: int = 1) -> bytes:
    return number.to_bytes(4, "big") + port.to_bytes(2, "big")


def info_hash(number: int) -> bytes:
    return number.to_bytes(20, "big")


def test_announced_and_told():
    peers = Peers(Random(1))
    peers.announced(TORRENT, endpoint(1), False, 0)
    peers.announced(TORRENT, endpoint(2), True, 0)
    assert set(peers.some(TORRENT, 10)) == {endpoint(1), endpoint(2)}
    assert list(peers.some(TORRENT, 10, noseed=True)) == [endpoint(1)]
    assert not peers.some(b"o" * 20, 10)
    assert peers.has(TORRENT)
    assert not peers.has(b"o" * 20)


def test_an_address_is_one_peer():
    peers = Peers(Random(1))
    peers.announced(TORRENT, endpoint(1, 1), False, 0)
    peers.announced(TORRENT, endpoint(1, 2), True, 1)
    assert list(peers.some(TORRENT, 10)) == [endpoint(1, 2)]
    assert not peers.some(TORRENT, 10, noseed=True)
    assert len(peers) == 1


def test_others_every_time():
    peers = Peers(Random(1))
    for number in range(100):
        peers.announced(TORRENT, endpoint(number), False, 0)
    told = [peers.some(TORRENT, 10) for _ in range(100)]
    assert all(len(set(some)) == 10 for some in told)
    assert len({peer for some in told for peer in some}) > 80
    assert len(peers.some(TORRENT, 0)) == 0


def test_forgotten_after_45_minutes():
    peers = Peers(Random(1))
    peers.announced(TORRENT, endpoint(1), False, 0)
    peers.announced(TORRENT, endpoint(2), False, 100)
    peers.announced(info_hash(1), endpoint(2), False, 0)
    peers.expire(LIFETIME - 1)
    assert (len(peers), peers.torrents) == (3, 2)
    peers.expire(LIFETIME)
    assert list(peers.some(TORRENT, 10)) == [endpoint(2)]
    assert (len(peers), peers.torrents) == (1, 1)
    peers.announced(TORRENT, endpoint(2), False, LIFETIME)
    peers.expire(LIFETIME + 100)
    assert len(peers) == 1


def test_a_full_swarm_forgets_the_longest_silent():
    peers = Peers(Random(1))
    for number in range(MAX_PEERS):
        peers.announced(TORRENT, endpoint(number), False, number)
    peers.announced(TORRENT, endpoint(0), False, 1000)
    peers.announced(TORRENT, endpoint(9999), False, 1000)
    known = set(peers.some(TORRENT, 10_000))
    assert len(known) == len(peers) == MAX_PEERS
    assert {endpoint(0), endpoint(9999)} <= known
    assert endpoint(1) not in known


def test_a_flood_of_invented_torrents_does_not_drive_out_the_real_ones():
    peers = Peers(Random(1))
    for number in range(3):
        peers.announced(TORRENT, endpoint(number), False, 0)
    for number in range(MAX_TORRENTS + 500):
        peers.announced(info_hash(number), endpoint(77), False, 1)
    assert peers.torrents == MAX_TORRENTS
    assert len(peers.some(TORRENT, 10)) == 3
    assert not peers.has(info_hash(0))
    assert len(peers) == MAX_TORRENTS + 2


def test_counted_by_kind():
    peers = Peers(Random(1))
    assert peers.filters(TORRENT) is None
    for number in range(30):
        peers.announced(TORRENT, endpoint(number), number < 10, 0)
    filters = peers.filters(TORRENT)
    assert filters is not None
    assert [round(estimate(known)) for known in filters] == [10, 20]


def test_a_sample_stays_the_same_for_a_while():
    peers = Peers(Random(1))
    assert peers.sample(0).info_hashes == ()
    for number in range(100):
        peers.announced(info_hash(number), endpoint(1), False, 0)
    sample = peers.sample(10)
    assert (len(set(sample.info_hashes)), sample.num, sample.interval) == (MAX_SAMPLES, 100, SAMPLE_INTERVAL)
    assert peers.sample(20).info_hashes == sample.info_hashes
    assert peers.sample(20).interval == SAMPLE_INTERVAL - 10
    assert peers.sample(10 + SAMPLE_INTERVAL).info_hashes != sample.info_hashes


def test_a_small_sample_grows():
    peers = Peers(Random(1))
    for number in range(3):
        peers.announced(info_hash(number), endpoint(1), False, 0)
        assert len(peers.sample(number).info_hashes) == number + 1
