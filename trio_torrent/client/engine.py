"""What keeps one torrent going: session after session, and what lasts from one to the next.

A session (`trio_torrent.client.session`) has peers. What is known of the torrent, its trackers, its rounds in the DHT
and its counters are older than that, and stay when the disk fails or somebody wants the data to himself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from trio_torrent.address import Address
from trio_torrent.disk.files import Files
from trio_torrent.errors import IncompleteError, MetainfoError, PeerError, StoppedError, StorageError, TorrentError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS
from trio_torrent.net.listen import Welcome
from trio_torrent.swarm.events import DialFailed, Event, Joined, PieceVerified, Released
from trio_torrent.swarm.pool import USER
from trio_torrent.swarm.scheduler import Swarm
from trio_torrent.tracker.announce import Totals
from trio_torrent.wire.handshake import Handshake

from .broadcast import Broadcast
from .buckets import Buckets
from .content import Content, Rules, Tally
from .discovery import Finder, Standing
from .events import (
    Checked,
    Completed,
    DialRefused,
    Failed,
    FileDone,
    MetadataDone,
    PeerGone,
    PieceDone,
    Troubled,
)
from .finding import Finding
from .known import Known
from .metadata import UNKNOWN_LEFT
from .metainfo import Metainfo
from .perform import Reports
from .progress import Progress
from .reader import Extent, FileReader
from .reading import Reading
from .selection import Selection
from .session import Session
from .sessions import Sessions
from .shared import Shared
from .status import State, Status, in_words

# Peers of a download, below which more of them are looked for in the DHT every few minutes: with some, each round of
# trackers brings others.
FEW_PEERS = 5

AnyError = TypeVar("AnyError", bound=TorrentError)


@attrs.frozen(kw_only=True)
class Wishes:
    """What the user wants of a torrent, from the start. Limits in bytes a second."""

    select: str | Iterable[str | int] | None = None  # None: all of it
    sequential: bool = False
    limit_down: int | None = None
    limit_up: int | None = None


class Engine:
    """Runs one torrent. `learned` is called when a link's torrent is known: it may have a second name then.

    ValueError for a selection that means no file.
    """

    def __init__(
        self,
        source: Metainfo | Magnet,
        save_path: Path,
        shared: Shared,
        peers: Iterable[Address] = (),
        *,
        rules: Rules | None = None,
        wishes: Wishes | None = None,
        learned: Callable[[Engine], None] = lambda engine: None,
    ) -> None:
        wishes = wishes or Wishes()
        self.magnet: Magnet = source.magnet if isinstance(source, Metainfo) else source
        self._rules = rules or Rules(allocation=shared.settings.allocation)
        self._chosen = [wishes.select] if isinstance(wishes.select, str) else wishes.select
        self.buckets: Buckets = Buckets.of(wishes.limit_down, wishes.limit_up, trio.current_time())
        self.broadcast: Broadcast = Broadcast()
        self.sessions: Sessions = Sessions()
        self.reading: Reading = Reading(self._look, lambda: self.sessions.era, self._break)
        self.error: TorrentError | None = None
        self.known: Known | None = None
        self.learned: trio.Event = trio.Event()  # what there is, or it never will be
        self.ready: trio.Event = trio.Event()  # what is there of it is known
        self.ended: trio.Event = trio.Event()  # complete, or never will be
        self.over: trio.Event = trio.Event()
        self._meeting = trio.Event()  # others may come
        self._sequential = wishes.sequential
        self._save_path = save_path
        self._shared = shared
        self._on_learned = learned
        self._state = State.METADATA
        self._checked = 0
        self._started = trio.current_time()
        self._before = Swarm.nothing()  # the sessions that are over
        self._scope = trio.CancelScope()
        self._still = trio.CancelScope()  # of who has the data to himself, one at a time
        self._prepared: frozenset[int] | None = None  # for a selection that skips these
        self._wanting = trio.Lock()
        self._nursery: trio.Nursery | None = None  # of the session, once others may come
        self._session: Session | None = None
        self.finding: Finding = Finding(
            source,
            shared,
            peers,
            names=lambda: self.names,
            totals=self._totals,
            standing=self._standing,
            found=self._found,
        )
        if isinstance(source, Metainfo):
            self._state = State.CHECKING
            self._know(source)

    # -- what it is, and how it stands -------------------------------------------------------------------------------

    @property
    def metainfo(self) -> Metainfo | None:
        """None as long as only a link is known."""
        return self.known.metainfo if self.known is not None else None

    @property
    def name(self) -> str:
        """What it calls itself, safe as a file's name. A link may name it otherwise, or by its hash alone."""
        if self.known is not None:
            return self.known.metainfo.name
        return self.magnet.name or self.magnet.info_hashes.wire.hex()

    @property
    def info_hashes(self) -> InfoHashes:
        """By which it is known. A link to a hybrid may name only one of the two."""
        return self.known.metainfo.info_hashes if self.known is not None else self.magnet.info_hashes

    @property
    def save_path(self) -> Path:
        """The folder that its files are in."""
        return self.known.content.files.root if self.known is not None else self._save_path

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self.known.progress if self.known is not None else Progress.unknown()

    @property
    def state(self) -> State:
        """What it is doing."""
        return self.sessions.state or self._state

    @property
    def names(self) -> tuple[bytes, ...]:
        """The info-hashes by which anybody may be told of it now; none of a private torrent (BEP 27)."""
        return () if self._private or self._nursery is None else self.info_hashes.all_wire

    @property
    def _private(self) -> bool:
        return self.known is not None and self.known.metainfo.private

    @property
    def status(self) -> Status:
        """How it stands now."""
        swarm, state, tally, progress = self._snapshot(), self.state, self._tally(), self.progress
        trackers, dht = self.finding.trackers, self.finding.dht
        web_seeds = self.known.web_seeds.status if self.known is not None else ()
        stall = swarm.stall if state in (State.METADATA, State.DOWNLOADING) else None
        return Status(
            state=state,
            done=progress.done,
            total=progress.total,
            pieces_done=progress.have.count,
            pieces=progress.geometry.pieces,
            checked=self._checked,
            downloaded=swarm.downloaded,
            uploaded=swarm.uploaded,
            wasted=swarm.wasted,
            down_rate=swarm.down_rate,
            up_rate=swarm.up_rate,
            peers=swarm.peers,
            seeds=swarm.seeds,
            known=swarm.known,
            named=swarm.named,
            stall=stall,
            reason=str(self.sessions.error) if state is State.WAITING else in_words(stall, trackers, dht, web_seeds),
            trackers=trackers,
            web_seeds=web_seeds,
            dht=dht,
            allocated=self.known.content.allocated if self.known is not None else 0,
            ever_downloaded=tally.downloaded,
            ever_uploaded=tally.uploaded,
        )

    def _snapshot(self) -> Swarm:
        """Of all sessions up to now."""
        return self._session.snapshot(self._before) if self._session is not None else self._before

    def _totals(self) -> Totals:
        swarm, progress = self._snapshot(), self.progress
        left = UNKNOWN_LEFT if self.known is None else progress.total - progress.done
        return Totals(swarm.uploaded, swarm.downloaded, left)

    def _tally(self) -> Tally:
        last = self.known.content.last_run if self.known is not None else Tally((), 0, 0)
        swarm = self._snapshot()
        return Tally(self.finding.worked, last.downloaded + swarm.downloaded, last.uploaded + swarm.uploaded)

    # -- from start to end -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Learn, check, download, serve; until it fails or is stopped. To be run once."""
        try:
            with self._shared.boundary.guard("a torrent"), self._scope:
                await self._live()
            if not self._scope.cancel_called:  # nobody stopped it, so the guard did
                self._fail(TorrentError(f"{self.name}: stopped by a bug in trio-torrent; the log has it"))
        finally:
            if self.known is not None:
                await self.known.content.close(self._tally())
            self._end()
            self.over.set()

    async def stop(self) -> None:
        """Tell the trackers that we are gone, then end all tasks."""
        try:
            if self._meeting.is_set():
                await self.finding.leave()
        finally:
            self._cancel()

    def _cancel(self) -> None:
        self._scope.cancel()
        self._still.cancel()
        self.reading.wake()

    async def _live(self) -> None:
        while not self._scope.cancel_called:
            if self.sessions.paused:
                await self.finding.leave()
            await self.sessions.wait()
            try:
                with self.sessions.session():
                    await self._hold_session()
            except* (IncompleteError, MetainfoError) as group:
                self._fail(_only(group))
            except* StorageError as group:
                self._break(_only(group))

    def _break(self, error: StorageError) -> None:
        """The disk does not do what it should."""
        if self.known is not None:
            self.known.content.doubt(error)
        if error.lasting:
            self._fail(error)
        elif self.sessions.broke(error):
            self.broadcast.tell(Troubled(error))

    def _fail(self, error: TorrentError) -> None:
        """It cannot go on. What was verified stays."""
        self.error = error
        self._state = State.FAILED
        self.broadcast.tell(Failed(error))
        self.learned.set()
        self.ready.set()
        self.ended.set()
        self._cancel()

    def _end(self) -> None:
        """Nobody waits for what will not come."""
        if self._state is not State.FAILED:
            self._state = State.STOPPED
        if not self.ended.is_set() and self.error is None:
            self.error = StoppedError(f"{self.name}: stopped before it was complete")
        self._meeting.set()
        self.learned.set()
        self.ready.set()
        self.ended.set()
        self.reading.wake()
        self.broadcast.close()

    # -- a session ---------------------------------------------------------------------------------------------------

    async def _hold_session(self) -> None:
        """From finding out what is there until the disk fails, or somebody wants it to be still."""
        try:
            with self._shared.places.share() as share:
                async with trio.open_nursery() as nursery:
                    self._session = Session(
                        nursery,
                        share,
                        self._shared,
                        self.buckets,
                        self.info_hashes,
                        dht=self._dht,
                        publish=self._publish,
                        verified=self._on_verified,
                        reports=self._reports(nursery),
                    )
                    await self._go(nursery, self._session)
        finally:
            last = self._snapshot()
            self._before = attrs.evolve(
                Swarm.nothing(), downloaded=last.downloaded, uploaded=last.uploaded, wasted=last.wasted
            )
            self._session = self._nursery = None
            if self.known is not None:
                await self.known.content.settle()
            self.reading.wake()

    def _reports(self, nursery: trio.Nursery) -> Reports:
        return Reports(
            gone=lambda address, reason: self.broadcast.tell(PeerGone(str(address), reason)),
            finished=self._on_finished,
            layers=lambda layers: nursery.start_soon(self._complete, layers),
            node=self.finding.add_node,
            broken=self._break,
        )

    async def _go(self, nursery: trio.Nursery, session: Session) -> None:
        if self.known is None:
            self._state = State.METADATA
            self._meet(nursery, session)
            await session.learn(self.magnet, self._learn)
        else:
            await self._check(self.known)
        known = self.know()
        await self._prepare(known)
        self._begin(known.progress)
        session.start(known, sequential=self._sequential)
        self._meet(nursery, session)
        self.reading.wake()
        nursery.start_soon(self._heed, known, session)
        nursery.start_soon(known.web_seeds.run, session.performer, self._lacks_nothing)
        nursery.start_soon(known.content.keep, self._tally, lambda: known.progress.complete)

    def _lacks_nothing(self) -> bool:
        return self.progress.complete and not self.reading.files

    def _begin(self, progress: Progress) -> None:
        """It is known what is there."""
        if not progress.complete:
            self._begin_download()
        elif self.ready.is_set() and not self.ended.is_set():
            self._on_finished()  # its last piece came with the end of the last session
        else:
            self._state = State.SEEDING
            self.ended.set()
        self.sessions.works()
        self.ready.set()

    def _begin_download(self) -> None:
        self._state = State.DOWNLOADING
        if self.ended.is_set():
            self.ended = trio.Event()

    def _meet(self, nursery: trio.Nursery, session: Session) -> None:
        """From here on, others hear of us and we of them; which may be so already."""
        if self._nursery is not None:
            return
        self._nursery = nursery
        nursery.start_soon(session.tick)
        self.finding.start(nursery, self.known.metainfo.nodes if self.known is not None else ())
        self._meeting.set()

    # -- what there is, and what is there of it ----------------------------------------------------------------------

    def know(self) -> Known:
        """What is known. RuntimeError if it is not yet."""
        if self.known is None:
            raise RuntimeError(f"{self.name}: it is not known yet what there is; wait_metadata() tells when")
        return self.known

    def _know(self, metainfo: Metainfo) -> Known:
        """What there is is known, although not yet what is there of it. ValueError for a selection of nothing."""
        selection = Selection(metainfo)
        if self._chosen is not None:
            selection.select(*self._chosen)
        elif self.magnet.select:
            selection.keep(self.magnet.select)
        self.known = Known(metainfo, selection, self._save_path, self._shared, self._rules)
        self.learned.set()
        return self.known

    async def _learn(self, metainfo: Metainfo) -> None:
        """A link's torrent is known now."""
        try:
            known = self._know(metainfo)
        except ValueError as error:
            raise MetainfoError(str(error)) from error
        self._on_learned(self)
        self.broadcast.tell(MetadataDone(metainfo.name))
        self.finding.learn(metainfo)
        await self._check(known)

    async def _check(self, known: Known) -> None:
        self._state = State.CHECKING
        await known.find(self._on_checked)
        content, have = known.content, known.progress.have
        self.finding.recall(content.last_run.peers)
        self.broadcast.tell(Checked(have.count, have.size))
        if not self._rules.download and not known.progress.complete:
            raise IncompleteError(f"{self.name}: {have.count} of {have.size} pieces are good, not all", have.count)
        self._prepared = None
        await self._prepare(known)
        await known.weigh()

    async def _prepare(self, known: Known) -> None:
        """Make room for what is wanted, which may be something else by then."""
        while self._prepared != known.selection.skipped:
            self._prepared = known.selection.skipped
            if self._rules.download:
                self._state = State.ALLOCATING if self._rules.allocation == "full" else State.CHECKING
                self._tell_files(await known.content.want(known.selection))
            await known.content.save(self._tally(), running=not known.progress.complete)  # before anything is written

    def _on_checked(self, pieces: int) -> None:
        self._state = State.CHECKING
        self._checked = pieces

    async def verify(self) -> None:
        """Compare all data again, in between two sessions."""
        async with self._stilled() as known:
            await known.content.verify(known.selection, self._on_checked)

    async def change(self, how: Callable[[Files], Callable[[Callable[[], object]], None]]) -> None:
        """Do something to the files that takes them elsewhere, in between two sessions. As `Content.change`."""
        async with self._stilled() as known:
            await known.content.change(how(known.content.files), self._tally())

    @asynccontextmanager
    async def _stilled(self) -> AsyncIterator[Known]:
        """Nobody else reads or writes while the block lasts. RuntimeError or StoppedError if that cannot be."""
        known = self.know()
        try:
            async with self.sessions.still():
                if not self._scope.cancel_called:
                    with trio.CancelScope() as self._still:
                        yield known
                if self._scope.cancel_called:
                    raise StoppedError(f"{self.name}: does not run")
        finally:
            self.reading.wake()  # if it is paused, no session will

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, file: int) -> FileReader:
        """A reader of a file, by its number in the torrent's layout."""
        known = self.know()
        read = known.metainfo.files[file]
        extent = Extent(file, "/".join(read.path), read.offset, read.length, known.metainfo.geometry.piece_length)
        return FileReader(extent, self.reading, lambda: known.progress.file_done[file] < read.length)

    async def _heed(self, known: Known, session: Session) -> None:
        """Have what readers need fetched, whenever that changes."""
        while True:
            changed, files = self.reading.changed, self.reading.files
            if not files <= known.content.lent:
                async with self._wanting:
                    await known.content.lend(files)
                    await known.content.save(self._tally(), running=not known.progress.complete)
            if files:
                known.web_seeds.want()
            await session.heed(self.reading.awaited)
            await changed.wait()

    def _look(self) -> Content | None:
        """What may be read now. Raises what keeps anything from being read ever."""
        if self._scope.cancel_called or self._state is State.STOPPED:
            raise self.error or StoppedError(f"{self.name}: was stopped")
        runs = self._session is not None and self._session.downloads and self.sessions.error is None
        rests = self._session is None and self.sessions.at_rest
        return self.known.content if self.known is not None and (runs or rests) else None

    def select(self, *what: str | int) -> None:
        """Download these files and no others. ValueError as for `Selection.find`, and then nothing has changed."""
        self._chosen = what
        if self.known is not None:
            self.known.selection.select(*what)
            self.want(self.known)

    def want(self, known: Known) -> None:
        """The selection is another."""
        known.progress.want(known.selection.skipped)
        if self._nursery is not None and self._session is not None and self._session.downloads:
            if not known.progress.complete:
                self._begin_download()
            self._nursery.start_soon(self._want_now, known, self._session)

    async def _want_now(self, known: Known, session: Session) -> None:
        async with self._wanting:
            if self._rules.download:
                self._tell_files(await known.content.want(known.selection))
                await known.content.save(self._tally(), running=not known.progress.complete)
            await session.want(known.selection)
        known.web_seeds.want()

    async def _complete(self, layers: Mapping[bytes, bytes]) -> None:
        """Peers have given the piece layers that were missing."""
        known, session = self.know(), self._session
        for released in await known.complete(layers):
            assert session is not None  # whose nursery this runs in
            await session.release(released)

    # -- finding, and being found ------------------------------------------------------------------------------------

    def add_peers(self, addresses: Iterable[Address]) -> None:
        """The user names some."""
        named = tuple(addresses)
        self.finding.name(named)
        if self._nursery is not None:
            self._nursery.start_soon(self._found, named, USER)

    async def _found(self, addresses: Sequence[Address], source: str) -> None:
        if self._session is not None:
            await self._session.found(addresses, source)

    def meet(self, address: Address, source: str) -> None:
        """Somebody may have it."""
        if self.names and self._session is not None:
            self._session.meet(address, source)

    def welcome(self) -> Welcome | None:
        """Who takes connections that come in."""
        return None if self._scope.cancel_called or self._state in (State.FAILED, State.STOPPED) else self._welcome

    async def _welcome(self, stream: trio.abc.Stream, address: Address, theirs: Handshake, early: bytes) -> None:
        """Those who come while the files are being checked wait a little: turned away, they would rest for a minute."""
        with trio.move_on_after(HANDSHAKE_SECONDS):
            await self._meeting.wait()
        if self._session is None or self._nursery is None:
            raise PeerError("not ready")
        await self._session.welcome(stream, address, theirs, early)

    @property
    def _dht(self) -> Finder | None:
        """A private torrent has none (BEP 27). Of a link it is not known, so it has one until it is."""
        return None if self._private else self._shared.dht

    def _standing(self) -> Standing:
        wants = self._state in (State.METADATA, State.DOWNLOADING)
        seed = self.known is not None and self.known.progress.have.complete
        return Standing(seed=seed, few=wants and self._snapshot().peers < FEW_PEERS)

    # -- what users hear ---------------------------------------------------------------------------------------------

    def _on_finished(self) -> None:
        self._state = State.SEEDING
        swarm = self._snapshot()
        seconds = trio.current_time() - self._started
        self.finding.completed()
        self.ended.set()
        self.broadcast.tell(Completed(seconds, swarm.downloaded, swarm.wasted))

    def _on_verified(self, piece: int) -> None:
        self.know().content.wrote(piece)
        self.reading.wake()

    def _publish(self, event: Event) -> None:
        match event:
            case PieceVerified(piece):
                self._publish_pieces([piece])
            case Released(_, good):
                self._publish_pieces(good)
            case Joined():
                self.finding.note(event)
            case DialFailed(address, reason):
                self.broadcast.tell(DialRefused(str(address), reason))
            case _:
                pass

    def _publish_pieces(self, pieces: Iterable[int]) -> None:
        for piece in pieces:
            self.broadcast.tell(PieceDone(piece))
            self._tell_files(self.know().verified(piece))

    def _tell_files(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.broadcast.tell(FileDone(path))


def _only(group: BaseExceptionGroup[AnyError]) -> AnyError:
    error = group.exceptions[0]
    return _only(error) if isinstance(error, BaseExceptionGroup) else error
