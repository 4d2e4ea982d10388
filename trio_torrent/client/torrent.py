"""One torrent: the tasks that keep it going, and the handle that programs hold.

The heart is `_heart`: an event comes, the scheduler decides, the performer acts, and nothing else is awaited. That is
why there are no locks.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from types import EllipsisType
from typing import TypeVar

import attrs
import outcome
import trio

from trio_torrent.address import Address, is_local
from trio_torrent.bitfield import Bitfield
from trio_torrent.dht.status import DiscoveryStatus
from trio_torrent.disk.check import check
from trio_torrent.disk.moving import move, rename
from trio_torrent.disk.record import MAX_PEERS
from trio_torrent.disk.records import Records
from trio_torrent.disk.store import Verdict
from trio_torrent.disk.workers import Workers
from trio_torrent.errors import IncompleteError, MetainfoError, PeerError, StoppedError, StorageError, TorrentError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.metainfo.paths import SafeNames
from trio_torrent.net.asking import Asker
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dial import Connect
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS
from trio_torrent.net.http_tracker import Getter
from trio_torrent.net.lane import OpenLane
from trio_torrent.net.listen import Welcome
from trio_torrent.net.places import Places, Share
from trio_torrent.net.throttle import Throttle
from trio_torrent.net.tracker import Announcer
from trio_torrent.swarm.events import (
    AddressesFound,
    DialFailed,
    Event,
    InOrder,
    Joined,
    PieceFailed,
    PieceVerified,
    Released,
    Tick,
    Wanted,
)
from trio_torrent.swarm.gathering import Gathering
from trio_torrent.swarm.pool import USER
from trio_torrent.swarm.scheduler import Limits, Ours, Scheduler, Swarm
from trio_torrent.tracker.announce import Totals
from trio_torrent.tracker.tiers import Tiers
from trio_torrent.wire.handshake import Handshake

from .broadcast import Broadcast
from .buckets import Buckets
from .content import Content, Rules, Tally
from .discovery import Discovery, Finder, Standing
from .events import (
    Checked,
    Completed,
    DialRefused,
    Failed,
    FileDone,
    MetadataDone,
    PeerGone,
    PieceDone,
    TorrentEvent,
    Troubled,
)
from .files import TorrentFile
from .metadata import UNKNOWN_LEFT, Learning
from .metainfo import Metainfo
from .perform import Performer, Reports
from .progress import Progress
from .selection import Priority, Selection
from .sessions import Sessions
from .settings import Settings
from .status import State, Status, in_words
from .webseeds import WebSeeds

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


AnyError = TypeVar("AnyError", bound=TorrentError)


@attrs.frozen(eq=False)
class Shared:
    """What the torrents of one client have in common."""

    settings: Settings
    workers: Workers
    http: Getter
    open_lane: OpenLane
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
    records: Records | None = None


class Torrent:
    """A torrent that is being downloaded or served. Made by `Client.add`; lives as long as its client."""

    def __init__(
        self,
        source: Metainfo | Magnet,
        save_path: Path,
        shared: Shared,
        peers: Iterable[Address],
        *,
        rules: Rules | None = None,
        select: str | Iterable[str | int] | None = None,
        sequential: bool = False,
        limit_down: int | None = None,
        limit_up: int | None = None,
        learned: Callable[[Torrent], None] | None = None,
        forget: Callable[[Torrent], None] = lambda torrent: None,
    ) -> None:
        self._rules = rules or Rules(allocation=shared.settings.allocation)
        self._chosen = [select] if isinstance(select, str) else select
        self._sequential = sequential
        self._forget = forget
        self._selection: Selection | None = None
        self._content: Content | None = None
        self._web_seeds: WebSeeds | None = None  # once it is known which there are
        self._sessions = Sessions()
        self._wanting = trio.Lock()
        self._before = Swarm.nothing()  # the sessions that are over
        self._worked: dict[Address, None] = {}  # peers that took our connection, the last ones
        self._learned = learned
        self.metainfo = source if isinstance(source, Metainfo) else None
        self.magnet = source.magnet if isinstance(source, Metainfo) else source
        self._save_path = save_path
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
        self._over = trio.Event()
        self._scope = trio.CancelScope()
        self._inbox, self._events = trio.open_memory_channel[Event](INBOX)
        self._learning: Learning | None = None
        self._scheduler: Scheduler | None = None
        self._performer: Performer | None = None
        self._nursery: trio.Nursery | None = None
        self._peers = [*peers, *(source.peers if isinstance(source, Magnet) else ())]  # named by the user
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
        return f"<Torrent {self.name!r} {self.state.value} {self._progress.have.count}/{self._progress.have.size}>"

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
    def save_path(self) -> Path:
        """The folder that its files are in."""
        return self._save_path if self._content is None else self._content.files.root

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._sessions.state or self._state

    @property
    def files(self) -> tuple[TorrentFile, ...]:
        """How its files stand now; none as long as they are not known."""
        if self._selection is None or self.metainfo is None:
            return ()
        files, done, priorities = self.metainfo.files, self._progress.file_done, self._selection.priorities
        return tuple(
            [
                TorrentFile(count, "/".join(files[n].path), files[n].length, done[n], priorities[n])
                for count, n in enumerate(self._selection.numbers, 1)
            ]
        )

    @property
    def status(self) -> Status:
        """How it stands now."""
        swarm, state, tally = self._snapshot(), self.state, self._tally()
        trackers, dht = self._announcer.status, self._dht_status
        web_seeds = self._web_seeds.status if self._web_seeds is not None else ()
        stall = swarm.stall if state in (State.METADATA, State.DOWNLOADING) else None
        return Status(
            state=state,
            done=self._progress.done,
            total=self._progress.total,
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
            reason=str(self._sessions.error) if state is State.WAITING else in_words(stall, trackers, dht, web_seeds),
            trackers=trackers,
            web_seeds=web_seeds,
            dht=dht,
            allocated=self._content.allocated if self._content is not None else 0,
            ever_downloaded=tally.downloaded,
            ever_uploaded=tally.uploaded,
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
        """Return when every piece that is wanted is verified and written. Raises what made the torrent fail."""
        await self._ended.wait()
        self._raise_error()

    def add_peers(self, addresses: Iterable[Address]) -> None:
        """Connect to these."""
        named = tuple(addresses)
        self._peers += named
        if self._nursery is not None:
            self._nursery.start_soon(self._found, named, USER)

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

    # -- what users do to its data -----------------------------------------------------------------------------------

    def select(self, *what: str | int) -> None:
        """Download these files and no others: numbers from 1, texts like `1,3-5`, patterns of paths.

        What is there of the others stays. ValueError for what means no file, and then nothing has changed; of a
        torrent that is not known yet, that is found out later, and makes it fail.
        """
        self._chosen = what
        if self._selection is not None:
            self._selection.select(*what)
            self._want(self._selection)

    def prioritize(self, *what: str | int, priority: Priority) -> None:
        """Want these files so much, named as for `select`. RuntimeError if they are not known yet."""
        _, selection = self._known_data()
        selection.prioritize(*what, priority=priority)
        self._want(selection)

    def pause(self) -> None:
        """Leave the swarm, and stay out of it until `resume`."""
        self._sessions.pause()

    def resume(self) -> None:
        """Go on, also where the disk has failed, without waiting for the next try."""
        self._sessions.resume()

    async def verify(self) -> None:
        """Compare all data with the torrent again; nothing is fetched or served meanwhile. Then it goes on as it must.

        Cancelled, it stays as it was. Raises StoppedError if it does not run, StorageError if the disk fails,
        RuntimeError as long as it is not known what there is; `move` and `rename` likewise.
        """
        async with self._stilled() as (content, selection):
            await content.verify(selection, self._tell_checked)

    async def move(self, folder: str | os.PathLike[str]) -> None:
        """Move its files to another folder, and go on there.

        StorageError if something is in the way or the disk fails; then, or cancelled, all is where it was.
        """
        async with self._stilled() as (content, _):
            await content.change(partial(move, content.files, Path(folder)), self._tally())

    async def rename(self, number: int, path: str) -> None:
        """Give a file another path, from the save path, with slashes; made safe like those of torrents.

        ValueError if there is no such file, StorageError as for `move`.
        """
        (file,) = self._known_data()[1].find(number)
        safe = SafeNames().path([part.encode() for part in path.split("/")])
        async with self._stilled() as (content, _):
            await content.change(lambda may_go_on: rename(content.files, file, safe), self._tally())

    async def remove(self, *, delete_files: bool = False) -> None:
        """Stop it, and forget it; with `delete_files`, its files, too. StorageError if they cannot be removed."""
        if self._content is not None:
            self._content.keeps = False
        await self.stop()
        await self._over.wait()
        self._forget(self)
        if self._content is not None:
            await self._content.forget(delete_files=delete_files)

    def _known_data(self) -> tuple[Content, Selection]:
        if self._content is None or self._selection is None:
            raise RuntimeError(f"{self.name}: it is not known yet what there is; wait_metadata() tells when")
        return self._content, self._selection

    @asynccontextmanager
    async def _stilled(self) -> AsyncIterator[tuple[Content, Selection]]:
        known = self._known_data()
        async with self._sessions.still():
            if self._scope.cancel_called:
                raise StoppedError(f"{self.name}: does not run")
            yield known

    def _want(self, selection: Selection) -> None:
        self._progress.want(selection.skipped)
        if self._nursery is not None and self._scheduler is not None:
            if not self._progress.complete:
                self._begin_download()
            self._nursery.start_soon(self._want_now)

    async def _want_now(self) -> None:
        content, selection = self._known_data()
        async with self._wanting:
            if self._rules.download:
                for path in await content.want(selection):
                    self._broadcast.tell(FileDone(path))
                await content.save(self._tally(), running=not self._progress.complete)
            await self._inbox.send(Wanted(tuple(enumerate(selection.pieces()))))
        if self._web_seeds is not None:
            self._web_seeds.want()

    # -- the tasks ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Learn, check, download, serve; until it fails or is stopped. For the client, which runs it once."""
        try:
            with self._shared.boundary.guard("a torrent"), self._scope:
                await self._live()
            if not self._scope.cancel_called:  # nobody stopped it, so the guard did
                self._fail(TorrentError(f"{self.name}: stopped by a bug in trio-torrent; the log has it"))
        finally:
            if self._content is not None:
                await self._content.close(self._tally())
            self._end()
            self._over.set()

    def _end(self) -> None:
        """Nobody waits for what will not come."""
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
        while not self._scope.cancel_called:
            if self._sessions.paused:
                await self._announcer.stop()
            await self._sessions.wait()
            try:
                with self._sessions.session():
                    await self._session()
            except* (IncompleteError, MetainfoError) as group:
                self._fail(_only(group))
            except* StorageError as group:
                self._break(_only(group))

    def _break(self, error: StorageError) -> None:
        """The disk does not do what it should."""
        if self._content is not None:
            self._content.doubt(error)
        if error.lasting:
            self._fail(error)
        elif self._sessions.broke(error):
            self._broadcast.tell(Troubled(error))

    async def _session(self) -> None:
        """From finding out what is there until the disk fails, or somebody wants it to be still."""
        self._inbox, self._events = trio.open_memory_channel[Event](INBOX)
        try:
            with self._shared.places.share() as share:
                async with trio.open_nursery() as nursery:
                    await self._go(nursery, share)
        finally:
            self._before = self._snapshot()
            self._scheduler = self._learning = self._performer = self._nursery = None
            if self._content is not None:
                await self._content.settle()

    async def _go(self, nursery: trio.Nursery, share: Share) -> None:
        report, reports = trio.open_memory_channel[outcome.Outcome[Verdict]](MOST_VERDICTS)
        performer = self._performer = self._make_performer(nursery, share, report)
        if self.metainfo is None:
            self._state = State.METADATA
            self._meet(nursery, share)
            self._learning = self._learn(performer)
            await self._learning.run(self._prepare)
        else:
            await self._prepare(self.metainfo)
        self._start(nursery, share, performer, reports)

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
        """What there is is known, although not yet what is there of it. ValueError for a selection of nothing."""
        selection = Selection(metainfo)
        if self._chosen is not None:
            selection.select(*self._chosen)
        elif self.magnet.select:
            selection.keep(self.magnet.select)
        shared = self._shared
        self._selection = selection
        self._content = Content(metainfo, self._save_path, shared.workers, shared.records, self._rules)
        self._web_seeds = WebSeeds(metainfo, shared.open_lane, shared.boundary, on=shared.settings.web_seeds)
        self.metainfo = metainfo
        self._progress = Progress.of(metainfo, Bitfield(metainfo.geometry.pieces), selection.skipped)
        self._known.set()

    async def _prepare(self, metainfo: Metainfo) -> None:
        """Check the files; and what was learned becomes known."""
        self._state = State.CHECKING
        if self.metainfo is None:
            try:
                self._know(metainfo)
            except ValueError as error:
                raise MetainfoError(str(error)) from error
            if self._learned is not None:
                self._learned(self)
            self._broadcast.tell(MetadataDone(metainfo.name))
            if metainfo.private:
                self._worked.clear()  # gossip may have named them (BEP 27)
        content, selection = self._known_data()
        await self._check(metainfo, content, selection)
        # With a hundred thousand files it takes half a second.
        self._trees, unverifiable = await self._shared.workers.run(lambda: (metainfo.trees, metainfo.unverifiable))
        self._hold = unverifiable - self._progress.have  # what a record tells of was verified when there was more

    async def _check(self, metainfo: Metainfo, content: Content, selection: Selection) -> None:
        await content.find(selection, self._tell_checked)
        self._worked = dict.fromkeys((*content.last_run.peers, *self._worked))
        have = Bitfield.from_bytes(bytes(content.have), content.have.size)
        self._progress = Progress.of(metainfo, have, selection.skipped)
        self._broadcast.tell(Checked(have.count, have.size))
        if not self._rules.download and not self._progress.complete:
            raise IncompleteError(f"{self.name}: {have.count} of {have.size} pieces are good, not all", have.count)
        if self._rules.download:
            self._state = State.ALLOCATING if self._rules.allocation == "full" else State.CHECKING
            for path in await content.prepare(selection):
                self._broadcast.tell(FileDone(path))
        await content.save(self._tally(), running=not self._progress.complete)  # before anything is written

    def _tell_checked(self, pieces: int) -> None:
        self._state = State.CHECKING
        self._checked = pieces

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

    def _make_performer(
        self, nursery: trio.Nursery, share: Share, report: trio.MemorySendChannel[outcome.Outcome[Verdict]]
    ) -> Performer:
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
                verdict=partial(self._on_verdict, report),
                gone=self._on_gone,
                finished=self._on_finished,
                layers=lambda layers: nursery.start_soon(self._complete, layers),
                node=self._on_node,
                broken=self._break,
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
        nursery.start_soon(self._found, tuple(self._peers), USER)
        nursery.start_soon(self._found, tuple(self._worked), "an earlier session")
        self._meeting.set()

    def _start(
        self,
        nursery: trio.Nursery,
        share: Share,
        performer: Performer,
        reports: trio.MemoryReceiveChannel[outcome.Outcome[Verdict]],
    ) -> None:
        settings, now, metainfo = self._shared.settings, trio.current_time(), self.metainfo
        content, selection = self._known_data()
        assert metainfo is not None
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
            info=b"" if metainfo.private else metainfo.info_bytes,  # as with others: who may have it has the .torrent
            pex=settings.pex and not metainfo.private,
            heard_of=bequest.heard_of if bequest is not None else None,
        )
        performer.begin(metainfo, content.store)
        self._wish(scheduler, selection, now)
        if not self._progress.complete:
            self._begin_download()
        elif self._ready.is_set() and not self._ended.is_set():
            self._on_finished()  # its last piece came with the end of the last session
        else:
            self._state = State.SEEDING
            self._ended.set()
        self._sessions.works()
        self._ready.set()
        if bequest is None:
            self._meet(nursery, share)
        else:
            self._learning = None
            for event in bequest.events:
                performer.perform(scheduler.handle(event, now))
        if self._web_seeds is not None:
            nursery.start_soon(self._web_seeds.run, performer, lambda: self._progress.complete)
        nursery.start_soon(self._heart, scheduler, performer)
        nursery.start_soon(self._relay, reports)
        nursery.start_soon(content.keep, self._tally, lambda: self._progress.complete)

    def _wish(self, scheduler: Scheduler, selection: Selection, now: float) -> None:
        """What the user wants, before anybody is there who could give it."""
        if selection.is_special:
            scheduler.handle(Wanted(tuple(enumerate(selection.pieces()))), now)
        if self._sequential:
            scheduler.handle(InOrder(), now)

    def _begin_download(self) -> None:
        self._state = State.DOWNLOADING
        if self._ended.is_set():
            self._ended = trio.Event()

    async def _complete(self, layers: Mapping[bytes, bytes]) -> None:
        """Peers have given the piece layers: compare what could not be compared, and let the rest be fetched."""
        incomplete, (content, _) = self.metainfo, self._known_data()
        assert incomplete is not None
        store = content.store
        held = await store.workers.run(lambda: incomplete.unverifiable)
        self.metainfo = await store.workers.run(partial(incomplete.with_piece_layers, layers))
        content.complete(self.metainfo)
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
            if isinstance(event, PieceVerified | Released | DialFailed | Joined):
                self._publish(event)
            perform(commands)

    async def _tick(self, share: Share) -> None:
        while True:
            limited = self._buckets.down.rate or self._shared.buckets.down.rate
            await trio.sleep(PACE_SECONDS if limited or self._scheduler is None else TICK_SECONDS)
            await self._inbox.send(Tick(crowded=share.is_over))

    def _on_verdict(
        self, report: trio.MemorySendChannel[outcome.Outcome[Verdict]], result: outcome.Outcome[Verdict]
    ) -> None:
        if isinstance(result, outcome.Value) and result.value.good and self._content is not None:
            self._content.wrote(result.value.piece)
        report.send_nowait(result)

    async def _relay(self, reports: trio.MemoryReceiveChannel[outcome.Outcome[Verdict]]) -> None:
        """Verdicts come from threads, which cannot wait for room in the inbox."""
        async for report in reports:
            verdict = report.unwrap()
            kind = PieceVerified if verdict.good else PieceFailed
            await self._inbox.send(kind(verdict.piece, verdict.digests))

    async def _found(self, addresses: Sequence[Address], source: str) -> None:
        if addresses:
            await self._inbox.send(AddressesFound(tuple(addresses), source))

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
        left = UNKNOWN_LEFT if self.metainfo is None else progress.total - progress.done
        return Totals(swarm.uploaded, swarm.downloaded, left)

    def _tally(self) -> Tally:
        last = self._content.last_run if self._content is not None else Tally((), 0, 0)
        swarm = self._snapshot()
        return Tally(tuple(self._worked), last.downloaded + swarm.downloaded, last.uploaded + swarm.uploaded)

    def _snapshot(self) -> Swarm:
        """Of all sessions up to now."""
        before = self._before
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
            case Joined():
                self._note(event)
            case DialFailed(address, reason):
                self._broadcast.tell(DialRefused(str(address), reason))
            case _:
                pass

    def _note(self, joined: Joined) -> None:
        """A peer that took our connection would do so again. Of web seeds the torrent tells."""
        if not joined.incoming and not joined.web:
            self._worked.pop(joined.address, None)
            self._worked[joined.address] = None
            if len(self._worked) > MAX_PEERS:
                del self._worked[next(iter(self._worked))]

    def _publish_piece(self, piece: int) -> None:
        content, _ = self._known_data()
        content.wrote(piece)
        self._broadcast.tell(PieceDone(piece))
        for number in self._progress.verified(piece):
            if number not in content.files.parted:
                content.files.seal(number)
                self._broadcast.tell(FileDone("/".join(content.files.layout.files[number].path)))

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


def _only(group: BaseExceptionGroup[AnyError]) -> AnyError:
    error = group.exceptions[0]
    return _only(error) if isinstance(error, BaseExceptionGroup) else error


def _external(interface: str | None, port: int) -> tuple[Address, ...]:
    """Where others see us, if we were given a public address of this very machine."""
    return () if interface is None or is_local(interface) else (Address(interface, port),)
