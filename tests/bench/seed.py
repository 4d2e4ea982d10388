"""A libtorrent leecher downloads from each, in turns. The time is the leecher's, and the rest is the seeder's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .ballast import ballast, loopback_bytes
from .clients import BASE, HOST, NODE, OUR_NAME, OURS, free_port
from .download import memory, processor, speeds
from .measure import Cost, median, running, wait_for_port, wait_for_rest, watch
from .place import Place, place
from .rows import Row, at_least, at_most


def run(size: int, rounds: int) -> list[Row]:
    """The first turn of each is not counted, as it meets cold memory."""
    with place(size) as where:
        costs: dict[str, list[Cost]] = {OUR_NAME: [], BASE: []}
        for turn in range(rounds + 1):
            for name, each in costs.items():
                cost = _turn(name, where)
                if turn:
                    each.append(cost)
    medians = {name: median(each) for name, each in costs.items()}
    return [
        Row(f"seed {size >> 20} MiB to libtorrent: MB/s", speeds(size, medians), (at_least(1.0),)),
        Row("… CPU s/GiB", processor(size, medians), (at_most(1.5),)),
        Row("… peak RSS, MiB", memory(medians)),
    ]


def _turn(name: str, where: Place) -> Cost:
    with tempfile.TemporaryDirectory(dir=where.folder) as folder:
        out, port = Path(folder) / "out", free_port()
        with running(_seeder(name, where, Path(folder), port)) as seeder:
            wait_for_port(seeder, port)
            wait_for_rest(seeder)  # ours compares its files with the torrent, and libtorrent is told not to
            os.sync()
            before = seeder.cpu
            leech = [*NODE, "leech", where.torrent, out, f"{HOST}:{port}"]
            with ballast(where.folder, where.size) as held, running(leech) as leecher:
                start = loopback_bytes()
                cost = watch(leecher, meanwhile=lambda: held.release(loopback_bytes() - start))
            return Cost(cost.seconds, seeder.cpu - before, seeder.peak)


def _seeder(name: str, where: Place, work: Path, port: int) -> list[str | Path]:
    data = where.payload.parent
    if name == BASE:
        return [*NODE, "seed", where.torrent, data, str(port)]
    options: list[str | Path] = [
        "--state",
        work / "state",
        "--port",
        str(port),
        "--no-dht",
        "--no-lsd",
        "--no-pex",
        "--quiet",
    ]
    return [*OURS, "seed", where.torrent, "-d", data, *options]
