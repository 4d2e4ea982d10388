"""Tokens are for one address and one torrent, for ten minutes at most."""

from random import Random

import pytest

from trio_torrent.dht.tokens import ROTATION, Tokens

IP, OTHER_IP = b"\x01\x02\x03\x04", b"\x01\x02\x03\x05"
TORRENT, OTHER = b"t" * 20, b"o" * 20


@pytest.mark.parametrize("age", [0, 1, ROTATION - 1, ROTATION, 1.9 * ROTATION])
def test_accepted(age: float):
    tokens = Tokens(Random(1), 0)
    assert tokens.check(tokens.make(IP, TORRENT, 0), IP, TORRENT, age) is (age < 2 * ROTATION)


@pytest.mark.parametrize("made", [0, 299, 301])
@pytest.mark.parametrize("age", [2 * ROTATION, 3 * ROTATION, 1e9])
def test_too_old(made: float, age: float):
    tokens = Tokens(Random(1), 0)
    assert not tokens.check(tokens.make(IP, TORRENT, made), IP, TORRENT, made + age)


def test_old_step_by_step():
    tokens = Tokens(Random(1), 0)
    token = tokens.make(IP, TORRENT, 0)
    assert [tokens.check(token, IP, TORRENT, now) for now in (100, 400, 700)] == [True, True, False]


def test_for_one_address_and_one_torrent():
    tokens = Tokens(Random(1), 0)
    token = tokens.make(IP, TORRENT, 0)
    assert not tokens.check(token, OTHER_IP, TORRENT, 0)
    assert not tokens.check(token, IP, OTHER, 0)
    assert not tokens.check(b"", IP, TORRENT, 0)
    assert not Tokens(Random(2), 0).check(token, IP, TORRENT, 0)
