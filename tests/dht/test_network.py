"""Many nodes in virtual time. `python -m tests.sim.dht` does it with thousands."""

from __future__ import annotations

import gc

import pytest

from tests.dht.network import Network
from tests.sim.dht import DELAY, LOSS, Report, churn, measure, populate
from trio_torrent.dht import items
from trio_torrent.dht.bloom import estimate
from trio_torrent.dht.endpoint import Endpoint, ip_of, with_port
from trio_torrent.dht.krpc import encode_query
from trio_torrent.dht.messages import FindNode, Get, GetPeers, Item, Query
from trio_torrent.dht.node import Node
from trio_torrent.dht.node_id import id_for, random_id, suits
from trio_torrent.dht.options import Options
from trio_torrent.dht.saved import load, save
from trio_torrent.dht.searches import ItemSearch, PeerSearch, SampleSearch, ScrapeSearch, store
from trio_torrent.dht.serving import AMPLIFICATION
from trio_torrent.dht.table import K

TORRENT = b"h" * 20


def town(size: int, *, seed: int = 1, loss: float = 0.0) -> tuple[Network, list[Endpoint]]:
    """Honest nodes that have found one another."""
    network = Network(seed, loss=loss, delay=DELAY)
    router = network.new_endpoint()
    network.add_node([], endpoint=router)
    for _ in range(size - 1):
        network.add_node([router])
        network.run(0.2)
    network.run(30)
    return network, [router]


@pytest.mark.slow
def test_a_torrent_is_announced_found_scraped_and_sampled():
    network, _ = town(40)
    nodes = network.nodes
    for number, node in enumerate(nodes[:20]):
        search = PeerSearch(TORRENT, announce=7000 + number, seed=number < 5)
        network.finish(node, search)
        assert search.written >= K
    finder = PeerSearch(TORRENT)
    network.finish(nodes[30], finder)
    assert set(finder.take()) == {with_port(network.where[node], 7000 + n) for n, node in enumerate(nodes[:20])}
    scrape = ScrapeSearch(TORRENT)
    network.finish(nodes[31], scrape)
    assert [round(estimate(bits)) for bits in scrape.filters()] == [5, 15]
    sample = SampleSearch(TORRENT)
    network.finish(nodes[32], sample)
    assert sample.info_hashes == {TORRENT}
    noseed = PeerSearch(TORRENT, noseed=True)
    network.finish(nodes[33], noseed)
    assert len(noseed.take()) == 15


def test_a_crowd_that_comes_at_once_is_known_soon():
    """It finds a node that knows nobody: the beginning of a network."""
    network = Network(1, delay=DELAY)
    first = network.add_node([])
    for _ in range(30):
        network.add_node([network.where[first]])
    network.run(10)
    assert len(first.table) > 3 * K


@pytest.mark.slow
def test_items_are_stored_replaced_and_found():
    network, _ = town(40)
    nodes = network.nodes

    def verify(key: bytes, signature: bytes, data: bytes) -> bool:
        return signature.startswith(key)

    def found(node: Node, target: bytes) -> Item | None:
        search = ItemSearch(target, verify=verify)
        network.finish(node, search)
        return search.item

    big = items.immutable(bytes(900))
    put = store(big, verify)
    network.finish(nodes[1], put)
    assert put.written >= K
    assert found(nodes[30], items.target_of(big)) == big

    key = b"k" * 32
    versions = [Item(items.immutable(n).raw, key, n, key + key) for n in range(1, 4)]
    for seq, cas in ((1, None), (2, 1)):
        network.finish(nodes[seq], store(versions[seq - 1], verify, cas))
        assert found(nodes[30 + seq], items.target_for(key)) == versions[seq - 1]
    stale = store(versions[2], verify, cas=1)
    network.finish(nodes[5], stale)
    assert stale.written < len(stale.refused)  # who did not have the item has nothing to compare with
    assert {failure.code for failure in stale.refused} == {301}


@pytest.mark.slow
def test_among_liars_loss_and_churn_peers_are_found():
    network = Network(3, loss=LOSS, delay=DELAY)
    routers = populate(network, 150, join_rate=10)
    churn(network, routers, 3600)
    network.run(60)
    report = measure(network, 40, pause=5, report=Report())
    assert report.found >= report.lookups * 0.99
    assert report.hops < 5
    assert report.most_spares <= 400
    assert report.most_entries <= 400


