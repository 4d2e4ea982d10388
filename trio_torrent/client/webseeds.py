"""The web seeds of one torrent, all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.net.boundary import Boundary

from .loading import loading

if TYPE_CHECKING:
    from trio_torrent.net.lane import OpenLane
    from trio_torrent.swarm.webseeds import WebSeedStatus

    from .perform import Performer
    from .webseed import WebSeed


class WebSeeds:
    """Runs them, and tells how they stand."""

    def __init__(self, metainfo: Metainfo, lanes: Callable[[], OpenLane], boundary: Boundary, *, on: bool) -> None:
        """None is used, or shown, unless they are `on`."""
        self._seeds: Sequence[WebSeed] = ()
        self._wanted = trio.Event()
        if on and (metainfo.web_seeds or metainfo.http_seeds):
            with loading():  # with an HTTP client, for which other torrents should not wait
                from .webseed import web_seeds_of

                self._seeds = web_seeds_of(metainfo, lanes(), boundary)

    @property
    def status(self) -> tuple[WebSeedStatus, ...]:
        """How each of them stands."""
        now = trio.current_time()
        return tuple(seed.standing.status(now) for seed in self._seeds)

    def want(self) -> None:
        """Something is lacking, perhaps again."""
        self._wanted.set()
        self._wanted = trio.Event()

    async def _until_wanted(self) -> None:
        await self._wanted.wait()

    async def run(self, performer: Performer, is_complete: Callable[[], bool]) -> None:
        """Use them whenever something is lacking, for as long as the session lasts."""
        try:
            async with trio.open_nursery() as nursery:
                for seed in self._seeds:
                    nursery.start_soon(seed.run, performer, is_complete, self._until_wanted)
        finally:
            for seed in self._seeds:
                seed.standing.stop()
