"""The web seeds of one torrent: each used, left alone for a while, used again (BEP 17, BEP 19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import trio

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.lane import OpenLane
from trio_torrent.net.webseed import WebSeedConnection
from trio_torrent.swarm.webseeds import LACKS_EVERYTHING_SECONDS, MOST_AT_ONCE, Standing, WebSeedStatus
from trio_torrent.wire.web_answers import BusyError, UnusableError
from trio_torrent.wire.web_urls import Files, Script, Source

from .perform import Performer


class WebSeeds:
    """Runs them, and tells how they stand."""

    def __init__(self, metainfo: Metainfo, open_lane: OpenLane, boundary: Boundary, *, on: bool) -> None:
        """None is used, or shown, unless they are `on`."""
        self._metainfo = metainfo
        self._open_lane = open_lane
        self._boundary = boundary
        self._places = trio.Semaphore(MOST_AT_ONCE)
        self._sources = dict(_sources(metainfo)) if on else {}
        self._standings = {url: Standing(url) for url in self._sources}
        self._wanted = trio.Event()

    @property
    def status(self) -> tuple[WebSeedStatus, ...]:
        """How each of them stands."""
        now = trio.current_time()
        return tuple(standing.status(now) for standing in self._standings.values())

    def want(self) -> None:
        """Something is lacking, perhaps again."""
        self._wanted.set()
        self._wanted = trio.Event()

    async def run(self, performer: Performer, is_complete: Callable[[], bool]) -> None:
        """Use them whenever something is lacking, for as long as the session lasts."""
        try:
            async with trio.open_nursery() as nursery:
                for url, source in self._sources.items():
                    nursery.start_soon(self._use, self._standings[url], source, performer, is_complete)
        finally:
            for standing in self._standings.values():
                standing.stop()

    async def _use(
        self, standing: Standing, source: Source, performer: Performer, is_complete: Callable[[], bool]
    ) -> None:
        pieces = Bitfield.full(self._metainfo.geometry.pieces)
        while not standing.is_over:
            if is_complete():
                standing.finish()
                await self._wanted.wait()
                continue
            await trio.sleep_until(max(standing.not_before, trio.current_time()))
            async with self._places:
                if is_complete():
                    continue
                standing.begin()
                make = partial(
                    WebSeedConnection,
                    source=source,
                    pieces=pieces,
                    open_lane=self._open_lane,
                    boundary=self._boundary,
                    gave=standing.gave,
                )
                connection = await performer.host(Address(standing.url, 0), make)
            pieces = self._judge(standing, connection, source, pieces, is_complete())

    def _judge(
        self, standing: Standing, ended: WebSeedConnection, source: Source, pieces: Bitfield, complete: bool
    ) -> Bitfield:
        """What to do with one that has ended; the pieces that it is thought to have."""
        now = trio.current_time()
        match ended.error:
            case None if complete:
                standing.finish()
            case None if ended.for_good:
                standing.give_up(ended.reason)
            case UnusableError():
                standing.give_up(ended.reason)
            case BusyError(seconds=seconds):
                standing.rest(ended.reason, now, seconds=seconds)
            case _ if ended.lacks is None:
                standing.rest(ended.reason, now)
            case _:
                pieces = pieces - Bitfield(pieces.size, source.pieces_of(ended.lacks))
                if pieces.count:
                    standing.go_on(ended.reason)
                else:
                    standing.rest(ended.reason, now, seconds=LACKS_EVERYTHING_SECONDS)
                    pieces = Bitfield.full(pieces.size)
        return pieces


def _sources(metainfo: Metainfo) -> Iterable[tuple[str, Source]]:
    for url in metainfo.web_seeds:
        yield url, Files(url, metainfo)
    if metainfo.info_hashes.v1 is not None:
        for url in metainfo.http_seeds:
            yield url, Script(url, metainfo.info_hashes.v1, metainfo.geometry)
