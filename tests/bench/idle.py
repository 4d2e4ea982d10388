"""What it costs to be there and do nothing: many torrents that nobody asks for, and many peers that say nothing.

`python -m tests.bench.idle torrents|peers FOLDER` is one of our clients with the torrents of a folder. It prints a line
when they are all seeding, for the peers its port as well, and ends with its standard input.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path

import trio

from trio_torrent import Client, Settings, open_client
from trio_torrent.bencode import Value, encode
from trio_torrent.wire.handshake import EXTENDED, FAST, Handshake

from .clients import BASE, HOST, NODE, OUR_NAME
from .measure import Program, running
from .place import MEMORY
from .rows import Row, below

TORRENTS, PIECES, PIECE_LENGTH = 1000, 1000, 16 << 10
PEERS = 800
WATCHED_SECONDS = 60.0  # how long the processor is watched: some timers are of a minute
LATEST_SECONDS = 10.0  # for all peers to be there
MOST_RSS = 250  # MiB, of all the torrents
MOST_PEER = 40  # KiB, of each connection
HAVE_NONE = b"\x00\x00\x00\x01\x0f"


def run() -> list[Row]:
    """Torrents first, then peers of one of them."""
    with folder_of_torrents() as folder:
        return [*torrents(folder), *peers(folder)]


@contextmanager
def folder_of_torrents() -> Iterator[Path]:
    """The data is zeros, which take no room on a disk that is memory, nor on most others."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        (folder / "torrents").mkdir()
        (folder / "data").mkdir()
        hashes = sha1(bytes(PIECE_LENGTH)).digest() * PIECES
        for number in range(TORRENTS):
            file, size = f"{number:04}", PIECES * PIECE_LENGTH
            info: dict[bytes, Value] = {
                b"length": size,
                b"name": file.encode(),
                b"piece length": PIECE_LENGTH,
                b"pieces": hashes,
            }
            (folder / "torrents" / file).write_bytes(encode({b"info": info}))
            with (folder / "data" / file).open("wb") as data:
                data.truncate(size)
        yield folder


def torrents(folder: Path) -> list[Row]:
    """Ours starts twice: the first time it checks all data, and what counts is the second time."""
    seconds, memory, processor = {}, {}, {}
    with running(_ours("torrents", folder), pipes=True) as program:
        program.hear()
        program.say("")
        while not program.ended():
            time.sleep(0.05)
    for name, command in ((OUR_NAME, _ours("torrents", folder)), (BASE, [*NODE, "idle", str(folder)])):
        with running(command, pipes=True) as program:
            program.hear()
            seconds[name] = time.perf_counter() - program.started
            memory[name], processor[name] = program.resident, _idling(program)
    what = f"{TORRENTS} idle torrents of {PIECES} pieces"
    return [
        Row(f"{what}: RSS, MiB", memory, (below(MOST_RSS),)),
        Row("… start, seconds", seconds),
        Row("… CPU, seconds a minute", processor),
    ]


def _idling(program: Program) -> float:
    time.sleep(1.0)
    before = program.cpu
    time.sleep(WATCHED_SECONDS)
    return program.cpu - before


def _ours(what: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", __spec__.name, what, str(folder)]


def peers(folder: Path) -> list[Row]:
    """They connect, say that they have nothing, and then nothing more."""
    only = folder / "one"
    (only / "torrents").mkdir(parents=True)
    shutil.copy(folder / "torrents" / "0000", only / "torrents")
    (only / "data").symlink_to(folder / "data")
    with running(_ours("peers", only), pipes=True) as program:
        port, info_hash = program.hear().split()
        before = program.resident
        with _crowd(int(port), bytes.fromhex(info_hash)):
            _count(program)
            kib = (program.resident - before) * 1024 / PEERS
            processor = _idling(program)
    what = f"{PEERS} idle peers of one torrent"
    return [
        Row(f"{what}: KiB for each", {OUR_NAME: kib}, (below(MOST_PEER),)),
        Row("… CPU, seconds a minute", {OUR_NAME: processor}),
    ]


def _count(program: Program) -> None:
    """All are there; it may not have heard of the last ones yet."""
    count, deadline = 0, time.perf_counter() + LATEST_SECONDS
    while count < PEERS:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{count} of {PEERS} peers are there")
        time.sleep(0.1)
        program.say("")
        count = int(program.hear())


@contextmanager
def _crowd(port: int, info_hash: bytes) -> Iterator[None]:
    """Connections from many addresses, each answered with a handshake."""
    allow_files(PEERS + 100)
    crowd = []
    try:
        for number in range(PEERS):
            source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
            peer = socket.create_connection((HOST, port), source_address=source)
            crowd.append(peer)
            peer.sendall(bytes(Handshake(info_hash, b"-XX0000-%012d" % number, FAST | EXTENDED)) + HAVE_NONE)
            peer.recv(68)
        yield
    finally:
        for peer in crowd:
            peer.close()


def allow_files(count: int) -> None:
    """Descriptors of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


# -- our side --------------------------------------------------------------------------------------------------------


def settings(folder: Path) -> Settings:
    return Settings(
        port=0,
        interface=HOST,
        dht=False,
        lsd=False,
        trackers=False,
        state_folder=folder / "state",
        connections=2 * PEERS,
        connections_in_all=2 * PEERS,
    )


async def be_there(folder: Path) -> None:
    """Have all torrents, until standard input has something."""
    async with open_client(settings(folder)) as client:
        await add_all(client, folder)
        print("seeding", flush=True)
        await trio.lowlevel.wait_readable(sys.stdin)


async def add_all(client: Client, folder: Path) -> None:
    """And wait until it is known what is there of them."""
    paths = sorted((folder / "torrents").iterdir())
    added = [await client.add(path, save_path=folder / "data", download=False) for path in paths]
    for torrent in added:
        await torrent.wait_checked()


async def have_peers(folder: Path) -> None:
    """Say port and info-hash, and then, whenever a line comes, how many peers there are."""
    allow_files(PEERS + 100)
    async with open_client(settings(folder)) as client:
        await add_all(client, folder)
        (torrent,) = client.torrents
        print(client.port, torrent.info_hashes.wire.hex(), flush=True)
        while True:
            await trio.lowlevel.wait_readable(sys.stdin)
            if not os.read(sys.stdin.fileno(), 1):
                return
            print(torrent.status.peers, flush=True)


if __name__ == "__main__":
    trio.run({"torrents": be_there, "peers": have_peers}[sys.argv[1]], Path(sys.argv[2]))
