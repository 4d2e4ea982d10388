"""Reading while it downloads: until the first byte, from the first to the last, and after seeks, from three seeders.

Each seeder has a limit of its own. Ours gives its bytes evenly; libtorrent's hands out its quota every half second, so
that the first data after a silence takes half of that whatever the reader does. Every byte is compared with the
payload.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import attrs
import trio

from trio_torrent import Address, FileReader, Metainfo, PieceDone, Settings, Torrent, TorrentEvent, open_client

from .clients import HOST, NODE, OURS, free_port
from .measure import running, wait_for_port
from .place import place

SEEDERS = 3
RATE = 8_000_000  # bytes a second, of each
PIECE_LENGTHS = (256 << 10, 1 << 20)
SEEKS = 100
SIZE = 200 << 20
READ = 64 << 10

Command = Callable[[Path, Path, int], Sequence[str | Path]]


@attrs.frozen
class Figures:
    """Seconds."""

    starts: list[float]  # from the client's start to the first byte
    first: float  # from `open`, with all seeders there
    whole: float  # from there to the last byte
    seeks: list[float]  # to where nothing was, each to its first byte


def run(rounds: int) -> None:
    """Seeders of both kinds, and pieces of both lengths."""
    print(f"\nstream: {SIZE >> 20} MiB from {SEEDERS} seeders of {RATE / 1e6:.0f} MB/s each; seconds")
    print("| seeders | pieces, KiB | start to first byte | open to first byte | to last byte | x the least |", end="")
    print(" seek, median | 90 % | worst |\n|---|---|---|---|---|---|---|---|---|")
    for piece_length in PIECE_LENGTHS:
        with place(SIZE, piece_length) as where:
            content = where.payload.read_bytes()
            for name, command in (("trio-torrent", _ours), ("libtorrent", _theirs)):
                with _seeders(command, where.torrent, where.payload.parent) as peers:
                    results = [trio.run(_measure, where.torrent, content, peers) for _ in range(rounds)]
                _report(f"{name} | {piece_length >> 10}", SIZE, results)


def _ours(torrent: Path, folder: Path, port: int) -> Sequence[str | Path]:
    limits = ["--limit-up", str(RATE), "--interface", HOST, "--no-dht", "--no-lsd", "--quiet"]
    return [*OURS, "seed", torrent, "-d", folder, "--port", str(port), *limits]


def _theirs(torrent: Path, folder: Path, port: int) -> Sequence[str | Path]:
    return [*NODE, "seed", torrent, folder, str(port), str(RATE)]


@contextmanager
def _seeders(command: Command, torrent: Path, folder: Path) -> Iterator[list[Address]]:
    with ExitStack() as stack:
        peers = []
        for _ in range(SEEDERS):
            port = free_port()
            wait_for_port(stack.enter_context(running(command(torrent, folder, port))), port)
            peers.append(Address(HOST, port))
        yield peers


async def _measure(path: Path, content: bytes, peers: list[Address]) -> Figures:
    async with _download(path, peers) as download:
        while download.torrent.status.peers < len(peers):  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)
        began = time.perf_counter()
        async with download.torrent.files[0].open() as reader:
            await _read(reader, content)
            first = time.perf_counter() - began
            while await _read(reader, content):
                pass
            whole = time.perf_counter() - began
    starts, seeks = [], list[float]()
    while len(seeks) < SEEKS:  # a download is complete before there were so many
        began = time.perf_counter()
        async with _download(path, peers) as download, download.torrent.files[0].open() as reader:
            await _read(reader, content)
            starts.append(time.perf_counter() - began)
            seeks += await _seek_about(download, reader, content, SEEKS - len(seeks))
    return Figures(starts, first, whole, seeks)


@attrs.frozen(eq=False)
class Download:
    """One that is under way, and which pieces it has."""

    torrent: Torrent
    pieces: int
    piece_length: int
    had: set[int] = attrs.field(factory=set)

    async def listen(self, events: trio.MemoryReceiveChannel[TorrentEvent]) -> None:
        async for event in events:
            if isinstance(event, PieceDone):
                self.had.add(event.piece)


@asynccontextmanager
async def _download(path: Path, peers: list[Address]) -> AsyncIterator[Download]:
    settings = Settings(port=0, interface="127.0.0.1", dht=False, lsd=False, trackers=False)
    metainfo = Metainfo.from_file(path)
    pieces = metainfo.geometry.pieces
    with tempfile.TemporaryDirectory(prefix="trio-torrent-bench-") as out:
        async with open_client(settings) as client, trio.open_nursery() as nursery:
            torrent = await client.add(metainfo, save_path=out, peers=peers)
            async with torrent.events(buffer=2 * pieces) as events:
                download = Download(torrent, pieces, metainfo.geometry.piece_length)
                nursery.start_soon(download.listen, events)
                yield download
                nursery.cancel_scope.cancel()
            assert client.unexpected == 0


async def _read(reader: FileReader, content: bytes) -> int:
    at = reader.tell()
    data = await reader.receive_some(READ)
    assert data == content[at : at + len(data)], f"wrong bytes at {at}"
    return len(data)


async def _seek_about(download: Download, reader: FileReader, content: bytes, most: int) -> list[float]:
    """Go to random places, and count those where nothing was yet; fewer than `most` if everything has come before."""
    random, taken = Random(most), list[float]()
    while len(taken) < most and len(download.had) < download.pieces:
        at = random.randrange(reader.size)
        began, is_there = time.perf_counter(), at // download.piece_length in download.had
        await reader.seek(at)
        await _read(reader, content)
        if not is_there:
            taken.append(time.perf_counter() - began)
    return taken


def _report(what: str, size: int, results: list[Figures]) -> None:
    seeks = sorted(seek for result in results for seek in result.seeks)
    start = statistics.median(start for result in results for start in result.starts)
    first, whole = (statistics.median(values) for values in zip(*[(r.first, r.whole) for r in results], strict=True))
    print(
        f"| {what} | {start:.2f} | {first:.2f} | {whole:.2f} | {whole * SEEDERS * RATE / size:.2f} "
        f"| {statistics.median(seeks):.2f} | {seeks[len(seeks) * 9 // 10]:.2f} | {seeks[-1]:.2f} |"
    )
