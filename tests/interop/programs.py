"""Other people's programs: found or excused, started, and surely ended. Ports for them, and looks at what they do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

import attrs
import pytest
import trio

LOOPBACK = "127.0.0.1"

# Below 32768, where Linux takes the ports of outgoing connections from: between the choice of a port and its use,
# nobody gets it by chance.
FIRST_PORT, LAST_PORT = 20000, 32768

GRACE_SECONDS = 5.0  # for a program to tell its tracker that it is gone
LOOK_SECONDS = 0.05  # between looks at what another program has done
PATIENCE = 45.0  # seconds until it should have: Transmission and aria2 have timers of 10 s, and machines can be slow

_T = TypeVar("_T")


@attrs.frozen
class Job:
    """What a client is to share: if the folder has the content it seeds, else it downloads."""

    torrent: Path
    folder: Path
    work: Path  # for its settings, state and log; empty
    host: str = LOOPBACK
    port: int = attrs.field(factory=lambda: free_port())


def need(program: str, package: str) -> None:
    """Skip the test if a program is missing; on a build server, where all should be there, fail it."""
    if shutil.which(program) is None:
        missing(program, f"apt-get install {package}")


def missing(name: str, remedy: str) -> NoReturn:
    """What happens when a client is not there."""
    excuse = pytest.fail if os.environ.get("CI") else pytest.skip
    excuse(f"{name} is not installed ({remedy})")


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


async def until(look: Callable[[], Awaitable[_T]], wanted: str, *, seconds: float = PATIENCE) -> _T:
    """What `look` gives as soon as it is true. Fails the test after `seconds`, saying what was wanted."""
    deadline = trio.current_time() + seconds
    while not (seen := await look()):
        if trio.current_time() > deadline:
            pytest.fail(f"not within {seconds:g} s: {wanted}")
        await trio.sleep(LOOK_SECONDS)
    return seen


def free_port() -> int:
    """A port that nobody has, and that was not given before."""
    return next(_free_ports)


def _search() -> Iterator[int]:
    # Two test runs on one machine begin at different places.
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
