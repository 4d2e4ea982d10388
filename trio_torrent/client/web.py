"""What asks the world by URL, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from trio_torrent.net.asking import Trackers, make_trackers
from trio_torrent.net.http import Http, open_http
from trio_torrent.net.lookup import SystemLookup
from trio_torrent.net.proxy import Proxy

from .settings import Settings


@asynccontextmanager
async def open_web(settings: Settings, random: Random) -> AsyncIterator[tuple[Http, Trackers]]:
    """Something that gets by HTTP, and something that asks trackers."""
    lookup = SystemLookup()
    async with open_http(
        user_agent=settings.user_agent,
        allow_local=settings.allow_local,
        lookup=lookup,
        interface=settings.interface,
        proxy=Proxy.parse(settings.proxy) if settings.proxy else None,
    ) as http:
        yield (
            http,
            make_trackers(
                http,
                lookup=lookup,
                random=random,
                allow_local=settings.allow_local,
                interface=settings.interface,
                proxied=settings.proxy is not None,
            ),
        )
