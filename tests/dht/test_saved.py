"""The tables over a restart."""

from __future__ import annotations

from random import Random

import pytest

from tests.dht.network import Network
from trio_torrent.bencode import Value, encode
from trio_torrent.dht.endpoint import Family
from trio_torrent.dht.messages import Contact
from trio_torrent.dht.node import Node
from trio_torrent.dht.saved import MAX_NODES, MAX_SAVED, load, save

ID = b"i" * 20


def test_round_trip():
    nodes = [Node(family, random=Random(1), now=0) for family in Family]
    network = Network(1)
    for node in nodes:
        for _ in range(20):
            contact = Contact(network.random.randbytes(20), network.new_endpoint(node.family))
            node.table.replied(contact, 0)
    found = load(save(nodes))
    assert {family: saved.id for family, saved in found.items()} == {node.family: node.id for node in nodes}
    for node in nodes:
        assert set(found[node.family].contacts) == {entry.contact for entry in node.table.entries}


def test_those_who_answered_last_come_first():
    node = Node(Family.IPV4, random=Random(1), now=0)
    network = Network(1)
    contacts = [Contact(network.random.randbytes(20), network.new_endpoint()) for _ in range(10)]
    for when, contact in enumerate(contacts):
        node.table.replied(contact, when)
    node.table.failed(contacts[-1], 100)
    assert load(save([node]))[Family.IPV4].contacts == (*reversed(contacts[:-1]), contacts[-1])


def test_a_node_alone():
    node = Node(Family.IPV6, random=Random(1), now=0)
    assert load(save([node])).keys() == {Family.IPV6}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {b"v": 2, b"4": {b"id": ID, b"nodes": b""}},
        {b"v": 1, b"4": []},
        {b"v": 1, b"4": {b"id": b"short", b"nodes": b""}},
        {b"v": 1, b"4": {b"id": ID, b"nodes": [b""]}},
        {b"v": 1, b"4": {b"id": ID}},
    ],
)
def test_what_is_no_table(value: Value):
    assert load(encode(value)) == {}


@pytest.mark.parametrize("data", [b"", b"garbage", b"d1:v", b"l" * 100, bytes(MAX_SAVED + 1)])
def test_what_is_no_bencode(data: bytes):
    assert load(data) == {}


def test_a_torn_one_and_too_many():
    nodes = b"".join(n.to_bytes(20, "big") + bytes(6) for n in range(MAX_NODES + 100))
    found = load(encode({b"v": 1, b"4": {b"id": ID, b"nodes": nodes + b"torn"}}))
    assert len(found[Family.IPV4].contacts) == MAX_NODES


def test_bogus_nodes_are_not_restored():
    node = Node(Family.IPV4, random=Random(1), now=0)
    bogus = [Contact(ID, b"\x7f\0\0\1\1\1"), Contact(ID, b"\x08\x08\x08\x08\0\0"), Contact(ID, bytes(18))]
    node.restore(bogus, 0)
    assert not len(node.table)
    assert not node.datagrams()
