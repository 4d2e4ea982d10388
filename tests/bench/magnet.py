"""From the start of a process that has a link and a peer to its first piece: metadata, connection and all.

`python -m tests.bench.magnet LINK OUT PEER` is our side of it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import trio

from trio_torrent import Address, PieceDone, Settings, open_client

from .clients import BASE, HOST, NODE, OUR_NAME, free_port
from .measure import Cost, median, running, spent, wait_for_port
from .place import place
from .rows import Row, below

SIZE = 64 << 20  # nearly none of which is waited for
LONGEST = 1.0  # seconds


def run(rounds: int) -> list[Row]:
    """The peer is libtorrent. The first turn of each is not counted, as it meets cold memory."""
    port = free_port()
    with place(SIZE, 1 << 18) as where:
        link = f"magnet:?xt=urn:btih:{where.metainfo.info_hashes.wire.hex()}"
        ours: list[str | Path] = [sys.executable, "-m", __spec__.name]
        commands = {OUR_NAME: ours, BASE: [*NODE, "first"]}
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        with running([*NODE, "seed", where.torrent, where.payload.parent, str(port)]) as seeder:
            wait_for_port(seeder, port)
            for turn in range(rounds + 1):
                for name, command in commands.items():
                    with tempfile.TemporaryDirectory(dir=where.folder) as out:
                        cost = spent([*command, link, out, f"{HOST}:{port}"])
                    if turn:
                        costs[name].append(cost)
    seconds = {name: median(each).seconds for name, each in costs.items()}
    return [Row("magnet link to first piece, from process start: seconds", seconds, (below(LONGEST),))]


async def first_piece(*arguments: str) -> None:
    link, out, peer = arguments
    settings = Settings(port=0, dht=False, lsd=False)
    async with open_client(settings) as client:
        torrent = await client.add(link, save_path=Path(out), peers=[Address.parse(peer)])
        async with torrent.events() as events:
            async for event in events:
                if isinstance(event, PieceDone):
                    return


if __name__ == "__main__":
    trio.run(first_piece, *sys.argv[1:])
