"""What is kept of the answers that a search gets, and what it writes at the end."""

from __future__ import annotations

from trio_torrent.dht import items
from trio_torrent.dht.bloom import bloom, estimate
from trio_torrent.dht.lookup import Nearest
from trio_torrent.dht.messages import AnnouncePeer, Contact, Get, GetPeers, Item, Put, Reply, SampleInfohashes
from trio_torrent.dht.searches import (
    MAX_PEERS,
    MAX_SAMPLED,
    ItemSearch,
    PeerSearch,
    SampleSearch,
    ScrapeSearch,
    Search,
    store,
)

TORRENT, KEY = b"h" * 20, b"k" * 32
ONE, OTHER, THIRD = (Contact(bytes([n]) * 20, bytes([n, 1, 1, 1, 1, 1])) for n in (20, 21, 22))
NEAREST = [Nearest(ONE, b"one"), Nearest(OTHER, None), Nearest(THIRD, b"third")]


def peer(number: int) -> bytes:
    return b"\x20" + number.to_bytes(3, "big") + b"\1\1"


def trusting(key: bytes, signature: bytes, data: bytes) -> bool:
    return signature == b"s" * 64


def item(seq: int, signature: bytes = b"s" * 64) -> Item:
    return Item(b"i%de" % seq, KEY, seq, signature)


def hear(search: Search, contact: Contact = ONE, **fields: object) -> None:
    search.heard(contact, Reply(transaction=b"", id=contact.id, **fields))  # type: ignore[arg-type]  # as each needs


def test_peers_are_told_once():
    search = PeerSearch(TORRENT)
    hear(search, values=(peer(1), peer(2)))
    assert search.take() == [peer(1), peer(2)]
    hear(search, values=(peer(2), peer(3)))
    assert search.take() == [peer(3)]
    assert search.take() == []


def test_bogus_peers_are_left_out():
    bogus = (b"\x7f\0\0\1\1\1", b"\x20\1\1\1\0\0", b"\xff\xff\xff\xff\1\1", bytes(18))
    search = PeerSearch(TORRENT)
    hear(search, values=bogus)
    assert search.take() == []
    local = PeerSearch(TORRENT, allow_local=True)
    hear(local, values=bogus)
    assert local.take() == [b"\x7f\0\0\1\1\1"]


def test_so_many_peers_at_most():
    search = PeerSearch(TORRENT)
    for start in range(0, 2 * MAX_PEERS, 100):
        hear(search, values=tuple(peer(start + n) for n in range(100)))
    assert len(search.take()) == MAX_PEERS


def test_what_is_asked_and_announced():
    assert PeerSearch(TORRENT, noseed=True).ask == GetPeers(TORRENT, noseed=True)
    assert PeerSearch(TORRENT).writes(NEAREST) == []
    assert PeerSearch(TORRENT, announce=7, implied_port=True, seed=True).writes(NEAREST) == [
        (ONE, AnnouncePeer(TORRENT, 7, b"one", implied_port=True, seed=True)),
        (THIRD, AnnouncePeer(TORRENT, 7, b"third", implied_port=True, seed=True)),
    ]


def test_a_scrape_adds_up():
    search = ScrapeSearch(TORRENT)
    assert search.ask == GetPeers(TORRENT, scrape=True)
    hear(search, seeds=bloom([b"aaaa"]), peers=bloom([b"bbbb", b"cccc"]))
    hear(search, OTHER, seeds=bloom([b"aaaa", b"dddd"]), peers=bloom([b"cccc"]))
    assert [round(estimate(bits)) for bits in search.filters()] == [2, 2]


def test_nodes_that_know_no_scrapes_count_as_well():
    search = ScrapeSearch(TORRENT)
    hear(search, values=(peer(1), peer(2), peer(3)))
    hear(search, OTHER, seeds=bloom([peer(1)[:4]]), peers=bloom([peer(2)[:4]]))
    assert [round(estimate(bits)) for bits in search.filters()] == [1, 2]


def test_samples_are_gathered_within_limits():
    search = SampleSearch(TORRENT)
    assert search.ask == SampleInfohashes(TORRENT)
    for start in range(0, 2 * MAX_SAMPLED, 50):
        hear(search, samples=tuple((start + n).to_bytes(20, "big") for n in range(50)))
    hear(search)
    assert MAX_SAMPLED <= len(search.info_hashes) <= MAX_SAMPLED + 50


def test_the_newest_genuine_item():
    search = ItemSearch(items.target_for(KEY), verify=trusting)
    assert search.ask == Get(items.target_for(KEY))
    for found in (None, item(2), item(1), item(9, signature=b"f" * 64), Item(b"1:x")):
        hear(search, item=found)
    assert search.item == item(2)
    hear(search, OTHER, item=item(3))
    assert search.item == item(3)


def test_the_salt_is_ours_to_know():
    search = ItemSearch(items.target_for(KEY, b"salt"), verify=trusting, salt=b"salt")
    hear(search, item=item(1))
    assert search.item is not None
    assert search.item.salt == b"salt"


def test_who_has_something_to_compare_with_is_told_what():
    search = store(item(5), trusting, cas=4)
    assert search.target == items.target_for(KEY)
    hear(search, ONE, item=item(4))
    hear(search, THIRD, item=item(3))
    assert search.writes(NEAREST) == [(ONE, Put(item(5), b"one", 4)), (THIRD, Put(item(5), b"third", None))]
