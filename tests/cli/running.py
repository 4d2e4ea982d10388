"""The program as a person runs it, in this process and in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

import trio_torrent
from trio_torrent import Address, Metainfo, Settings, open_client
from trio_torrent.cli import main

ROOT = Path(trio_torrent.__file__).parents[1]
LOCAL = Settings(port=0, interface="127.0.0.1")
EASY = ("--port", "0", "--interface", "127.0.0.1")  # so that tests do not meet at one port


def exit_of(*arguments: object) -> int:
    """Run it here: the exit code. What it prints is for capsys."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def environment(**extra: str) -> dict[str, str]:
    """For the program in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIO_TORRENT_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **extra}


def command(*arguments: object) -> list[str]:
    """The program in a process of its own."""
    return [sys.executable, "-m", "trio_torrent", *map(str, arguments)]


async def run(*arguments: object, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run it in a process of its own, to its end."""
    return await trio.run_process(
        command(*arguments),
        stdin=stdin,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=environment(**variables),
    )


def start(*arguments: object) -> partial[object]:
    """For `nursery.start`: the `trio.Process`, with stdout and stderr as pipes."""
    return partial(
        trio.run_process,
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
        env=environment(),
    )


@asynccontextmanager
async def seeding(metainfo: Metainfo, folder: Path) -> AsyncIterator[Address]:
    """Someone who has all of it."""
    async with open_client(LOCAL) as client:
        torrent = await client.add(metainfo, save_path=folder)
        await torrent.wait_complete()
        yield Address("127.0.0.1", client.port)


def events(output: str | bytes) -> list[dict[str, object]]:
    """The lines of --json."""
    return [json.loads(line) for line in output.splitlines()]
