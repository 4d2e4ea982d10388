"""How late another task of the same program is, while a download runs at full speed.

`python -m tests.bench.latency TORRENT OUT` is that program: it downloads, sleeps 10 ms again and again, and prints how
late it woke, in milliseconds: the 99th of a hundred, and the latest.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import trio

from trio_torrent import Settings, open_client

from .ballast import ballast, loopback_bytes
from .clients import OUR_NAME
from .download import Ground, ground
from .measure import running, watch
from .rows import Row, below

NAP = 0.01  # seconds
MOST = 50  # ms


def run(size: int, rounds: int) -> list[Row]:
    """The first turn is not counted, as it meets cold memory."""
    with ground(size, 1 << 20) as where:
        lateness = [_turn(where) for _ in range(rounds + 1)][1:]
    usual, worst = (statistics.median(each) for each in zip(*lateness, strict=True))
    return [
        Row("another task beside a download, late at p99: ms", {OUR_NAME: usual}, (below(MOST),)),
        Row("… at most", {OUR_NAME: worst}),
    ]


def _turn(where: Ground) -> tuple[float, float]:
    where.tracker.reset(where.peers)
    with (
        tempfile.TemporaryDirectory(dir=where.place.folder) as out,
        ballast(where.place.folder, where.place.size) as held,
    ):
        command = [sys.executable, "-m", __spec__.name, str(where.place.torrent), out]
        before = loopback_bytes()
        with running(command, pipes=True) as program:
            watch(program, meanwhile=lambda: held.release(loopback_bytes() - before))
            usual, worst = program.hear().split()
    return float(usual), float(worst)


async def download(*arguments: str) -> None:
    torrent, out = arguments
    late: list[float] = []
    async with open_client(Settings(port=0, dht=False, lsd=False)) as client, trio.open_nursery() as nursery:
        added = await client.add(torrent, save_path=Path(out))
        nursery.start_soon(nap, late)
        await added.wait_complete()
        nursery.cancel_scope.cancel()
    late.sort()
    print(f"{late[len(late) * 99 // 100] * 1000:.2f} {late[-1] * 1000:.2f}")


async def nap(late: list[float]) -> None:
    while True:
        due = trio.current_time() + NAP
        await trio.sleep_until(due)
        late.append(trio.current_time() - due)


if __name__ == "__main__":
    trio.run(download, *sys.argv[1:])
