"""Fifty seeders, each of them slow: what counts is how soon all are found and none is idle."""

from __future__ import annotations

from pathlib import Path

from trio_torrent.address import Address

from .clients import CLIENTS, NODE
from .download import Ground, contest
from .measure import running
from .place import place
from .rows import Row, below
from .tracker import serve_fixed_peers

SEEDERS = 50
RATE = 4_000_000  # bytes a second of each
FACTOR = 1.25  # of the time in which their lines can send it all


def run(size: int, rounds: int) -> list[Row]:
    """Half the size: at their rate it is a matter of seconds."""
    size //= 2
    clients = [client for client in CLIENTS if not client.is_dialled]
    with serve_fixed_peers() as tracker, place(size, 1 << 18, tracker=tracker.url) as where:
        arguments: list[str | Path] = [where.torrent, where.payload.parent, str(SEEDERS), str(RATE)]
        with running([*NODE, "swarm", *arguments], pipes=True) as seeders:
            peers = [Address.parse(seeders.hear()) for _ in range(SEEDERS)]
            costs = contest(Ground(where, tracker, peers, lambda port: None), rounds, clients)
    ideal = size / (SEEDERS * RATE)
    what = f"swarm: {size >> 20} MiB from {SEEDERS} seeders of {RATE // 10**6} MB/s ({ideal:.1f} s at best): seconds"
    return [Row(what, {name: cost.seconds for name, cost in costs.items()}, (below(round(FACTOR * ideal, 2)),))]
