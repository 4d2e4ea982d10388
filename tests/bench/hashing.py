"""Making a torrent and checking data, beside nothing but hashlib on the same cores; process start and exit included.

The payload is in the page cache, so that what is measured is not the disk. libtorrent is there to compare with: its
bindings hash for a new torrent in one thread.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import threading
import time

from .transfer import NODE, OURS, PIECE_LENGTH, Cost, Place, place

BASE = "hashlib alone"


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


def run(size: int, rounds: int) -> None:
    """Print a table. The first turn of each is not counted, as it meets cold memory."""
    with place(size) as where:
        results: dict[str, list[Cost]] = {name: [] for name in contenders(where)}
        for turn in range(rounds + 1):
            for name, command in contenders(where).items():
                cost = spent(command)
                if turn:
                    results[name].append(cost)
    print(f"\nhashing: {size >> 20} MiB in the page cache, pieces of {PIECE_LENGTH >> 10} KiB")
    print("| what | MB/s | x hashlib's time | CPU s/GiB | x hashlib's | RSS MiB |\n|---|---|---|---|---|---|")
    median = {name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in results.items()}
    base = median[BASE]
    for name, cost in median.items():
        figures = f"{size / cost.seconds / 1e6:.0f} | {cost.seconds / base.seconds:.2f}"
        print(f"| {name} | {figures} | {cost.cpu / size * 2**30:.2f} | {cost.cpu / base.cpu:.2f} | {cost.rss:.0f} |")


def contenders(where: Place) -> dict[str, list[str]]:
    """All but libtorrent use all cores."""
    payload, made = str(where.payload), str(where.folder / "made.torrent")
    create = [*OURS, "create", payload, "-o", made, "--force", "--quiet", "-l", str(PIECE_LENGTH)]
    return {
        BASE: [sys.executable, "-m", __name__, payload],
        "create --v1": [*create, "--v1"],
        "verify": [*OURS, "verify", str(where.torrent), "-d", str(where.payload.parent), "--quiet"],
        "create --hybrid": [*create, "--hybrid"],
        "libtorrent, v1": [*NODE, "make", payload, made, str(PIECE_LENGTH)],
    }


def spent(command: list[str]) -> Cost:
    """What a process cost that had to succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    bare(sys.argv[1])
