"""The DHT of one client: whether there is one, at which port, and what it remembers from run to run."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import outcome
import trio

from trio_torrent.address import is_local
from trio_torrent.dht.options import Options
from trio_torrent.dht.saved import MAX_SAVED
from trio_torrent.disk import atomic
from trio_torrent.disk.workers import Workers
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dht import Dht
from trio_torrent.net.udp import Datagrams, open_datagrams

from .settings import Settings

logger: logging.Logger = logging.getLogger("trio_torrent")

FILE = "dht"  # in the state folder

# Between two savings. A table an hour old still finds the network in a second, and whoever is killed loses no more.
SAVE_SECONDS = 600.0


@asynccontextmanager
async def open_dht(settings: Settings, port: int, workers: Workers, boundary: Boundary) -> AsyncIterator[Dht | None]:
    """It takes part while the block lasts, at this UDP port, or any if that is taken. None where there can be none."""
    datagrams = _bind(port, settings.interface) if _is_wanted(settings) else None
    if datagrams is None:
        yield None
        return
    memory = Memory(settings.state_folder, workers)
    with datagrams:
        dht = Dht(
            datagrams,
            boundary,
            options=Options(allow_local=_allows_local(settings)),
            routers=settings.dht_routers,
            saved=await memory.load(),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(datagrams.run, boundary)
            await nursery.start(dht.run)
            nursery.start_soon(memory.keep, dht)
            try:
                yield dht
            finally:
                memory.save(dht)
                nursery.cancel_scope.cancel()


def _is_wanted(settings: Settings) -> bool:
    """Beside a proxy it would show who we are. From a loopback address it reaches nobody whom it may talk to."""
    loopback = settings.interface is not None and ipaddress.ip_address(settings.interface).is_loopback
    return settings.dht and settings.proxy is None and (_allows_local(settings) or not loopback)


def _allows_local(settings: Settings) -> bool:
    """Who names a router on a local network has a DHT there."""
    return settings.allow_local or any(is_local(router.host) for router in settings.dht_routers)


def _bind(port: int, interface: str | None) -> Datagrams | None:
    for wanted in (port, 0):
        try:
            return open_datagrams(wanted, interface=interface)
        except OSError as error:
            problem = error.strerror
    logger.warning("there is no UDP port to be had (%s), so there is no DHT", problem)
    return None


class Memory:
    """Whom the DHT knows, in the state folder; without one it forgets. It trusts that no more than a stranger."""

    def __init__(self, folder: Path | None, workers: Workers) -> None:
        self._path = folder / FILE if folder is not None else None
        self._workers = workers

    async def load(self) -> bytes:
        """What was saved last; nothing if that cannot be read."""
        return await self._workers.run(partial(atomic.read, self._path, MAX_SAVED)) if self._path is not None else b""

    def save(self, dht: Dht) -> None:
        """Do it in a thread, which is waited for when the threads end."""
        if self._path is not None and dht.status.nodes:  # or else there is nothing to add to what was known before
            self._workers.submit(partial(atomic.replace, self._path, dht.saved()), self._saved)

    def _saved(self, result: outcome.Outcome[None]) -> None:
        if isinstance(result, outcome.Error):
            logger.warning("cannot save whom the DHT knows: %s", result.error)

    async def keep(self, dht: Dht) -> None:
        """Save it, again and again."""
        while True:
            await trio.sleep(SAVE_SECONDS)
            self.save(dht)
