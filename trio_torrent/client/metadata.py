"""A torrent's life before anybody knows what is in it: from its link to its info dictionary, and on to its pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from trio_torrent.disk.workers import Workers
from trio_torrent.errors import MetainfoError
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.swarm.events import Event, Tick
from trio_torrent.swarm.gathering import Bequest, Gathering

from .metainfo import Metainfo
from .perform import Performer


@attrs.frozen(eq=False)
class Learning:
    """The heart of a torrent while it is learned. `publish` is told of each event."""

    magnet: Magnet
    gathering: Gathering
    performer: Performer
    events: trio.MemoryReceiveChannel[Event]
    inbox: trio.MemorySendChannel[Event]
    workers: Workers
    publish: Callable[[Event], None]

    async def run(self, prepare: Callable[[Metainfo], Awaitable[None]]) -> None:
        """Get the info dictionary and have everything prepared for it. Meanwhile peers are kept.

        Between its return and `finish`, nothing may be awaited. Raises MetainfoError if it is of no use, and what
        `prepare` raises, in a group.
        """
        prepared = trio.Event()
        reading = False
        async with trio.open_nursery() as nursery:
            async for event in self.events:
                self._handle(event)
                if self.gathering.info is not None and not reading:
                    reading = True
                    nursery.start_soon(self._read, self.gathering.info, prepare, prepared)
                if prepared.is_set():
                    break

    async def _read(self, info: bytes, prepare: Callable[[Metainfo], Awaitable[None]], prepared: trio.Event) -> None:
        """Read the info dictionary in a thread: of the largest it takes seconds."""
        metainfo = await self.workers.run(partial(metainfo_of, self.magnet, info))
        await prepare(metainfo)
        prepared.set()
        await self.inbox.send(Tick())  # lest nothing else happens

    def _handle(self, event: Event) -> None:
        commands = self.gathering.handle(event, trio.current_time())
        self.publish(event)
        self.performer.perform(commands)

    def finish(self, metainfo: Metainfo) -> Bequest:
        """What there is for the scheduler that comes after. What is under way in the inbox is still of the old."""
        while self.events.statistics().current_buffer_used or self.events.statistics().tasks_waiting_send:
            self._handle(self.events.receive_nowait())
        bequest = self.gathering.bequeath(metainfo.geometry.pieces, trio.current_time(), private=metainfo.private)
        self.performer.perform(bequest.drops)
        return bequest


def metainfo_of(magnet: Magnet, info: bytes) -> Metainfo:
    """The torrent of a link and the info dictionary that it names. Raises MetainfoError if it cannot be used."""
    metainfo = Metainfo.from_info(info, [[url] for url in magnet.trackers], magnet.web_seeds)
    known, named = metainfo.info_hashes, magnet.info_hashes
    if named.v1 not in (None, known.v1) or named.v2 not in (None, known.v2):
        # A SHA-1 can be taken over what is no v1 torrent, too.
        raise MetainfoError(f"the link names a torrent of version {named.version}, and this is one of {known.version}")
    return metainfo
