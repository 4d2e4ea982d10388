"""One whole transfer over loopback, process start and exit included: ours and libtorrent's, in turns."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import libtorrent_node

NODE = [sys.executable, "-m", libtorrent_node.__name__]
OURS = [sys.executable, "-m", "trio_torrent"]
PORT = 17_700
PIECE_LENGTH = 1 << 20


class Cost(NamedTuple):
    """Of one run."""

    seconds: float
    cpu: float  # seconds
    rss: float  # MiB


class Place(NamedTuple):
    """Where a benchmark has its files."""

    folder: Path
    payload: Path
    torrent: Path
    size: int


def downloads(size: int, rounds: int) -> None:
    """Both download from a libtorrent seeder."""
    with place(size) as where, seeder([*NODE, "seed", str(where.torrent), str(where.payload.parent), str(PORT)]):

        def ours(out: Path) -> list[str]:
            return [
                *OURS,
                "get",
                str(where.torrent),
                "-o",
                str(out),
                "--port",
                "0",
                "--no-dht",
                "--quiet",
                f"--peer={peer()}",
            ]

        def libtorrents(out: Path) -> list[str]:
            return [*NODE, "leech", str(where.torrent), str(out), peer()]

        contest("download", where, rounds, {"trio-torrent": ours, "libtorrent": libtorrents})


def seeds(size: int, rounds: int) -> None:
    """A libtorrent leecher downloads from each; the time is the leecher's, the CPU that of both."""
    with place(size) as where:
        ours = [
            *OURS,
            "seed",
            str(where.torrent),
            "-d",
            str(where.payload.parent),
            "--port",
            str(PORT),
            "--no-dht",
            "--quiet",
        ]
        theirs = [*NODE, "seed", str(where.torrent), str(where.payload.parent), str(PORT)]

        def leech(out: Path) -> list[str]:
            return [*NODE, "leech", str(where.torrent), str(out), peer()]

        results: dict[str, list[Cost]] = {"trio-torrent": [], "libtorrent": []}
        for _ in range(rounds):
            for name, command in (("trio-torrent", ours), ("libtorrent", theirs)):
                with seeder(command):
                    results[name].append(run(leech, where))
        report("seed to libtorrent", where, results)


def peer() -> str:
    return f"127.0.0.1:{PORT}"


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def place(size: int, piece_length: int = PIECE_LENGTH) -> Iterator[Place]:
    """A payload of random bytes, and its torrent."""
    with tempfile.TemporaryDirectory(prefix="trio-torrent-bench-") as name:
        folder = Path(name)
        payload = folder / "data" / "payload.bin"
        payload.parent.mkdir()
        with payload.open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        torrent = folder / "payload.torrent"
        subprocess.run([*NODE, "make", str(payload), str(torrent), str(piece_length)], check=True)
        yield Place(folder, payload, torrent, size)


@contextmanager
def seeder(command: Sequence[str], port: int = PORT) -> Iterator[None]:
    """A seeder that takes connections."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(process, port)
        yield
    finally:
        process.terminate()
        process.wait()


def wait_for_port(process: subprocess.Popen[bytes], port: int = PORT) -> None:
    deadline = time.perf_counter() + 60
    while time.perf_counter() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"no seeder on port {port}")


def run(command: Callable[[Path], list[str]], where: Place) -> Cost:
    """One download, and what it cost."""
    with tempfile.TemporaryDirectory(dir=where.folder) as out:
        start = time.perf_counter()
        process = subprocess.Popen(command(Path(out)))
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or (Path(out) / "payload.bin").stat().st_size != where.size:
            raise RuntimeError(f"{command(Path(out))} failed")
        return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def contest(title: str, where: Place, rounds: int, contenders: dict[str, Callable[[Path], list[str]]]) -> None:
    """All take their turns; the first turn of each is not counted, as it meets cold memory."""
    results: dict[str, list[Cost]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, command in contenders.items():
            cost = run(command, where)
            if turn:
                results[name].append(cost)
    report(title, where, results)


def report(title: str, where: Place, results: dict[str, list[Cost]]) -> None:
    """A table of medians, and of what they are to libtorrent's."""
    gib = where.size / (1 << 30)
    print(f"\n{title}: {where.size >> 20} MiB, pieces of {PIECE_LENGTH >> 10} KiB")
    print("| client | MB/s | x libtorrent | CPU s/GiB | x libtorrent | RSS MiB |\n|---|---|---|---|---|---|")
    median = {name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in results.items()}
    base = median["libtorrent"]
    for name, cost in median.items():
        speed, cpu = where.size / cost.seconds / 1e6, cost.cpu / gib
        print(
            f"| {name} | {speed:.0f} | {base.seconds / cost.seconds:.2f} | {cpu:.2f} | {cost.cpu / base.cpu:.2f} "
            f"| {cost.rss:.0f} |"
        )
