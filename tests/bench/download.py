"""Every client that is here downloads from a seeder that costs next to nothing, in turns.

What was found in November 2026, for a GiB in pieces of 1 MiB of a peer that the user names, with neither tracker nor
DHT, on two quiet cores. Of 1.45 s of processor 0.54 are SHA-1, 0.2 writing, 0.15 the system's part of receiving, and
0.18 Python's start. The event loop has 0.25: half of that are the 2 µs that each block takes, the other half what
trio and we do for each chunk of 56 of them. From the first byte on, threads compete for the two cores nearly all the
time, so what is saved of one is won.

Tried without gain: chunks of 112 blocks, headers and places of blocks made by the lot, one request for more after
several verdicts, one, three or four threads, 16 MiB unwritten, other switch intervals.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from trio_torrent.address import Address

from . import raw_seeder
from .ballast import ballast, loopback_bytes
from .clients import BASE, CLIENTS, NAMES, OUR_NAME, Client, Job
from .measure import Cost, Program, median, running, watch
from .place import MEMORY, Place, place
from .rows import Row, ahead, at_least, at_most, below
from .tracker import Tracker, serve_fixed_peers

GIB = 1 << 30
OTHERS = tuple(name for name in NAMES if name not in (OUR_NAME, BASE))
MOST_RSS = 80  # MiB, of a download of 1 GiB

Dial = Callable[[int], None]
"""Called with the port of a client that dials nobody here."""


@attrs.frozen
class Ground:
    """Where clients have their turns. `peers` are what the tracker names."""

    place: Place
    tracker: Tracker
    peers: Sequence[Address]
    dial: Dial

    def turn(self, client: Client, *, compare: bool) -> Cost:
        """One download."""
        with tempfile.TemporaryDirectory(dir=self.place.folder) as name:
            job = Job(self.place.torrent, Path(name) / "out", Path(name) / "work")
            job.out.mkdir()
            job.work.mkdir()
            self.tracker.reset(self.peers, self.dial if client.is_dialled else lambda port: None)
            cost = self._measure(client, job)
            is_whole = self.place.is_in(job.out) if compare else (job.out / self.place.payload.name).exists()
            if not is_whole:
                raise RuntimeError(f"{client.name} has not what it should have")
            return cost

    def _measure(self, client: Client, job: Job) -> Cost:
        environment = {**client.environment, "HOME": str(job.work)}
        command = client.command(job)
        os.sync()
        with ballast(self.place.folder, self.place.size) as held:
            before = loopback_bytes()
            with running(command, cwd=None, environment=environment, log=job.work / "log") as program:
                return watch(
                    program,
                    is_done=job.mark.exists if client.stays else None,
                    began=lambda: self.tracker.first if client.is_daemon else None,
                    meanwhile=lambda: held.release(loopback_bytes() - before),
                )


@contextmanager
def ground(size: int, piece_length: int, *, files: int = 1, disk: str = "") -> Iterator[Ground]:
    """A payload, and the seeder that has it."""
    with (
        serve_fixed_peers() as tracker,
        place(size, piece_length, files=files, tracker=tracker.url, disk=disk) as where,
        raw(where, piece_length) as (seeder, address),
    ):
        yield Ground(where, tracker, [address], lambda port: seeder.say(f"127.0.0.1 {port}"))


@contextmanager
def raw(where: Place, piece_length: int) -> Iterator[tuple[Program, Address]]:
    """The seeder, and where it is."""
    image, metainfo = where.folder / "image", where.metainfo
    raw_seeder.make_image(image, where.blocks(), piece_length)
    arguments = [image, metainfo.info_hashes.wire.hex(), metainfo.geometry.pieces, piece_length]
    command = [sys.executable, "-m", raw_seeder.__name__, *map(str, arguments)]
    with running(command, pipes=True) as seeder:
        yield seeder, Address("127.0.0.1", int(seeder.hear()))


def contest(where: Ground, rounds: int, clients: Sequence[Client] = CLIENTS) -> dict[str, Cost]:
    """Medians. The first turn of each is not counted, as it meets cold memory; what came of it is compared."""
    costs: dict[Client, list[Cost]] = {client: [] for client in clients if client.is_here}
    for turn in range(rounds + 1):
        for client in tuple(costs):
            try:
                cost = where.turn(client, compare=not turn)
            except RuntimeError as error:
                print(f"{client.name} is left out: {error}", flush=True)
                del costs[client]
                continue
            if turn:
                costs[client].append(cost)
    return {client.name: median(each) for client, each in costs.items()}


def speeds(size: int, costs: dict[str, Cost]) -> dict[str, float]:
    """MB/s."""
    return {name: size / cost.seconds / 1e6 for name, cost in costs.items()}


def processor(size: int, costs: dict[str, Cost]) -> dict[str, float]:
    """Seconds of processor for each GiB."""
    return {name: cost.cpu / (size / GIB) for name, cost in costs.items()}


def memory(costs: dict[str, Cost]) -> dict[str, float]:
    """MiB resident, at most."""
    return {name: cost.rss for name, cost in costs.items()}


def large_pieces(size: int, rounds: int) -> list[Row]:
    """One file, in pieces of 1 MiB."""
    with ground(size, 1 << 20) as where:
        costs = contest(where, rounds)
    what = f"download {size >> 20} MiB, pieces of 1 MiB"
    return [
        Row(f"{what}: MB/s", speeds(size, costs), (at_least(0.9), ahead(2.5, OTHERS))),
        Row("… CPU s/GiB", processor(size, costs), (at_most(1.15),)),
        Row("… peak RSS, MiB", memory(costs), (below(MOST_RSS),)),
    ]


def small_pieces(size: int, rounds: int) -> list[Row]:
    """One file, in pieces of 256 KiB, as Debian has them."""
    with ground(size, 1 << 18) as where:
        costs = contest(where, rounds)
    what = f"download {size >> 20} MiB, pieces of 256 KiB"
    return [
        Row(f"{what}: MB/s", speeds(size, costs), (at_least(0.85), ahead(1, OTHERS))),
        Row("… CPU s/GiB", processor(size, costs)),
    ]


def small_files(size: int, rounds: int) -> list[Row]:
    """Two thousand files of 256 KiB for a GiB, or the like, on a disk that is memory."""
    files = 2000 * size // GIB
    disk = str(MEMORY) if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 6 * size else ""
    with ground(files << 18, 1 << 18, files=files, disk=disk) as where:
        costs = contest(where, rounds)
    what = f"download {files} files of 256 KiB{' (tmpfs)' if disk else ''}"
    return [
        Row(f"{what}: MB/s", speeds(files << 18, costs), (at_least(0.85), ahead(1, OTHERS))),
        Row("… CPU s/GiB", processor(files << 18, costs)),
    ]
