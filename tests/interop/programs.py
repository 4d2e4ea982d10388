"""Other people's programs: found or excused, given ports, started, watched, and surely ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import attrs
import pytest
import trio

LOOPBACK = "127.0.0.1"

# Where other clients live: to rTorrent and Transmission all ports of one address are one peer, and we have LOOPBACK.
NEXT_DOOR = "127.0.0.2"

# Below 32768, where Linux takes the ports of outgoing connections from: between the choice of a port and its use,
# nobody gets it by chance.
FIRST_PORT, LAST_PORT = 20000, 32768

# By client: what to look for, and the Debian package that has it. What is not here is a package of Python.
PROGRAMS = {
    "aria2": ("aria2c", "aria2"),
    "nginx": ("nginx", "nginx-light"),
    "opentracker": ("opentracker", "opentracker"),
    "qbittorrent": ("qbittorrent-nox", "qbittorrent-nox"),
    "rtorrent": ("rtorrent", "rtorrent"),
    "transmission": ("transmission-daemon", "transmission-daemon"),
}

GRACE_SECONDS = 5.0  # for a program to tell its tracker that it is gone
LOOK_SECONDS = 0.05  # between looks at what another program has done
PATIENCE = 45.0  # seconds until it should have: Transmission and aria2 have timers of 10 s, and machines can be slow


def free_port() -> int:
    """A port that nobody has, and that was not given before."""
    return next(_free_ports)


def _search() -> Iterator[int]:
    """For ever; two test runs on one machine begin at different places."""
    start = os.getpid() % (LAST_PORT - FIRST_PORT)
    while True:
        for number in range(LAST_PORT - FIRST_PORT):
            port = FIRST_PORT + (start + number) % (LAST_PORT - FIRST_PORT)
            if _is_free(port):
                yield port


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


_free_ports = _search()


@attrs.frozen
class Job:
    """What a client is to share: if the folder has the content it seeds, else it downloads."""

    torrent: Path
    folder: Path
    work: Path  # for its settings, state and log; empty
    host: str = NEXT_DOOR
    port: int = attrs.field(factory=free_port)
    link: str = ""  # to be used instead of the torrent
    pex: bool = False

    @property
    def source(self) -> str | Path:
        """What to share, as a command line has it."""
        return self.link or self.torrent


def need(client: str) -> None:
    """Skip the test if a client is missing; on a build server, where all should be there, fail it."""
    if client in PROGRAMS:
        program, package = PROGRAMS[client]
        found, remedy = shutil.which(program) is not None, f"apt-get install {package}"
    else:
        found, remedy = find_spec(client) is not None, f"pip install {client}"
    if not found:
        excuse = pytest.fail if os.environ.get("CI") else pytest.skip
        excuse(f"{client} is not installed ({remedy})")


@asynccontextmanager
async def running(
    *arguments: str | Path, log: Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[trio.Process]:
    """A program, until the end of the block. It has a session of its own, which leaves nothing behind."""
    with log.open("wb") as output:
        process = await trio.lowlevel.open_process(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


async def _end(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(GRACE_SECONDS):
        await process.wait()
    with suppress(ProcessLookupError):  # as it should be
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def until(look: Callable[[], Awaitable[bool]], wanted: str, *, seconds: float = PATIENCE) -> None:
    """Return when `look` says so. When it has not for too long, fail the test, and say what was wanted."""
    deadline = trio.current_time() + seconds
    while not await look():
        if trio.current_time() > deadline:
            pytest.fail(f"not within {seconds:g} s: {wanted}")
        await trio.sleep(LOOK_SECONDS)
