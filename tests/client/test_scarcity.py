"""A seed with next to no descriptors, and three hundred strangers at its door: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from tests.payload import random_bytes, single, write
from trio_torrent import Address, Settings, open_client
from trio_torrent.wire.handshake import Handshake

resource = pytest.importorskip("resource", reason="there is no such limit on this system")

LOCALHOST = "127.0.0.1"
PAYLOAD = random_bytes(300_000)
TORRENT = single(PAYLOAD)
STRANGERS = 300

SEED = """
import logging, os, resource, sys, trio, trio_torrent

logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
folder, taken = sys.argv[1], int(sys.argv[2])

async def main():
    settings = trio_torrent.Settings(port=0, interface="127.0.0.1", stop_seconds=1)
    async with trio_torrent.open_client(settings) as client:
        torrent = await client.add(f"{folder}/a.torrent", save_path=folder)
        await torrent.wait_complete()
        others = [os.open(os.devnull, os.O_RDONLY) for _ in range(taken)]
        print(client.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        print(client.unexpected, torrent.status.state.value, len(os.listdir("/proc/self/fd")) - len(others))

trio.run(main)
"""


@asynccontextmanager
async def seed(folder: Path, taken: int) -> AsyncIterator[tuple[trio.Process, Address]]:
    write(folder, {"payload.bin": PAYLOAD})
    (folder / "a.torrent").write_bytes(TORRENT.to_bytes())
    argv = [sys.executable, "-c", SEED, str(folder), str(taken)]
    process = await trio.lowlevel.open_process(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process, Address(LOCALHOST, int(await process.stdout.receive_some()))
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def strangers(address: Address) -> AsyncIterator[None]:
    """A third of them say nothing, another says half of what is due, and the last says it all and then nothing."""

    async def stay(number: int) -> None:
        handshake = bytes(Handshake(TORRENT.info_hashes.wire, b"-THEM00-%012d" % number))
        with suppress(OSError, trio.BrokenResourceError):  # shown out, or not let in at all
            async with await trio.open_tcp_stream(address.host, address.port) as stream:
                await stream.send_all((b"", handshake[:34], handshake)[number % 3])
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for number in range(STRANGERS):
            nursery.start_soon(stay, number)
        await trio.sleep(0.5)
        yield
        nursery.cancel_scope.cancel()


async def ends(process: trio.Process) -> tuple[str, str]:
    """What it says when its input ends, and its log."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdin.aclose()
    out = b"".join([chunk async for chunk in process.stdout])
    return out.decode(), b"".join([chunk async for chunk in process.stderr]).decode()


async def download(folder: Path, address: Address) -> None:
    async with open_client(Settings(port=0, interface=LOCALHOST, stop_seconds=1)) as client:
        torrent = await client.add(TORRENT, save_path=folder, peers=[address])
        await torrent.wait_complete()


@pytest.mark.slow
@pytest.mark.parametrize("taken", [0, 90], ids=["as planned", "others have taken more than planned"])
async def test_out_of_descriptors_a_seed_goes_on(taken: int, tmp_path: Path):
    async with seed(tmp_path / "seed", taken) as (process, address):
        async with strangers(address):
            if not taken:  # within the budget there is room for one who is in earnest
                with trio.fail_after(5):
                    await download(tmp_path / "meanwhile", address)
        with trio.fail_after(5):
            await download(tmp_path / "afterwards", address)
        out, log = await ends(process)
    unexpected, state, descriptors = out.split()
    assert (unexpected, state) == ("0", "seeding")
    assert int(descriptors) < 30, "they are given back"
    assert log.splitlines() == ["cannot take more connections now: Too many open files"] * bool(taken)
