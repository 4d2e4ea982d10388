"""One torrent: the tasks that keep it going, and the handle that programs hold.

The heart is `_heart`: an event comes, the scheduler decides, the performer acts, and nothing else is awaited. That is
why there are no locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from random import Random
from types import EllipsisType

import attrs
import outcome
import trio

from trio_torrent.address import Address, is_local
from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.check import check
from trio_torrent.disk.files import Files
from trio_torrent.disk.store import Store, Verdict
from trio_torrent.disk.workers import Workers
from trio_torrent.errors import IncompleteError, PeerError, StoppedError, StorageError, TorrentError
from trio_torrent.metainfo.trees import Trees
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
from trio_torrent.swarm.pool import USER
from trio_torrent.swarm.scheduler import Limits, Ours, Scheduler, Swarm
from trio_torrent.tracker.announce import Totals
from trio_torrent.tracker.tiers import Tiers
from trio_torrent.wire.handshake import EXTENDED, FAST, V2, Handshake

from .broadcast import Broadcast
from .buckets import Buckets
from .events import Checked, Completed, DialRefused, Failed, FileDone, PeerGone, PieceDone, TorrentEvent
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
    places: Places = attrs.field(factory=Places)
    own: frozenset[Address] = frozenset()  # where we would reach ourselves
    upload_turns: trio.Lock = attrs.field(factory=trio.Lock)  # the line of torrents before the bucket


class Torrent:
    """A torrent that is being downloaded or served. Made by `Client.add`; lives as long as its client."""

    def __init__(
        self,
        metainfo: Metainfo,
        save_path: Path,
        shared: Shared,
        peers: Iterable[Address],
        *,
        download: bool = True,
        limit_down: int | None = None,
        limit_up: int | None = None,
    ) -> None:
        self._download = download
        self.metainfo = metainfo
        self.save_path = save_path
        self._shared = shared
        self._state = State.CHECKING
        self._checked = 0
        self._progress = Progress(metainfo, Bitfield(metainfo.geometry.pieces))
        self._error: TorrentError | None = None
        self._started = trio.current_time()
        self._buckets = Buckets.of(limit_down, limit_up, self._started)
        self._broadcast = Broadcast()
        self._ready = trio.Event()
        self._ended = trio.Event()  # complete, or never will be
        self._scope = trio.CancelScope()
        self._inbox, self._events = trio.open_memory_channel[Event](INBOX)
        self._report, self._reports = trio.open_memory_channel[outcome.Outcome[Verdict]](MOST_VERDICTS)
        self._scheduler: Scheduler | None = None
        self._performer: Performer | None = None
        self._nursery: trio.Nursery | None = None
        self._peers = list(peers)
        self._announcer = Announcer(
            tiers=Tiers(
                metainfo.trackers if shared.settings.trackers else (),
                random=shared.random,
                strict=shared.settings.strict_tiers,
                silenced=shared.trackers.silenced,
            ),
            trackers=shared.trackers,
            info_hash=metainfo.info_hashes.wire,
            peer_id=shared.peer_id,
            port=shared.port,
            totals=self._totals,
            found=self._found,
            random=shared.random,
        )

    def __repr__(self) -> str:
        return f"<Torrent {self.name!r} {self._state.value} {self._progress.have.count}/{self._progress.have.size}>"

    # -- for users ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the torrent calls itself, safe as a file's name."""
        return self.metainfo.name

    @property
    def status(self) -> Status:
        """How it stands now."""
        swarm = self._snapshot()
        trackers = self._announcer.status
        stall = swarm.stall if self._state is State.DOWNLOADING else None
        return Status(
            state=self._state,
            done=self._progress.done,
            total=self.metainfo.geometry.size,
            pieces_done=self._progress.have.count,
            pieces=self.metainfo.geometry.pieces,
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
            reason=in_words(stall, trackers),
            trackers=trackers,
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
        """Ask the trackers for peers now, or as soon as they allow: their `min interval` says how often that may be."""
        self._announcer.announce_now()

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
        """Check, download, serve; until it fails or is stopped. For the client, which runs it once."""
        store = Store(self.metainfo, Files(self.save_path, self.metainfo.layout), self._shared.workers)
        try:
            with self._shared.boundary.guard("a torrent"), self._scope:
                await self._live(store)
            if not self._scope.cancel_called:  # nobody stopped it, so the guard did
                self._fail(TorrentError(f"{self.name}: stopped by a bug in trio-torrent; the log has it"))
        finally:
            store.close()
            self._end()

    def _end(self) -> None:
        """Nobody waits for what will not come."""
        self._nursery = None
        if self._state is not State.FAILED:
            self._state = State.STOPPED
        if not self._ended.is_set() and self._error is None:
            self._error = StoppedError(f"{self.name}: stopped before it was complete")
        self._ready.set()
        self._ended.set()
        self._broadcast.close()

    async def _live(self, store: Store) -> None:
        try:
            await self._check(store)
            # With a hundred thousand files it takes half a second.
            trees, hold = await store.workers.run(lambda: (self.metainfo.trees, self.metainfo.unverifiable))
            with self._shared.places.share() as share:
                async with trio.open_nursery() as nursery:
                    self._start(nursery, store, share, trees, hold)
        except* (StorageError, IncompleteError) as group:
            self._fail(_only(group))

    async def _check(self, store: Store) -> None:
        def checked(pieces: int) -> None:
            self._checked = pieces

        have = (await check(self.metainfo, store.files, store.workers, checked)).good
        self._progress = Progress(self.metainfo, have)
        self._broadcast.tell(Checked(have.count, have.size))
        if not self._download and not have.complete:
            raise IncompleteError(f"{self.name}: {have.count} of {have.size} pieces are good, not all", have.count)
        if self._download:
            for path in await store.workers.run(store.files.create_empty):
                self._broadcast.tell(FileDone(path))

    def _start(self, nursery: trio.Nursery, store: Store, share: Share, trees: Trees, hold: Bitfield) -> None:
        settings, now, hashes = self._shared.settings, trio.current_time(), self.metainfo.info_hashes
        self._nursery = nursery
        self._scheduler = Scheduler(
            self.metainfo.geometry,
            self._progress.have,
            ours=Ours(
                self._shared.peer_id,
                self._shared.port,
                settings.user_agent,
                external=_external(settings.interface, self._shared.port),
                own=self._shared.own,
                info_hash=self.metainfo.info_hashes.wire,
            ),
            random=self._shared.random,
            now=now,
            limits=Limits(settings.connections, settings.upload_slots, settings.superseed),
            down=(self._buckets.down, self._shared.buckets.down),
            trees=trees,
            layers=self.metainfo.piece_layers,
            hold=hold,
        )
        throttle = Throttle(self._buckets.up, self._shared.buckets.up, self._shared.upload_turns)
        self._performer = Performer(
            nursery=nursery,
            inbox=self._inbox,
            store=store,
            pieces=self.metainfo.geometry.pieces,
            handshake=Handshake(hashes.wire, self._shared.peer_id, FAST | EXTENDED | (V2 if hashes.v2 else 0)),
            v2=hashes.v2_wire,
            connect=self._shared.connect,
            share=share,
            throttle=throttle,
            boundary=self._shared.boundary,
            reports=Reports(
                verdict=self._report.send_nowait,
                gone=self._on_gone,
                finished=self._on_finished,
                layers=lambda layers: nursery.start_soon(self._complete, store, layers),
                broken=self._fail,
            ),
        )
        if self._progress.have.complete:
            self._state = State.SEEDING
            self._ended.set()
        else:
            self._state = State.DOWNLOADING
        self._ready.set()
        nursery.start_soon(self._heart)
        nursery.start_soon(self._tick, share)
        nursery.start_soon(self._relay)
        nursery.start_soon(throttle.run)
        nursery.start_soon(self._announcer.run)
        nursery.start_soon(self._found, self._take_peers(), USER)

    async def _complete(self, store: Store, layers: Mapping[bytes, bytes]) -> None:
        """Peers have given the piece layers: compare what could not be compared, and let the rest be fetched."""
        held = await store.workers.run(lambda: self.metainfo.unverifiable)
        self.metainfo = await store.workers.run(partial(self.metainfo.with_piece_layers, layers))
        store.complete(self.metainfo)
        if not held:
            return  # a hybrid, which could be compared by its SHA-1
        good = (await check(self.metainfo, store.files, store.workers, only=held)).good
        pieces = tuple(held)
        for start in range(0, len(pieces), RELEASED_AT_ONCE):
            portion = pieces[start : start + RELEASED_AT_ONCE]
            await self._inbox.send(Released(portion, tuple([piece for piece in portion if piece in good])))

    async def _heart(self) -> None:
        assert self._scheduler is not None
        assert self._performer is not None
        handle, perform = self._scheduler.handle, self._performer.perform
        async for event in self._events:
            commands = handle(event, trio.current_time())
            if isinstance(event, PieceVerified | Released | DialFailed):
                self._publish(event)
            perform(commands)

    async def _tick(self, share: Share) -> None:
        while True:
            limited = self._buckets.down.rate or self._shared.buckets.down.rate
            await trio.sleep(PACE_SECONDS if limited else TICK_SECONDS)
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
            if self._ready.is_set():
                await self._announcer.stop()
        finally:
            self._scope.cancel()

    # -- what others ask or tell -------------------------------------------------------------------------------------

    def welcome(self) -> Welcome | None:
        """Who takes connections that come in. For the client."""
        return None if self._scope.cancel_called or self._state in (State.FAILED, State.STOPPED) else self._welcome

    async def _welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        """Those who come while the files are being checked wait a little: turned away, they would rest for a minute."""
        with trio.move_on_after(HANDSHAKE_SECONDS):
            await self._ready.wait()
        if self._performer is None or self._nursery is None:
            raise PeerError("not ready")
        if self._scheduler is not None and (refusal := self._scheduler.refusal(address)):
            raise PeerError(refusal)
        await self._performer.welcome(stream, address, theirs, early)

    def _totals(self) -> Totals:
        swarm = self._snapshot()
        return Totals(swarm.uploaded, swarm.downloaded, self.metainfo.geometry.size - self._progress.done)

    def _snapshot(self) -> Swarm:
        if self._scheduler is None:
            return Swarm.nothing()
        return self._scheduler.snapshot(trio.current_time())

    def _on_finished(self) -> None:
        self._state = State.SEEDING
        swarm = self._snapshot()
        seconds = trio.current_time() - self._started
        self._announcer.completed()
        self._ended.set()
        self._broadcast.tell(Completed(seconds, swarm.downloaded, swarm.wasted))

    def _on_gone(self, address: Address, reason: str) -> None:
        self._broadcast.tell(PeerGone(str(address), reason))

    def _publish(self, event: PieceVerified | Released | DialFailed) -> None:
        match event:
            case PieceVerified(piece):
                self._publish_piece(piece)
            case Released(_, good):
                for piece in good:
                    self._publish_piece(piece)
            case DialFailed(address, reason):
                self._broadcast.tell(DialRefused(str(address), reason))

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
        self._ready.set()
        self._ended.set()
        self._scope.cancel()


def _only(group: BaseExceptionGroup[TorrentError]) -> TorrentError:
    error = group.exceptions[0]
    return _only(error) if isinstance(error, BaseExceptionGroup) else error


def _external(interface: str | None, port: int) -> tuple[Address, ...]:
    """Where others see us, if we were given a public address of this very machine."""
    return () if interface is None or is_local(interface) else (Address(interface, port),)
