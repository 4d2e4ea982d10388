"""What asks the world by URL, as the settings say.

It is loaded when it is first needed: httpx alone takes 70 ms, and many downloads do without.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING

import trio

from trio_torrent.errors import TrackerError
from trio_torrent.net.lookup import SystemLookup
from trio_torrent.net.proxy import Proxy
from trio_torrent.net.reach import Family, Local
from trio_torrent.net.words import in_one_line

from .settings import Settings

if TYPE_CHECKING:
    from trio_torrent.net.asking import Trackers
    from trio_torrent.net.http import Http
    from trio_torrent.net.lane import OpenLane


class Web:
    """Gets by HTTP, and has what asks trackers. Of the two, neither is loaded for the other's sake."""

    def __init__(self, settings: Settings, random: Random) -> None:
        self._settings = settings
        self._random = random
        self._lookup = SystemLookup()
        self._loading = trio.Lock()
        self._loaded = False

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        """As `Http.get`."""
        await self._load()
        return await self._http.get(url, limit=limit, seconds=seconds, local=local, family=family)

    async def _load(self) -> None:
        """In a thread, as peers may be there already, and the program may have other things to do."""
        async with self._loading:
            if not self._loaded:
                try:
                    await trio.to_thread.run_sync(import_module, "trio_torrent.net.http")
                except (ImportError, OSError) as error:  # there is no descriptor left to read it by
                    raise TrackerError(f"nothing can be asked by HTTP now: {in_one_line(error)}") from error
                self._loaded = True

    def lanes(self) -> OpenLane:
        """What web seeds are asked by."""
        return self._http.lane

    @cached_property
    def _http(self) -> Http:
        from trio_torrent.net.http import make_http

        settings = self._settings
        return make_http(
            user_agent=settings.user_agent,
            allow_local=settings.allow_local,
            lookup=self._lookup,
            interface=settings.interface,
            proxy=Proxy.parse(settings.proxy) if settings.proxy else None,
        )

    def trackers(self) -> Trackers:
        """The same for all who ask for it."""
        return self._trackers

    @cached_property
    def _trackers(self) -> Trackers:
        from trio_torrent.net.asking import make_trackers

        settings = self._settings
        return make_trackers(
            self,
            lookup=self._lookup,
            random=self._random,
            allow_local=settings.allow_local,
            interface=settings.interface,
            proxied=settings.proxy is not None,
        )
