"""Making a torrent and checking data, beside nothing but hashlib on the same cores; process start and exit included.

The payload is in the page cache, so that what is measured is not the disk. libtorrent's bindings hash for a new torrent
in one thread.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path

from .clients import BASE, NODE, OUR_NAME, OURS
from .measure import Cost, median, spent
from .place import Place, place
from .rows import Row, below

BARE = "hashlib alone"
PIECE_LENGTH = 1 << 20
MOST = 1.25  # of hashlib's time
TIMES = 4  # the size of what others download: hashing it is a matter of less than a second


def bare(path: str) -> None:
    """Read and hash each piece, in a thread for each core."""
    descriptor = os.open(path, os.O_RDONLY)
    pieces = iter(range(0, os.fstat(descriptor).st_size, PIECE_LENGTH))
    lock = threading.Lock()

    def work() -> None:
        buffer = memoryview(bytearray(PIECE_LENGTH))
        while True:
            with lock:
                at = next(pieces, None)
            if at is None:
                return
            hashlib.sha1(buffer[: os.preadv(descriptor, [buffer], at)]).digest()

    threads = [threading.Thread(target=work) for _ in os.sched_getaffinity(0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def warm(path: Path) -> None:
    """Have it in memory: libtorrent leaves nothing of what it has checked there, and the next would read the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(PIECE_LENGTH):
            pass


def run(size: int, rounds: int) -> list[Row]:
    """The first turn of each is not counted, as it meets cold memory."""
    size *= TIMES
    with place(size, PIECE_LENGTH) as where:
        costs: dict[tuple[str, str], list[Cost]] = {key: [] for key in contenders(where)}
        for turn in range(rounds + 1):
            for key, command in contenders(where).items():
                warm(where.payload)
                cost = spent(command)
                if turn:
                    costs[key].append(cost)
    medians = {key: median(each) for key, each in costs.items()}
    base = medians["", BARE]
    alone = f"x {BARE} ({size / base.seconds / 1e6:.0f} MB/s)"
    rows = []
    for what in ("recheck", "create, v1", "create, hybrid"):
        ours = {name: cost for (kind, name), cost in medians.items() if kind == what}
        times = {name: cost.seconds / base.seconds for name, cost in ours.items()}
        goals = () if what == "create, hybrid" else (below(MOST),)
        rows.append(Row(f"{what}, {size >> 20} MiB: {alone}", times, goals))
    return rows


def contenders(where: Place) -> dict[tuple[str, str], list[str | Path]]:
    """By what they do, and who does it."""
    made = where.folder / "made.torrent"
    create = [*OURS, "create", where.payload, "-o", made, "--force", "--quiet", "-l", str(PIECE_LENGTH)]
    return {
        ("", BARE): [sys.executable, "-m", __name__, where.payload],
        ("recheck", OUR_NAME): [*OURS, "verify", where.torrent, "-d", where.payload.parent, "--quiet"],
        ("recheck", BASE): [*NODE, "check", where.torrent, where.payload.parent],
        ("create, v1", OUR_NAME): [*create, "--v1"],
        ("create, v1", BASE): [*NODE, "make", where.payload, made, str(PIECE_LENGTH)],
        ("create, hybrid", OUR_NAME): [*create, "--hybrid"],
    }


if __name__ == "__main__":
    bare(sys.argv[1])