@pytest.mark.slow
def test_eight_forgers_around_a_torrent_do_not_hide_it():
    """Their ids do not suit their addresses, and they say that there is nobody (BEP 42)."""
    network, routers = town(60)
    prefix = int.from_bytes(TORRENT, "big")
    for _ in range(K):
        forged = random_id(network.random, prefix=prefix, bits=100)
        forger = network.add_node(routers, node_id=forged)
        forger.serving.peers._max_peers = 1
    network.run(60)
    announcer, finder = network.nodes[5], network.nodes[20]
    network.finish(announcer, PeerSearch(TORRENT, announce=7000))
    for node in network.nodes:
        if node.id.startswith(TORRENT[:12]):
            node.serving.peers.expire(1e9)
    wanted = with_port(network.where[announcer], 7000)
    assert network.find(finder, TORRENT, wanted) is not None


@pytest.mark.slow
def test_a_warm_start_finds_peers_within_a_second():
    network, _ = town(60)
    old, announcer = network.nodes[7], network.nodes[20]
    network.finish(announcer, PeerSearch(TORRENT, announce=7000))
    data, endpoint = save([old]), network.where[old]
    network.remove(old)
    network.run(1800)
    ((_, saved),) = load(data).items()
    node = network.add_node([], endpoint=endpoint, node_id=saved.id)
    node.restore(saved.contacts, network.now)
    seconds = network.find(node, TORRENT, with_port(network.where[announcer], 7000))
    assert seconds is not None
    assert seconds < 1


@pytest.mark.slow
def test_a_node_that_knows_one_other_knows_many_soon():
    network, _ = town(60)
    known = network.nodes[30]
    newcomer = network.add_node([])
    newcomer.add_endpoint(network.where[known], network.now)
    network.attend(newcomer)
    network.run(20)
    assert len(newcomer.table) >= 20


@pytest.mark.slow
def test_ids_come_to_suit_addresses():
    """Nobody knows his own address at first."""
    network = Network(1)
    router = network.new_endpoint()
    network.add_node([], endpoint=router)
    for _ in range(20):
        network.add_node([router], node_id=random_id(network.random))
        network.run(1)
    network.run(1800)
    assert all(suits(node.id, ip_of(network.where[node])) for node in network.nodes)


@pytest.mark.slow
def test_a_read_only_node_finds_and_is_left_alone():
    network, routers = town(30)
    reader = network.add_node(routers, options=Options(read_only=True))
    network.run(60)
    announcer = network.nodes[4]
    network.finish(announcer, PeerSearch(TORRENT, announce=7000))
    assert network.find(reader, TORRENT, with_port(network.where[announcer], 7000)) is not None
    where = network.where[reader]
    assert all(node.table.placed(where) is None for node in network.nodes)


@pytest.mark.slow
def test_nobody_is_flooded_by_what_is_sent_in_his_name():
    """Queries with a forged sender: what reaches him is at most thrice what the forger spent."""
    network, _ = town(40)
    victim = network.new_endpoint()
    spent: dict[str, int] = {"in": 0, "out": 0}
    for node in network.nodes:
        for number in range(100):
            node.serving.peers.announced(TORRENT, victim[:3] + bytes([number, 1, 1]), False, network.now)

    def tap(sender: Endpoint, to: Endpoint, data: bytes) -> None:
        spent["out"] += len(data) * (to == victim)

    network.tap = tap
    forged_id = id_for(ip_of(victim), network.random)
    for _ in range(10):
        for node in network.nodes:
            for ask in (GetPeers(TORRENT, scrape=True), FindNode(TORRENT), Get(TORRENT)):
                data = encode_query(Query(b"aa", forged_id, ask))
                spent["in"] += len(data)
                node.receive(data, victim, network.now)
                network.attend(node)
        network.run(300)
    assert 0 < spent["out"] <= AMPLIFICATION * spent["in"]


@pytest.mark.slow
def test_a_day_leaves_no_trace():
    """What there is in memory is as much after 24 virtual hours of announces and churn as after four.

    Each of the nodes knows all others and looks after them, so an hour's work grows with their square.
    """
    network, routers = town(30)
    churn(network, routers, 30 * 3600)
    for _ in range(2000):  # what is cached is bounded: let it be full
        id_for(ip_of(network.new_endpoint()), network.random)

    def objects_after(hours: int) -> int:
        for _ in range(hours):
            for node in network.nodes[:4]:
                network.finish(node, PeerSearch(network.random.randbytes(20), announce=7000))
            network.run(3600)
        gc.collect()
        return len(gc.get_objects())

    early, late = objects_after(4), objects_after(20)
    assert late < early + 500
    assert all(node.serving.peers.torrents <= 8 for node in network.nodes)
    assert all(len(node._timers) < 50 for node in network.nodes)
    assert all(len(node.table) < 2 * len(network.nodes) for node in network.nodes)
