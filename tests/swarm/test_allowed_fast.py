"""The pieces that the choked may have: the BEP's examples, and what it leaves open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.swarm.allowed_fast import allowed_fast_set

HASH = b"\xaa" * 20
SEVEN = (1059, 431, 808, 1217, 287, 376, 1188)


@pytest.mark.parametrize(("k", "expected"), [(7, SEVEN), (9, (*SEVEN, 353, 508)), (0, ())])
def test_the_examples_of_bep_6(k, expected):
    assert allowed_fast_set("80.4.4.200", HASH, 1313, k) == expected


def test_a_network_has_one_set():
    assert allowed_fast_set("80.4.4.1", HASH, 1313, 7) == SEVEN
    assert allowed_fast_set("::ffff:80.4.4.7", HASH, 1313, 7) == SEVEN
    assert allowed_fast_set("80.4.5.200", HASH, 1313, 7) != SEVEN


def test_each_torrent_has_its_own():
    assert allowed_fast_set("80.4.4.200", b"\xab" * 20, 1313, 7) != SEVEN


def test_ipv6_counts_as_a_whole():
    """Computed once with libtorrent's rule: SHA-1 of the 16 bytes of the address and the info-hash."""
    one, two = (allowed_fast_set(host, HASH, 1313) for host in ("2001:db8::1", "2001:db8::2"))
    assert one == (1161, 940, 1118, 646, 978)
    assert one != two


def test_a_name_has_none():
    assert allowed_fast_set("peer.example", HASH, 1313) == ()


@given(pieces=st.integers(0, 40), k=st.integers(0, 12), last=st.integers(0, 255))
def test_as_many_as_there_are_and_each_once(pieces, k, last):
    chosen = allowed_fast_set(f"192.0.{last}.1", HASH, pieces, k)
    assert len(set(chosen)) == len(chosen) == min(k, pieces)
    assert all(0 <= piece < pieces for piece in chosen)
    if k + 1 < pieces:
        assert allowed_fast_set(f"192.0.{last}.1", HASH, pieces, k + 1)[:k] == chosen, "the same, and one more"
