"""One torrent: the tasks that keep it going, and the handle that programs hold.

The heart is `_heart`: an event comes, the scheduler decides, the performer acts, and nothing else is awaited. That is
why there are no locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from random import Random
from types import EllipsisType

import attrs
import outcome
import trio

from trio_torrent.address import Address, is_local
from trio_torrent.bitfield import Bitfield
from trio_torrent.dht.status import DiscoveryStatus
from trio_torrent.disk.check import check
from trio_torrent.disk.files import Files
from trio_torrent.disk.store import Store, Verdict
from trio_torrent.disk.workers import Workers
from trio_torrent.errors import IncompleteError, MetainfoError, PeerError, StoppedError, StorageError, TorrentError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.asking import Asker
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dial import Connect
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS
from trio_torrent.net.http_tracker import Getter
from trio_torrent.net.listen import Welcome
from trio_torrent.net.places import Places, Share
from trio_torrent.net.throttle import Throttle
from trio_torrent.net.tracker import Announcer
from trio_torrent.swarm.events import AddressesFound, DialFailed, Event, PieceFailed, PieceVerified, Released, Tick
from trio_torrent.swarm.gathering import Gathering
from trio_torrent.swarm.pool import USER
from trio_torrent.swarm.scheduler import Limits, Ours, Scheduler, Swarm
from trio_torrent.tracker.announce import Totals
from trio_torrent.tracker.tiers import Tiers
from trio_torrent.wire.handshake import Handshake

from .broadcast import Broadcast
from .buckets import Buckets
from .discovery import Discovery, Finder, Standing
from .events import Checked, Completed, DialRefused, Failed, FileDone, MetadataDone, PeerGone, PieceDone, TorrentEvent
from .metadata import UNKNOWN_LEFT, Learning
from .metainfo import Metainfo
from .perform import Performer, Reports
from .progress import Progress
from .settings import Settings
from .status import State, Status, in_words

# Events that wait for the scheduler. It takes microseconds for each, so more would only hide that it is late; a peer
# that finds it full waits, and TCP slows the other side down.
INBOX = 64

# Verdicts that wait to be relayed. Never full: each is of a piece being verified, and the scheduler lets no more than
# 64 MiB of those be on their way.
MOST_VERDICTS = 1 << 20

TICK_SECONDS = 1.0

# Pieces that are made known in one go: a message each for every peer, and a peer is dropped that lets 4096 pile up.
RELEASED_AT_ONCE = 1000

# Peers of a download, below which more of them are looked for in the DHT every few minutes: with some, each round of
# trackers brings others.
FEW_PEERS = 5

# Where a rate limit is kept, what may be asked for is asked so often: a limit should be seen as a slower flow, and a
# bucket holds no more than a quarter of a second's worth.
PACE_SECONDS = 0.1


@attrs.frozen(eq=False)
class Shared:
    """What the torrents of one client have in common."""

    settings: Settings
    workers: Workers
    http: Getter
    trackers: Asker
    connect: Connect
    peer_id: bytes
    port: int
    boundary: Boundary
    random: Random
    buckets: Buckets
    dht: Finder | None = None
    places: Places = attrs.field(factory=Places)
    own: frozenset[Address] = frozenset()  # where we would reach ourselves
    upload_turns: trio.Lock = attrs.field(factory=trio.Lock)  # the line of torrents before the bucket


class Torrent:
    """A torrent that is being downloaded or served. Made by `Client.add`; lives as long as its client."""

    def __init__(
        self,
        source: Metainfo | Magnet,
        save_path: Path,
        shared: Shared,
        peers: Iterable[Address],
        *,
        download: bool = True,
        limit_down: int | None = None,
        limit_up: int | None = None,
        learned: Callable[[Torrent], None] | None = None,
    ) -> None:
        self._download = download
        self._learned = learned
        self.metainfo = source if isinstance(source, Metainfo) else None
        self.magnet = source.magnet if isinstance(source, Metainfo) else source
        self.save_path = save_path
        self._shared = shared
        self._state = State.METADATA if self.metainfo is None else State.CHECKING
        self._checked = 0
        self._progress = Progress.unknown()
        self._error: TorrentError | None = None
        self._started = trio.current_time()
        self._buckets = Buckets.of(limit_down, limit_up, self._started)
        self._broadcast = Broadcast()
        self._meeting = trio.Event()  # others may come
        self._known = trio.Event()  # what there is, or it never will be
        self._ready = trio.Event()
        self._ended = trio.Event()  # complete, or never will be
        self._scope = trio.CancelScope()
        self._inbox, self._events = trio.open_memory_channel[Event](INBOX)
        self._report, self._reports = trio.open_memory_channel[outcome.Outcome[Verdict]](MOST_VERDICTS)
        self._learning: Learning | None = None
        self._scheduler: Scheduler | None = None
        self._performer: Performer | None = None
        self._nursery: trio.Nursery | None = None
        self._store: Store | None = None
        self._peers = [*peers, *(source.peers if isinstance(source, Magnet) else ())]
        self._announcer = Announcer(
            tiers=Tiers(
                _tiers(source) if shared.settings.trackers else (),
                random=shared.random,
                strict=shared.settings.strict_tiers,
                silenced=shared.trackers.silenced,
            ),
            trackers=shared.trackers,
            info_hash=source.info_hashes.wire,
            peer_id=shared.peer_id,
            port=shared.port,
            totals=self._totals,
            found=self._found,
            random=shared.random,
        )
        if self.metainfo is not None:
            self._know(self.metainfo)

        self._discovery = self._discover(self._dht) if self._dht is not None else None

    def __repr__(self) -> str:
        return f"<Torrent {self.name!r} {self._state.value} {self._progress.have.count}/{self._progress.have.size}>"

    # -- for users ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the torrent calls itself, safe as a file's name. A link may name it otherwise, or by its hash alone."""
        if self.metainfo is not None:
            return self.metainfo.name
        return self.magnet.name or self.magnet.info_hashes.wire.hex()

    @property
    def info_hashes(self) -> InfoHashes:
        """By which it is known. A link to a hybrid may name only one of the two."""
        return self.magnet.info_hashes if self.metainfo is None else self.metainfo.info_hashes

    @property
    def status(self) -> Status:
        """How it stands now."""
        swarm = self._snapshot()
        trackers, dht = self._announcer.status, self._dht_status
        stall = swarm.stall if self._state in (State.METADATA, State.DOWNLOADING) else None
        return Status(
            state=self._state,
            done=self._progress.done,
            total=self._progress.geometry.size,
            pieces_done=self._progress.have.count,
            pieces=self._progress.geometry.pieces,
            checked=self._checked,
            downloaded=swarm.downloaded,
            uploaded=swarm.uploaded,
            wasted=swarm.wasted,
            down_rate=swarm.down_rate,
            up_rate=swarm.up_rate,
            peers=swarm.peers,
            seeds=swarm.seeds,
            known=swarm.known,
            stall=stall,
            reason=in_words(stall, trackers, dht),
            trackers=trackers,
            dht=dht,
        )

    @property
    def error(self) -> TorrentError | None:
        """Why it has failed, if it has."""
        return self._error

    def events(self, buffer: int = 64) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[TorrentEvent]]:
        """What happens from now on: `async with torrent.events() as events: async for event in events: ...`.

        Up to `buffer` unread events are kept; then an `Overflow` says how many were missed.
        """
        return self._broadcast.listen(buffer)

    async def wait_metadata(self) -> None:
        """Return when `metainfo` is there, of a torrent that began as a link. Raises what made the torrent fail."""
        await self._known.wait()
        if self.metainfo is None:
            self._raise_error()

    async def wait_checked(self) -> None:
        """Return when the files that were there have been compared. Raises what made the torrent fail."""
        await self._ready.wait()
        self._raise_error()

    async def wait_complete(self) -> None:
        """Return when every piece is verified and written. Raises what made the torrent fail."""
        await self._ended.wait()
        self._raise_error()

    def add_peers(self, addresses: Iterable[Address]) -> None:
        """Connect to these."""
        self._peers += addresses
        if self._nursery is not None:
            self._nursery.start_soon(self._found, self._take_peers(), USER)

    def set_limits(self, *, down: int | EllipsisType | None = ..., up: int | EllipsisType | None = ...) -> None:
        """Bytes a second for this torrent, from now on, within what the client may; None is no limit.

        What is not given stays as it is. ValueError below 1.
        """
        self._buckets.change(down, up, trio.current_time())

    def reannounce(self) -> None:
        """Ask trackers and the DHT for peers now, or as soon as they allow: trackers say how often that may be."""
        self._announcer.announce_now()
        if self._discovery is not None:
            self._discovery.look_now()

    async def scrape(self) -> None:
        """Ask the trackers how many share the torrent; `status.trackers` has what they said.

        Each is asked once a minute at most. Half a minute passes if one of them does not answer.
        """
        await self._announcer.scrape()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    # -- the tasks ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Learn, check, download, serve; until it fails or is stopped. For the client, which runs it once."""
        try:
            with self._shared.boundary.guard("a torrent"), self._scope:
                await self._live()
            if not self._scope.cancel_called:  # nobody stopped it, so the guard did
                self._fail(TorrentError(f"{self.name}: stopped by a bug in trio-torrent; the log has it"))
        finally:
            if self._store is not None:
                self._store.close()
            self._end()

    def _end(self) -> None:
        """Nobody waits for what will not come."""
        self._nursery = None
        if self._state is not State.FAILED:
            self._state = State.STOPPED
        if not self._ended.is_set() and self._error is None:
            self._error = StoppedError(f"{self.name}: stopped before it was complete")
        self._meeting.set()
        self._known.set()
        self._ready.set()
        self._ended.set()
        self._broadcast.close()

    async def _live(self) -> None:
        try:
            with self._shared.places.share() as share:
                async with trio.open_nursery() as nursery:
                    await self._go(nursery, share)
        except* (StorageError, IncompleteError, MetainfoError) as group:
            self._fail(_only(group))

    async def _go(self, nursery: trio.Nursery, share: Share) -> None:
        performer = self._performer = self._make_performer(nursery, share)
        if self.metainfo is None:
            self._meet(nursery, share)
            self._learning = self._learn(performer)
            await self._learning.run(self._prepare)
        else:
            await self._prepare(self.metainfo)
        self._start(nursery, share, performer)

    def _learn(self, performer: Performer) -> Learning:
        settings = self._shared.settings
        return Learning(
            magnet=self.magnet,
            gathering=Gathering(
                self.magnet.info_hashes,
                ours=self._ours,
                random=self._shared.random,
                limits=Limits(settings.connections, settings.upload_slots, settings.superseed),
                pex=settings.pex,
            ),
            performer=performer,
            events=self._events,
            inbox=self._inbox,
            workers=self._shared.workers,
            publish=self._publish,
        )

    def _know(self, metainfo: Metainfo) -> None:
        """What there is is known, although not yet what is there of it."""
        self.metainfo = metainfo
        self._progress = Progress.of(metainfo, Bitfield(metainfo.geometry.pieces))
        self._known.set()

    async def _prepare(self, metainfo: Metainfo) -> None:
        """Check the files; and what was learned becomes known."""
        if self.metainfo is None:
            self._know(metainfo)
            if self._learned is not None:
                self._learned(self)
            self._state = State.CHECKING
            self._broadcast.tell(MetadataDone(metainfo.name))
        self._store = Store(metainfo, Files(self.save_path, metainfo.layout), self._shared.workers)
        await self._check(metainfo, self._store)
        # With a hundred thousand files it takes half a second.
        self._trees, self._hold = await self._store.workers.run(lambda: (metainfo.trees, metainfo.unverifiable))

    async def _check(self, metainfo: Metainfo, store: Store) -> None:
        def checked(pieces: int) -> None:
            self._checked = pieces

        have = (await check(metainfo, store.files, store.workers, checked)).good
        self._progress = Progress.of(metainfo, have)
        self._broadcast.tell(Checked(have.count, have.size))
        if not self._download and not have.complete:
            raise IncompleteError(f"{self.name}: {have.count} of {have.size} pieces are good, not all", have.count)
        if self._download:
            for path in await store.workers.run(store.files.create_empty):
                self._broadcast.tell(FileDone(path))

    @property
    def _ours(self) -> Ours:
        settings, port = self._shared.settings, self._shared.port
        return Ours(
            self._shared.peer_id,
            port,
            settings.user_agent,
            external=_external(settings.interface, port),
            own=self._shared.own,
            info_hash=self.info_hashes.wire,
            dht_port=self._dht.port if self._dht is not None else None,
        )

    def _make_performer(self, nursery: trio.Nursery, share: Share) -> Performer:
        throttle = Throttle(self._buckets.up, self._shared.buckets.up, self._shared.upload_turns)
        nursery.start_soon(throttle.run)
        return Performer(
            nursery=nursery,
            inbox=self._inbox,
            info_hashes=self.info_hashes,
            peer_id=self._shared.peer_id,
            dht=self._dht is not None,
            connect=self._shared.connect,
            share=share,
            throttle=throttle,
            boundary=self._shared.boundary,
            reports=Reports(
                verdict=self._report.send_nowait,
                gone=self._on_gone,
                finished=self._on_finished,
                layers=lambda layers: nursery.start_soon(self._complete, layers),
                node=self._on_node,
                broken=self._fail,
            ),
        )

    def _meet(self, nursery: trio.Nursery, share: Share) -> None:
        """From here on, others hear of us and we of them."""
        self._nursery = nursery
        nursery.start_soon(self._tick, share)
        nursery.start_soon(self._announcer.run)
        if self._discovery is not None:
            nursery.start_soon(self._discovery.run)
        for node in self.metainfo.nodes if self.metainfo is not None else ():
            self._on_node(node)
        nursery.start_soon(self._found, self._take_peers(), USER)
        self._meeting.set()

    def _start(self, nursery: trio.Nursery, share: Share, performer: Performer) -> None:
        settings, now, metainfo, store = self._shared.settings, trio.current_time(), self.metainfo, self._store
        assert metainfo is not None
        assert store is not None
        bequest = self._learning.finish(metainfo) if self._learning is not None else None
        scheduler = self._scheduler = Scheduler(
            metainfo.geometry,
            self._progress.have,
            ours=self._ours,
            random=self._shared.random,
            now=now,
            limits=Limits(settings.connections, settings.upload_slots, settings.superseed),
            down=(self._buckets.down, self._shared.buckets.down),
            trees=self._trees,
            layers=metainfo.piece_layers,
            hold=self._hold,
            info=metainfo.info_bytes,
            pex=settings.pex and not metainfo.private,
            heard_of=bequest.heard_of if bequest is not None else None,
        )
        performer.begin(metainfo, store)
        if self._progress.have.complete:
            self._state = State.SEEDING
            self._ended.set()
        else:
            self._state = State.DOWNLOADING
        self._ready.set()
        if bequest is None:
            self._meet(nursery, share)
        else:
            self._learning = None
            for event in bequest.events:
                performer.perform(scheduler.handle(event, now))
        nursery.start_soon(self._heart, scheduler, performer)
        nursery.start_soon(self._relay)

    async def _complete(self, layers: Mapping[bytes, bytes]) -> None:
        """Peers have given the piece layers: compare what could not be compared, and let the rest be fetched."""
        incomplete, store = self.metainfo, self._store
        assert incomplete is not None
        assert store is not None
        held = await store.workers.run(lambda: incomplete.unverifiable)
        self.metainfo = await store.workers.run(partial(incomplete.with_piece_layers, layers))
        store.complete(self.metainfo)
        if not held:
            return  # a hybrid, which could be compared by its SHA-1
        good = (await check(self.metainfo, store.files, store.workers, only=held)).good
        pieces = tuple(held)
        for start in range(0, len(pieces), RELEASED_AT_ONCE):
            portion = pieces[start : start + RELEASED_AT_ONCE]
            await self._inbox.send(Released(portion, tuple([piece for piece in portion if piece in good])))

    async def _heart(self, scheduler: Scheduler, performer: Performer) -> None:
        handle, perform = scheduler.handle, performer.perform
        async for event in self._events:
            commands = handle(event, trio.current_time())
            if isinstance(event, PieceVerified | Released | DialFailed):
                self._publish(event)
            perform(commands)

    async def _tick(self, share: Share) -> None:
        while True:
            limited = self._buckets.down.rate or self._shared.buckets.down.rate
            await trio.sleep(PACE_SECONDS if limited or self._scheduler is None else TICK_SECONDS)
            await self._inbox.send(Tick(crowded=share.is_over))

    async def _relay(self) -> None:
        """Verdicts come from threads, which cannot wait for room in the inbox."""
        async for report in self._reports:
            verdict = report.unwrap()
            kind = PieceVerified if verdict.good else PieceFailed
            await self._inbox.send(kind(verdict.piece, verdict.digests))

    async def _found(self, addresses: Sequence[Address], source: str) -> None:
        if addresses:
            await self._inbox.send(AddressesFound(tuple(addresses), source))

    def _take_peers(self) -> list[Address]:
        peers, self._peers = self._peers, []
        return peers

    async def stop(self) -> None:
        """Tell the trackers that we are gone, then end all tasks."""
        try:
            if self._meeting.is_set():
                await self._announcer.stop()
        finally:
            self._scope.cancel()

    # -- the DHT -----------------------------------------------------------------------------------------------------

    @property
    def _dht(self) -> Finder | None:
        """A private torrent has none (BEP 27). Of a link it is not known, so it has one until it is."""
        return None if self.metainfo is not None and self.metainfo.private else self._shared.dht

    @property
    def _dht_status(self) -> DiscoveryStatus | None:
        return self._discovery.status if self._discovery is not None and self._dht is not None else None

    def _discover(self, dht: Finder) -> Discovery:
        return Discovery(
            dht,
            names=lambda: self.names,
            port=self._shared.port,
            standing=self._standing,
            found=self._discovered,
            random=self._shared.random,
            boundary=self._shared.boundary,
        )

    def _standing(self) -> Standing:
        wants = self._state in (State.METADATA, State.DOWNLOADING)
        seed = self.metainfo is not None and self._progress.have.complete
        return Standing(seed=seed, few=wants and self._snapshot().peers < FEW_PEERS)

    async def _discovered(self, addresses: Sequence[Address], source: str) -> None:
        if self.names:  # it may have turned out to be private since it was looked for
            await self._found(addresses, source)

    def _on_node(self, address: Address) -> None:
        if self._dht is not None:
            self._dht.add_node(address)

    # -- what others ask or tell -------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[bytes, ...]:
        """The info-hashes by which anybody may be told of it now; none of a private torrent (BEP 27)."""
        private = self.metainfo is not None and self.metainfo.private
        return () if private or self._nursery is None else self.info_hashes.all_wire

    def meet(self, address: Address, source: str) -> None:
        """Somebody may have it. If there is too much to do just now, this is what can wait."""
        if self.names:
            with suppress(trio.WouldBlock, trio.BrokenResourceError):
                self._inbox.send_nowait(AddressesFound((address,), source))

    def welcome(self) -> Welcome | None:
        """Who takes connections that come in. For the client."""
        return None if self._scope.cancel_called or self._state in (State.FAILED, State.STOPPED) else self._welcome

    async def _welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        """Those who come while the files are being checked wait a little: turned away, they would rest for a minute."""
        with trio.move_on_after(HANDSHAKE_SECONDS):
            await self._meeting.wait()
        if self._performer is None or self._nursery is None:
            raise PeerError("not ready")
        if self._scheduler is not None and (refusal := self._scheduler.refusal(address)):
            raise PeerError(refusal)
        await self._performer.welcome(stream, address, theirs, early)

    def _totals(self) -> Totals:
        swarm, progress = self._snapshot(), self._progress
        left = UNKNOWN_LEFT if self.metainfo is None else progress.geometry.size - progress.done
        return Totals(swarm.uploaded, swarm.downloaded, left)

    def _snapshot(self) -> Swarm:
        if self._scheduler is not None:
            return self._scheduler.snapshot(trio.current_time())
        return self._learning.gathering.snapshot() if self._learning else Swarm.nothing()

    def _on_finished(self) -> None:
        self._state = State.SEEDING
        swarm = self._snapshot()
        seconds = trio.current_time() - self._started
        self._announcer.completed()
        self._ended.set()
        self._broadcast.tell(Completed(seconds, swarm.downloaded, swarm.wasted))

    def _on_gone(self, address: Address, reason: str) -> None:
        self._broadcast.tell(PeerGone(str(address), reason))

    def _publish(self, event: Event) -> None:
        match event:
            case PieceVerified(piece):
                self._publish_piece(piece)
            case Released(_, good):
                for piece in good:
                    self._publish_piece(piece)
            case DialFailed(address, reason):
                self._broadcast.tell(DialRefused(str(address), reason))
            case _:
                pass

    def _publish_piece(self, piece: int) -> None:
        files = self._progress.verified(piece)
        self._broadcast.tell(PieceDone(piece))
        for path in files:
            self._broadcast.tell(FileDone(path))

    def _fail(self, error: TorrentError) -> None:
        """It cannot go on. What was verified stays."""
        self._error = error
        self._state = State.FAILED
        self._broadcast.tell(Failed(error))
        self._known.set()
        self._ready.set()
        self._ended.set()
        self._scope.cancel()


def _tiers(source: Metainfo | Magnet) -> Sequence[Sequence[str]]:
    return source.trackers if isinstance(source, Metainfo) else [[url] for url in source.trackers]


def _only(group: BaseExceptionGroup[TorrentError]) -> TorrentError:
    error = group.exceptions[0]
    return _only(error) if isinstance(error, BaseExceptionGroup) else error


def _external(interface: str | None, port: int) -> tuple[Address, ...]:
    """Where others see us, if we were given a public address of this very machine."""
    return () if interface is None or is_local(interface) else (Address(interface, port),)
