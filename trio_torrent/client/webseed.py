"""One web seed of a torrent: used, left alone for a while, used again (BEP 17, BEP 19)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import trio

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.lane import OpenLane
from trio_torrent.net.webseed import WebSeedConnection
from trio_torrent.swarm.webseeds import LACKS_EVERYTHING_SECONDS, MOST_AT_ONCE, Standing
from trio_torrent.wire.web_answers import BusyError, UnusableError
from trio_torrent.wire.web_urls import Files, Script, Source

from .perform import Performer


class WebSeed:
    """Runs it, at one of the `places` that a torrent has for them, and knows how it stands."""

    def __init__(
        self,
        url: str,
        source: Source,
        pieces: int,
        *,
        places: trio.Semaphore,
        open_lane: OpenLane,
        boundary: Boundary,
    ) -> None:
        self.standing: Standing = Standing(url)
        self._source = source
        self._places = places
        self._open_lane = open_lane
        self._boundary = boundary
        self._all = Bitfield.full(pieces)

    async def run(
        self, performer: Performer, is_complete: Callable[[], bool], wanted: Callable[[], Awaitable[None]]
    ) -> None:
        """Use it whenever something is lacking; `wanted` waits for that."""
        standing, pieces = self.standing, self._all
        while not standing.is_over:
            if is_complete():
                standing.finish()
                await wanted()
                continue
            await trio.sleep_until(max(standing.not_before, trio.current_time()))
            async with self._places:
                if is_complete():
                    continue
                standing.begin()
                make = partial(
                    WebSeedConnection,
                    source=self._source,
                    pieces=pieces,
                    open_lane=self._open_lane,
                    boundary=self._boundary,
                    gave=standing.gave,
                )
                connection = await performer.host(Address(standing.url, 0), make)
            pieces = self._judge(connection, pieces, is_complete())

    def _judge(self, ended: WebSeedConnection, pieces: Bitfield, complete: bool) -> Bitfield:
        """What to do with one that has ended; the pieces that it is thought to have."""
        standing, now = self.standing, trio.current_time()
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
                pieces = pieces - Bitfield(pieces.size, self._source.pieces_of(ended.lacks))
                if pieces.count:
                    standing.go_on(ended.reason)
                else:
                    standing.rest(ended.reason, now, seconds=LACKS_EVERYTHING_SECONDS)
                    pieces = self._all
        return pieces


def web_seeds_of(metainfo: Metainfo, open_lane: OpenLane, boundary: Boundary) -> list[WebSeed]:
    """Those that a torrent names, each URL once."""
    places = trio.Semaphore(MOST_AT_ONCE)
    make = partial(WebSeed, pieces=metainfo.geometry.pieces, places=places, open_lane=open_lane, boundary=boundary)
    return [make(url, source) for url, source in dict(_sources(metainfo)).items()]


def _sources(metainfo: Metainfo) -> Iterator[tuple[str, Source]]:
    for url in metainfo.web_seeds:
        yield url, Files(url, metainfo)
    if metainfo.info_hashes.v1 is not None:
        for url in metainfo.http_seeds:
            yield url, Script(url, metainfo.info_hashes.v1, metainfo.geometry)
