"""Whole transfers over loopback, process start included: contenders take turns, and a table has their medians."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .clients import BASE, HOST, free_port
from .measure import Cost, Program, median, spent
from .place import Place

PORT = free_port()  # of whoever serves

PATIENCE_SECONDS = 60.0


def peer() -> str:
    return f"{HOST}:{PORT}"


def wait_for_port(program: Program, port: int = PORT) -> None:
    """Until it takes connections. RuntimeError if it does not."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < deadline and not program.ended():
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody on port {port}")


def run(command: Callable[[Path], Sequence[str | Path]], where: Place) -> Cost:
    """One download, and what it cost."""
    with tempfile.TemporaryDirectory(dir=where.folder) as out:
        cost = spent(command(Path(out)))
        if (Path(out) / "payload.bin").stat().st_size != where.size:
            raise RuntimeError(f"{command(Path(out))} failed")
        return cost


def contest(
    title: str, where: Place, rounds: int, contenders: dict[str, Callable[[Path], Sequence[str | Path]]]
) -> None:
    """All take their turns; the first turn of each is not counted, as it meets cold memory."""
    results: dict[str, list[Cost]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, command in contenders.items():
            cost = run(command, where)
            if turn:
                results[name].append(cost)
    report(title, where, {name: median(costs) for name, costs in results.items()})


def report(title: str, where: Place, costs: dict[str, Cost]) -> None:
    """A table, also of what they are to libtorrent's."""
    gib = where.size / (1 << 30)
    print(f"\n{title}: {where.size >> 20} MiB, pieces of {where.metainfo.geometry.piece_length >> 10} KiB")
    print("| client | MB/s | x libtorrent | CPU s/GiB | x libtorrent | RSS MiB |\n|---|---|---|---|---|---|")
    base = costs[BASE]
    for name, cost in costs.items():
        speed, cpu = where.size / cost.seconds / 1e6, cost.cpu / gib
        print(
            f"| {name} | {speed:.0f} | {base.seconds / cost.seconds:.2f} | {cpu:.2f} | {cost.cpu / base.cpu:.2f} "
            f"| {cost.rss:.0f} |"
        )
