"""A whole DHT in virtual time: `python -m tests.sim.dht [NODES] [SEED]`.

Nodes come and go, datagrams get lost, every tenth node lies. Torrents are announced and looked for meanwhile.
"""

from __future__ import annotations

import sys
import time
from random import Random
from statistics import median

import attrs

from tests.dht.network import Network
from trio_torrent.dht.endpoint import Endpoint, with_port
from trio_torrent.dht.node import Node
from trio_torrent.dht.searches import PeerSearch

LOSS = 0.05
LIARS = 0.1
CHURN = 0.2  # of the honest nodes are replaced in an hour
DELAY = (0.02, 0.2)  # seconds, one way
PEER_PORT = 7000
ROUTERS = 3
LOOKUPS = 200


@attrs.define
class Report:
    """How it went."""

    lookups: int = 0
    found: int = 0
    seconds: list[float] = attrs.field(factory=list)
    most_entries: int = 0
    most_spares: int = 0
    most_torrents: int = 0

    @property
    def hops(self) -> float:
        """The median, in mean round trips."""
        return median(self.seconds) / sum(DELAY)


def populate(network: Network, size: int, *, join_rate: float) -> list[Endpoint]:
    """So many nodes, joined one after another; the routers, which stay."""
    routers = [network.new_endpoint() for _ in range(ROUTERS)]
    for router in routers:
        network.add_node(routers, endpoint=router)
    for number in range(size - ROUTERS):
        network.run(1 / join_rate)
        if number % round(1 / LIARS) == 0:
            network.add_liar()
        else:
            network.add_node(routers)
    return routers


def churn(network: Network, routers: list[Endpoint], seconds: float) -> None:
    """From now on, somebody leaves and somebody comes, at even times."""
    pause = 3600 / (CHURN * len(network.nodes))

    def change() -> None:
        leaving = network.random.choice(network.nodes)
        if network.where[leaving] not in routers:
            network.remove(leaving)
            network.add_node(routers)
        if network.now < end:
            network.at(network.now + pause, change)

    end = network.now + seconds
    network.at(network.now + pause, change)


def measure(network: Network, lookups: int, *, pause: float, report: Report) -> Report:
    """Announce and look for torrents in turn; each is looked for some minutes after it was announced."""
    waiting: list[tuple[bytes, Endpoint]] = []
    for _ in range(lookups):
        announcer = network.random.choice(network.nodes)
        info_hash = network.random.randbytes(20)
        network.finish(announcer, PeerSearch(info_hash, announce=PEER_PORT))
        waiting.append((info_hash, with_port(network.where[announcer], PEER_PORT)))
        network.run(pause)
        if len(waiting) > 3:
            look(network, *waiting.pop(0), report)
    for info_hash, wanted in waiting:
        look(network, info_hash, wanted, report)
    inspect(network.nodes, report)
    return report


def look(network: Network, info_hash: bytes, wanted: Endpoint, report: Report) -> None:
    seconds = network.find(network.random.choice(network.nodes), info_hash, wanted)
    report.lookups += 1
    if seconds is not None:
        report.found += 1
        report.seconds.append(seconds)


def inspect(nodes: list[Node], report: Report) -> None:
    report.most_entries = max(report.most_entries, *(len(node.table) for node in nodes))
    report.most_spares = max(report.most_spares, *(node.table.spares for node in nodes))
    report.most_torrents = max(report.most_torrents, *(node.serving.peers.torrents for node in nodes))


def main(arguments: list[str]) -> None:
    size = int(arguments[0]) if arguments else 2000
    seed = int(arguments[1]) if len(arguments) > 1 else Random().randrange(1 << 32)
    print(f"{size} nodes, seed {seed}: {CHURN:.0%} churn an hour, {LOSS:.0%} loss, {LIARS:.0%} liars", flush=True)
    started = time.perf_counter()
    network = Network(seed, loss=LOSS, delay=DELAY)
    routers = populate(network, size, join_rate=10)
    churn(network, routers, 3600)
    print(f"joined after {network.now:.0f} s ({time.perf_counter() - started:.0f} s of ours)", flush=True)
    network.run(300)
    report = measure(network, LOOKUPS, pause=2, report=Report())
    late = sorted(report.seconds)[len(report.seconds) * 99 // 100]
    print(f"{report.found} of {report.lookups} found, median {median(report.seconds):.2f} s ({report.hops:.1f} hops)")
    print(f"99 % in {late:.2f} s; at most {report.most_entries} entries, {report.most_spares} spares in a table")
    print(f"{network.sent / size / network.now:.2f} datagrams, {network.bytes / size / network.now:.0f} B/s a node")
    print(f"{network.now:.0f} virtual seconds in {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
