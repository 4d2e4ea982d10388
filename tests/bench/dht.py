"""How many queries a DHT node answers: in memory, and over loopback beside libtorrent.

`python -m tests.bench.dht serve ours|libtorrent` is the other end of that: it prints its port, and answers until its
standard input ends.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

import trio

from trio_torrent.dht.endpoint import Family
from trio_torrent.dht.krpc import decode, encode_query, encode_reply
from trio_torrent.dht.messages import Ask, Contact, FindNode, GetPeers, Ping, Query, Reply
from trio_torrent.dht.node import Node
from trio_torrent.dht.options import Options
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dht import Dht
from trio_torrent.net.udp import open_datagrams

HOST = "127.0.0.1"
QUERIES = 100_000  # in memory
CLIENTS = 64  # loopback addresses that ask, and that are nodes
WINDOW = 4  # queries of each that are under way
WARM_SECONDS = 4.0  # for the tables to fill
SECONDS = 5.0
UNLIMITED = 1e9
TORRENT = b"h" * 20
CONTENDERS = ("trio-torrent", "libtorrent")


def run(rounds: int) -> None:
    """Print what was measured."""
    in_memory()
    for number in range(rounds):
        for name in CONTENDERS:
            answered, cpu = over_loopback(name)
            print(
                f"dht over loopback, round {number + 1}: {name:12} {answered / SECONDS:6.0f} answers/s, "
                f"{answered / cpu:6.0f} for a second of processor",
                flush=True,
            )


def in_memory() -> None:
    """Queries from many addresses to a node with a full table and full swarms; decoding and encoding included."""
    random = Random(1)
    options = Options(answer_rate=UNLIMITED, message_rate=UNLIMITED)
    node = Node(Family.IPV4, random=random, now=0, options=options)
    while len(node.table) < 300:
        node.table.replied(Contact(random.randbytes(20), address(random)), 0)
    torrents = [random.randbytes(20) for _ in range(1000)]
    for info_hash in torrents:
        for _ in range(20):
            node.serving.peers.announced(info_hash, address(random), False, 0)
    for what in ("ping", "find_node", "get_peers"):
        queries = [(query(random, what, torrents), address(random)) for _ in range(1000)]
        started = time.process_time()
        for number in range(QUERIES):
            node.receive(*queries[number % 1000], 1.0)
            if number % 32 == 0:
                node.datagrams()
        seconds = time.process_time() - started
        print(f"dht in memory, {what:9}: {QUERIES / seconds:6.0f} queries/s", flush=True)


def address(random: Random) -> bytes:
    return bytes([random.randrange(20, 80)]) + random.randbytes(3) + b"\x1a\xe1"


def query(random: Random, what: str, torrents: Sequence[bytes]) -> bytes:
    asks: dict[str, Ask] = {
        "ping": Ping(),
        "find_node": FindNode(random.randbytes(20)),
        "get_peers": GetPeers(random.choice(torrents)),
    }
    return encode_query(Query(b"aa", random.randbytes(20), asks[what]))


def over_loopback(name: str) -> tuple[int, float]:
    """Answers, and seconds of the server's processor."""
    with server(name) as (pid, port):
        crowd = Crowd(port)
        crowd.live(WARM_SECONDS, asking=False)
        before = cpu_seconds(pid)
        answered = crowd.live(SECONDS, asking=True)
        return answered, cpu_seconds(pid) - before


class Crowd:
    """Nodes that answer the server's queries, and ask it without a pause."""

    def __init__(self, port: int) -> None:
        random = Random(1)
        self._server = (HOST, port)
        self._poll = select.epoll()
        self._sockets: dict[int, tuple[socket.socket, bytes, list[bytes]]] = {}
        for number in range(CLIENTS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((f"127.0.1.{number + 1}", 0))
            sock.setblocking(False)
            node_id = random.randbytes(20)
            asks: list[Ask] = [Ping(), FindNode(random.randbytes(20)), GetPeers(TORRENT)]
            queries = [encode_query(Query(b"aa", node_id, ask)) for ask in asks]
            self._sockets[sock.fileno()] = (sock, node_id, queries)
            self._poll.register(sock.fileno(), select.EPOLLIN)

    def live(self, seconds: float, *, asking: bool) -> int:
        """How many answers came."""
        answered = 0
        for sock, _, queries in self._sockets.values():
            for number in range(WINDOW if asking else 1):
                sock.sendto(queries[number % 3], self._server)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for fileno, _ in self._poll.poll(0.1):
                sock, node_id, queries = self._sockets[fileno]
                data, _ = sock.recvfrom(2048)
                if data.endswith(b"1:y1:re"):
                    answered += 1
                    if asking:
                        sock.sendto(queries[answered % 3], self._server)
                else:
                    message = decode(data)
                    if isinstance(message, Query):
                        sock.sendto(encode_reply(Reply(transaction=message.transaction, id=node_id)), self._server)
        return answered


@contextmanager
def server(name: str) -> Iterator[tuple[int, int]]:
    """Its process, and its port."""
    command = [sys.executable, "-m", "tests.bench.dht", "serve", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.stdin.close()


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def serve_ours() -> None:
    boundary = Boundary()
    options = Options(allow_local=True, answer_rate=UNLIMITED, message_rate=UNLIMITED)
    with open_datagrams(0, interface=HOST) as datagrams:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(datagrams.run, boundary)
            await nursery.start(Dht(datagrams, boundary, options=options, routers=()).run)
            print(datagrams.port, flush=True)
            await trio.lowlevel.wait_readable(sys.stdin)
            nursery.cancel_scope.cancel()


def serve_libtorrent() -> None:
    import libtorrent

    session = libtorrent.session(
        {
            "listen_interfaces": f"{HOST}:0",
            "dht_bootstrap_nodes": "",
            "dht_upload_rate_limit": 1_000_000_000,
            "dht_block_ratelimit": 1_000_000_000,
            "dht_restrict_routing_ips": False,
            "dht_ignore_dark_internet": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
        }
    )
    while not session.listen_port():
        time.sleep(0.05)
    print(session.listen_port(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", "libtorrent"]:
            serve_libtorrent()
        case ["serve", _]:
            trio.run(serve_ours)
        case _:
            run(rounds=2)
