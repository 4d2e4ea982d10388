"""The other side, in a process of its own: a seeder, its tracker, and two that take every question and answer none.

What a test counts of its own process is then its own. `python -m tests.elsewhere FOLDER` prints where everything is, as
one line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import attrs
import trio

from tests.payload import random_bytes, single, write
from tests.udptracker import udp_tracker
from trio_torrent import Address, Settings, TrackerServer, open_client, serve_tracker
from trio_torrent.bencode import decode, encode

LOCALHOST = "127.0.0.1"
PAYLOAD = random_bytes(4_000_000)


@attrs.frozen
class Elsewhere:
    """What there is on the other side."""

    seeder: Address
    tracker: str  # by which it can be found
    silent: tuple[str, ...]
    data: bytes  # of the torrent, with the silent trackers
    folder: Path  # of its payload


def with_trackers(payload: bytes, *urls: str, name: str = "payload.bin") -> bytes:
    """A .torrent."""
    whole = decode(single(payload, name=name).to_bytes(), max_depth=10)
    assert isinstance(whole, dict)
    whole[b"announce-list"] = [[url.encode()] for url in urls]
    return encode(whole)


@contextmanager
def elsewhere(folder: Path) -> Iterator[Elsewhere]:
    """It is there for the length of the block; the payload is made in the folder."""
    write(folder, {"payload.bin": PAYLOAD})
    command = [sys.executable, "-m", "tests.elsewhere", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        silent = tuple(said["silent"])
        data = with_trackers(PAYLOAD, *silent)
        yield Elsewhere(Address(LOCALHOST, said["port"]), said["tracker"], silent, data, folder)
        process.stdin.close()


async def _never(stream: trio.SocketStream) -> None:
    async with stream:
        async for _ in stream:
            pass


@asynccontextmanager
async def _silence() -> AsyncIterator[list[str]]:
    async with trio.open_nursery() as nursery, udp_tracker(lambda heard: []) as udp:
        listeners = await nursery.start(partial(trio.serve_tcp, _never, 0, host=LOCALHOST))
        yield [f"http://{LOCALHOST}:{listeners[0].socket.getsockname()[1]}/announce", udp.url()]
        nursery.cancel_scope.cancel()


async def _main(folder: str) -> None:
    settings = Settings(port=0, interface=LOCALHOST, stop_seconds=0)
    async with trio.open_nursery() as nursery, _silence() as silent, open_client(settings) as client:
        tracker: TrackerServer = await nursery.start(serve_tracker)
        torrent = await client.add(with_trackers(PAYLOAD, tracker.url), save_path=folder, download=False)
        await torrent.wait_complete()
        while not tracker.registry.torrents:  # noqa: ASYNC110 - it tells nobody what it has heard
            await trio.sleep(0.01)
        print(json.dumps({"port": client.port, "tracker": tracker.url, "silent": silent}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_main, sys.argv[1])
