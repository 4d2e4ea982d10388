"""One session of a torrent: its peers, and the scheduler that says what to do with them.

The heart is `_heart`: an event comes, the scheduler decides, the performer acts, and nothing else is awaited. That is
why there are no locks. A session that begins as a link has another heart first (`learn`), and keeps its peers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import outcome
import trio

from trio_torrent.address import Address
from trio_torrent.disk.store import Verdict
from trio_torrent.errors import PeerError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.places import Share
from trio_torrent.net.throttle import Throttle
from trio_torrent.swarm.events import (
    AddressesFound,
    Awaited,
    DialFailed,
    Event,
    InOrder,
    Joined,
    PieceVerified,
    Released,
    Tick,
    Wanted,
)
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.scheduler import Limits, Scheduler, Swarm
from trio_torrent.wire.handshake import Handshake

from .buckets import Buckets
from .finder import Finder
from .known import Known
from .loading import loading
from .metainfo import Metainfo
from .perform import Performer, Reports
from .selection import Selection
from .shared import Shared
from .verdicts import Verdicts

if TYPE_CHECKING:
    from trio_torrent.swarm.gathering import Gathering

    from .metadata import Learning

# Events that wait for the scheduler. It takes microseconds for each, so more would only hide that it is late; a peer
# that finds it full waits, and TCP slows the other side down.
INBOX = 64

TICK_SECONDS = 1.0

# Where a rate limit is kept, what may be asked for is asked so often: a limit should be seen as a slower flow, and a
# bucket holds no more than a quarter of a second's worth.
PACE_SECONDS = 0.1


class Session:
    """Made for the length of a nursery. `publish` is told of the events that may matter to users.

    `reports` is what happens to the torrent; `verified` is told of each piece as soon as it is in its files, before
    the scheduler is.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        share: Share,
        shared: Shared,
        buckets: Buckets,
        info_hashes: InfoHashes,
        *,
        dht: Finder | None,
        publish: Callable[[Event], None],
        verified: Callable[[int], None],
        reports: Reports,
    ) -> None:
        self._nursery = nursery
        self._share = share
        self._shared = shared
        self._buckets = buckets
        self._dht = dht
        self._publish = publish
        self._verified = verified
        self._inbox, self._events = trio.open_memory_channel[Event](INBOX)
        self._verdicts = Verdicts(self._inbox)
        self._learning: Learning | None = None
        self._scheduler: Scheduler | None = None
        self._rest: trio.Event | None = None  # set when it is to be known again how time passes
        throttle = Throttle(buckets.up, shared.buckets.up, shared.upload_turns)
        nursery.start_soon(throttle.run)
        self.performer: Performer = Performer(
            nursery=nursery,
            inbox=self._inbox,
            info_hashes=info_hashes,
            peer_id=shared.peer_id,
            dht=dht is not None,
            connect=shared.connect,
            share=share,
            throttle=throttle,
            boundary=shared.boundary,
            scratch=shared.scratch,
            verdict=self._on_verdict,
            reports=reports,
        )

    @property
    def downloads(self) -> bool:
        """It is known what there is, and what is there of it."""
        return self._scheduler is not None

    # -- from a link to pieces ---------------------------------------------------------------------------------------

    async def learn(self, magnet: Magnet, prepare: Callable[[Metainfo], Awaitable[None]]) -> None:
        """Get the info dictionary from peers, and have everything prepared for it. As `Learning.run`."""
        with loading():  # who has the .torrent has nothing to learn
            from trio_torrent.swarm.gathering import Gathering

            from .metadata import Learning

        settings = self._shared.settings
        self._learning = Learning(
            magnet=magnet,
            gathering=Gathering(
                magnet.info_hashes,
                ours=self._ours(magnet.info_hashes, self._dht),
                random=self._shared.random,
                limits=self._limits,
                pex=settings.pex,
            ),
            performer=self.performer,
            events=self._events,
            inbox=self._inbox,
            workers=self._shared.workers,
            publish=self._on_learning,
        )
        await self._learning.run(prepare)

    def start(self, known: Known, *, sequential: bool) -> None:
        """Download and serve; with the peers that are there already, if it began as a link."""
        now, metainfo, learning = trio.current_time(), known.metainfo, self._learning
        bequest = learning.finish(metainfo) if learning is not None else None
        scheduler = self._scheduler = Scheduler(
            metainfo.geometry,
            known.progress.have,
            ours=self._ours(metainfo.info_hashes, None if metainfo.private else self._dht),
            random=self._shared.random,
            now=now,
            limits=self._limits,
            down=(self._buckets.down, self._shared.buckets.down),
            trees=known.trees,
            layers=metainfo.piece_layers,
            hold=known.hold,
            info=b"" if metainfo.private else metainfo.info_bytes,  # as with others: who may have it has the .torrent
            pex=self._shared.settings.pex and not metainfo.private,
            heard_of=bequest.heard_of if bequest is not None else None,
        )
        self.performer.begin(metainfo, known.content.store)
        # What the user wants, before anybody is there who could give it.
        if known.selection.is_special:
            scheduler.handle(Wanted(tuple(enumerate(known.selection.pieces()))), now)
        if sequential:
            scheduler.handle(InOrder(), now)
        if bequest is not None:
            self._learning = None
            for event in bequest.events:
                self.performer.perform(scheduler.handle(event, now))
        self._stir(scheduler)
        self._nursery.start_soon(self._heart, scheduler)
        self._nursery.start_soon(self._verdicts.run)

    @property
    def _limits(self) -> Limits:
        settings = self._shared.settings
        return Limits(settings.connections, settings.upload_slots, settings.superseed)

    def _ours(self, info_hashes: InfoHashes, dht: Finder | None) -> Ours:
        settings, port = self._shared.settings, self._shared.port
        return Ours(
            self._shared.peer_id,
            port,
            settings.user_agent,
            mirror=self._shared.mirror,
            own=self._shared.own,
            info_hash=info_hashes.wire,
            dht_port=dht.port if dht is not None else None,
        )

    # -- the tasks ---------------------------------------------------------------------------------------------------

    async def _heart(self, scheduler: Scheduler) -> None:
        handle, perform = scheduler.handle, self.performer.perform
        async for first in self._events:
            for event in self._with_those_behind(first):
                commands = handle(event, trio.current_time())
                if isinstance(event, PieceVerified | Released | DialFailed | Joined):
                    self._publish(event)
                perform(commands)
            if self._rest is not None:
                self._stir(scheduler)

    def _with_those_behind(self, event: Event) -> Iterator[Event]:
        """An event and those behind it: an inbox full and one from each task that waits, since none runs meanwhile."""
        with suppress(trio.WouldBlock):
            while True:
                yield event
                event = self._events.receive_nowait()

    async def tick(self) -> None:
        """Tell the heart how time passes, from when others may come."""
        while True:
            await self._rest_until_stirred()
            await trio.sleep(PACE_SECONDS if self._is_paced else TICK_SECONDS)
            await self._inbox.send(Tick(crowded=self._share.is_over))

    @property
    def _is_paced(self) -> bool:
        """What is asked for is asked little by little."""
        limited = self._buckets.down.rate is not None or self._shared.buckets.down.rate is not None
        decider = self._decider
        return decider is None or (decider.asks and (limited or self._scheduler is None))

    @property
    def _decider(self) -> Scheduler | Gathering | None:
        if self._scheduler is not None:
            return self._scheduler
        return self._learning.gathering if self._learning is not None else None

    async def _rest_until_stirred(self) -> None:
        """Wait as long as time is of no matter: of a thousand torrents that are served, nearly all are at rest."""
        if self._decider is not None and self._decider.rests:
            self._rest = trio.Event()
            await self._rest.wait()
            self._rest = None

    def _stir(self, decider: Scheduler | Gathering) -> None:
        if self._rest is not None and not decider.rests:
            self._rest.set()

    def _on_learning(self, event: Event) -> None:
        self._publish(event)
        if self._learning is not None:
            self._stir(self._learning.gathering)

    def _on_verdict(self, result: outcome.Outcome[Verdict]) -> None:
        if isinstance(result, outcome.Value) and result.value.good:
            self._verified(result.value.piece)
        self._verdicts.tell(result)

    # -- what others ask or tell -------------------------------------------------------------------------------------

    async def found(self, addresses: Sequence[Address], source: str) -> None:
        """Peers may be there."""
        if addresses:
            await self._inbox.send(AddressesFound(tuple(addresses), source))

    def meet(self, address: Address, source: str) -> None:
        """A peer may be there. If there is too much to do just now, this is what can wait."""
        with suppress(trio.WouldBlock, trio.BrokenResourceError):
            self._inbox.send_nowait(AddressesFound((address,), source))

    async def want(self, selection: Selection) -> None:
        """The user wants other files."""
        await self._inbox.send(Wanted(tuple(enumerate(selection.pieces()))))

    async def heed(self, awaited: Awaited) -> None:
        """Somebody reads, or does no more."""
        await self._inbox.send(awaited)

    async def release(self, released: Released) -> None:
        """Pieces can be compared from now on."""
        await self._inbox.send(released)

    async def welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        """Somebody has come. Raises PeerError for whom there is no place."""
        if self._scheduler is not None and (refusal := self._scheduler.refusal(address)):
            raise PeerError(refusal)
        await self.performer.welcome(stream, address, theirs, early)

    def snapshot(self, before: Swarm) -> Swarm:
        """How it stands, with what was counted before it."""
        if self._scheduler is not None:
            now = self._scheduler.snapshot(trio.current_time())
        elif self._learning is not None:
            now = self._learning.gathering.snapshot()
        else:
            now = Swarm.nothing()
        return attrs.evolve(
            now,
            downloaded=before.downloaded + now.downloaded,
            uploaded=before.uploaded + now.uploaded,
            wasted=before.wasted + now.wasted,
        )
