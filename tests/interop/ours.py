"""trio-torrent itself: in this process, where its bugs are counted, and from its command line."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from trio_torrent import Address, Client, Settings, Torrent, open_client

from .programs import PATIENCE, running, until
from .share import Share

REPOSITORY = Path(__file__).parents[2]


@asynccontextmanager
async def open_ours(*, trackers: bool = True) -> AsyncIterator[Client]:
    """A client on any free port, in which nothing unexpected happens."""
    async with open_client(Settings(port=0, dht=False, trackers=trackers, lsd=False)) as client:
        yield client
    assert client.unexpected == 0


async def download(client: Client, share: Share, folder: Path, *peers: Address) -> Torrent:
    """Get it all, and look at every byte."""
    torrent = await client.add(share.metainfo, save_path=folder, peers=peers)
    with trio.fail_after(PATIENCE):
        await torrent.wait_complete()
    assert share.is_in(folder)
    return torrent


async def seed(client: Client, share: Share) -> None:
    """Serve it, from the end of its check on."""
    torrent = await client.add(share.metainfo, save_path=share.folder)
    await torrent.wait_checked()


async def arrival(share: Share, folder: Path) -> None:
    """Another client has all of it, and it is right."""

    async def arrived() -> bool:
        return share.is_in(folder, empty_files=False)  # Transmission makes none

    await until(arrived, "the download is complete")


@attrs.frozen(eq=False)
class Command:
    """A command line of ours that is running."""

    process: trio.Process
    log: Path

    @property
    def lines(self) -> list[str]:
        """What it has printed, to stdout or stderr."""
        return self.log.read_text("utf-8").splitlines()

    @property
    def events(self) -> list[dict[str, object]]:
        """What it has printed as JSON, whole lines only."""
        lines = self.log.read_text("utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    async def until_event(self, name: str, **fields: object) -> None:
        """Return when it has told of an event with these fields."""
        wanted = {"event": name, **fields}.items()

        async def told() -> bool:
            return any(wanted <= event.items() for event in self.events)

        await until(told, f"{name} {fields}")

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    async def end(self, *, seconds: float = PATIENCE) -> int:
        """Its exit code, after which it has nothing more to say; a traceback it never has."""
        with trio.fail_after(seconds):
            code = await self.process.wait()
        assert not [line for line in self.lines if "Traceback" in line]
        return code


@asynccontextmanager
async def command(log: Path, *arguments: str | Path) -> AsyncIterator[Command]:
    """`trio-torrent ARGUMENTS`. It joins the DHT by a router of its own, or not at all."""
    argv = [sys.executable, "-m", "trio_torrent", *arguments]
    environment = {} if "--dht-router" in arguments else {"TRIO_TORRENT_NO_DHT": "1"}
    async with running(*argv, log=log, cwd=REPOSITORY, environment=environment) as process:
        yield Command(process, log)
