"""What keeps one torrent going: session after session, and what lasts from one to the next.

A session (`trio_torrent.client.session`) has peers. What is known of the torrent, its trackers, its rounds in the DHT
and its counters are older than that, and stay when the disk fails or somebody wants the data to himself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio

from trio_torrent.address import Address
from trio_torrent.disk.files import Files
from trio_torrent.errors import IncompleteError, MetainfoError, PeerError, StoppedError, StorageError, TorrentError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS
from trio_torrent.net.listen import Welcome
from trio_torrent.swarm.pool import USER
from trio_torrent.wire.handshake import Handshake

from .account import Account
from .broadcast import Broadcast
from .buckets import Buckets
from .content import Content, Rules, Tally
from .course import Course
from .events import Checked, Completed, Failed, MetadataDone, Troubled
from .finder import Finder, Standing
from .finding import Finding
from .known import Known
from .metainfo import Metainfo
from .perform import Reports
from .reading import Reading
from .session import Session
from .sessions import Sessions
from .shared import Shared
from .status import State
from .subject import Subject
from .telling import Telling
from .wanting import Wanting
from .wishes import Wishes

# Peers of a download, below which more of them are looked for in the DHT every few minutes: with some, each round of
# trackers brings others.
FEW_PEERS = 5

AnyError = TypeVar("AnyError", bound=TorrentError)


class Engine:
    """Runs one torrent. `learned` is called when a link's torrent is known: it may have a second name then.

    Its parts say what it is (`subject`), how far it has come (`course`) and how it stands (`account`). ValueError for a
    selection that means no file.
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
        self._rules = rules or Rules(allocation=shared.settings.allocation)
        self.subject: Subject = Subject(source, save_path, shared, self._rules, wishes.select)
        self.course: Course = Course(known=self.subject.known is not None)
        self.sessions: Sessions = Sessions()
        self.account: Account = Account(self.subject, self.course, self.sessions)
        self.buckets: Buckets = Buckets.of(wishes.limit_down, wishes.limit_up, trio.current_time())
        self.broadcast: Broadcast = Broadcast()
        self.reading: Reading = Reading(self._look, lambda: self.sessions.era, self._break)
        self._meeting = trio.Event()  # others may come
        self._sequential = wishes.sequential
        self._shared = shared
        self._on_learned = learned
        self._started = trio.current_time()
        self._scope = trio.CancelScope()
        self._still = trio.CancelScope()  # of who has the data to himself, one at a time
        self._nursery: trio.Nursery | None = None  # of the session, once others may come
        self._session: Session | None = None
        self.finding: Finding = Finding(
            source,
            shared,
            peers,
            names=lambda: self.names,
            totals=self.account.totals,
            standing=self._standing,
            found=self._found,
        )
        self._telling = Telling(self.broadcast, verified=self._completed_by, joined=self.finding.note)
        self._wanting = Wanting(self._rules, self.reading, self._tally, self._telling.files)

    @property
    def info_hashes(self) -> InfoHashes:
        """By which it is known. A link to a hybrid may name only one of the two."""
        return self.subject.info_hashes

    @property
    def names(self) -> tuple[bytes, ...]:
        """The info-hashes by which anybody may be told of it now; none of a private torrent (BEP 27)."""
        return () if self.subject.private or self._nursery is None else self.info_hashes.all_wire

    @property
    def _name(self) -> str:
        return self.subject.name

    def _tally(self) -> Tally:
        return self.account.tally(self.finding)

    # -- from start to end -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Learn, check, download, serve; until it fails or is stopped. To be run once."""
        try:
            with self._shared.boundary.guard("a torrent"), self._scope:
                await self._live()
            if not self._scope.cancel_called:  # nobody stopped it, so the guard did
                self._fail(TorrentError(f"{self._name}: stopped by a bug in trio-torrent; the log has it"))
        finally:
            if self.subject.known is not None:
                await self.subject.known.content.close(self._tally())
            self._end()
            self.course.over.set()

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
        """The disk does not do what it should. What gets in the way of a torrent that runs may go away again."""
        if self.subject.known is not None:
            self.subject.known.content.doubt(error)
        if error.lasting and not (error.in_the_way and self.course.ready.is_set()):
            self._fail(error)
        elif self.sessions.broke(error):
            self.broadcast.tell(Troubled(error))

    def _fail(self, error: TorrentError) -> None:
        """It cannot go on. What was verified stays."""
        self.course.fail(error)
        self.broadcast.tell(Failed(error))
        self._cancel()

    def _end(self) -> None:
        """Nobody waits for what will not come."""
        self.course.stop(self._name)
        self._meeting.set()
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
                        publish=self._telling.publish,
                        verified=self._on_verified,
                        reports=self._reports(nursery),
                    )
                    self.account.begin(self._session)
                    await self._go(nursery, self._session)
        finally:
            self.account.end()
            self._session = self._nursery = None
            if self.subject.known is not None:
                await self.subject.known.content.settle()
            self.reading.wake()

    def _reports(self, nursery: trio.Nursery) -> Reports:
        return Reports(
            gone=self._telling.gone,
            finished=self._on_finished,
            layers=lambda layers: nursery.start_soon(self._complete, layers),
            node=self.finding.add_node,
            broken=self._break,
        )

    async def _go(self, nursery: trio.Nursery, session: Session) -> None:
        self._wanting.begin()
        if self.subject.known is None:
            self.course.state = State.METADATA
            self._meet(nursery, session)
            await session.learn(self.subject.magnet, self._learn)
        else:
            await self._check(self.subject.known)
        known = self.subject.know()
        await self._wanting.prepare(known, self._on_preparing)
        self._begin(known.progress.complete)
        session.start(known, sequential=self._sequential)
        self._meet(nursery, session)
        self.reading.wake()
        nursery.start_soon(self._wanting.heed, known, session)
        nursery.start_soon(known.web_seeds.run, session.performer, self._lacks_nothing)
        nursery.start_soon(known.content.keep, self._tally, lambda: known.progress.complete)

    def _lacks_nothing(self) -> bool:
        return self.subject.progress.complete and not self.reading.files

    def _begin(self, complete: bool) -> None:
        """It is known what is there."""
        if not complete:
            self.course.download()
        elif self.course.ready.is_set() and not self.course.ended.is_set():
            self._on_finished()  # its last piece came with the end of the last session
        else:
            self.course.seed()
        self.sessions.works()
        self.course.ready.set()

    def _meet(self, nursery: trio.Nursery, session: Session) -> None:
        """From here on, others hear of us and we of them; which may be so already."""
        if self._nursery is not None:
            return
        self._nursery = nursery
        nursery.start_soon(session.tick)
        metainfo = self.subject.metainfo
        self.finding.start(nursery, metainfo.nodes if metainfo is not None else ())
        self._meeting.set()

    # -- what there is, and what is there of it ----------------------------------------------------------------------

    async def _learn(self, metainfo: Metainfo) -> None:
        """A link's torrent is known now."""
        try:
            known = self.subject.learn(metainfo)
        except ValueError as error:
            raise MetainfoError(str(error)) from error
        self.course.learned.set()
        self._on_learned(self)
        self.broadcast.tell(MetadataDone(metainfo.name))
        self.finding.learn(metainfo)
        await self._check(known)

    async def _check(self, known: Known) -> None:
        self.course.state = State.CHECKING
        await known.find(self._on_checked)
        content, have = known.content, known.progress.have
        self.finding.recall(content.last_run.peers)
        self.broadcast.tell(Checked(have.count, have.size))
        if not self._rules.download and not known.progress.complete:
            raise IncompleteError(f"{self._name}: {have.count} of {have.size} pieces are good, not all", have.count)
        await self._wanting.prepare(known, self._on_preparing)
        await known.weigh()

    def _on_checked(self, pieces: int) -> None:
        self.course.state = State.CHECKING
        self.account.checked = pieces

    def _on_preparing(self) -> None:
        self.course.state = State.ALLOCATING if self._rules.allocation == "full" else State.CHECKING

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
        known = self.subject.know()
        try:
            async with self.sessions.still():
                if not self._scope.cancel_called:
                    with trio.CancelScope() as self._still:
                        yield known
                if self._scope.cancel_called:
                    raise StoppedError(f"{self._name}: does not run")
        finally:
            self.reading.wake()  # if it is paused, no session will

    # -- reading -----------------------------------------------------------------------------------------------------

    def _look(self) -> Content | None:
        """What may be read now. Raises what keeps anything from being read ever."""
        if self._scope.cancel_called or self.course.state is State.STOPPED:
            raise self.course.error or StoppedError(f"{self._name}: was stopped")
        runs = self._session is not None and self._session.downloads and self.sessions.error is None
        rests = self._session is None and self.sessions.at_rest
        return self.subject.known.content if self.subject.known is not None and (runs or rests) else None

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def select(self, *what: str | int) -> None:
        """Download these files and no others. ValueError as for `Selection.find`, and then nothing has changed."""
        self.subject.select(*what)
        if self.subject.known is not None:
            self.want(self.subject.known)

    def want(self, known: Known) -> None:
        """The selection is another."""
        known.progress.want(known.selection.skipped)
        if self._nursery is not None and self._session is not None and self._session.downloads:
            if not known.progress.complete:
                self.course.download()
            self._nursery.start_soon(self._wanting.want, known, self._session)

    async def _complete(self, layers: Mapping[bytes, bytes]) -> None:
        """Peers have given the piece layers that were missing."""
        known, session = self.subject.know(), self._session
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
        return None if self._scope.cancel_called or self.course.is_stopped else self._welcome

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
        return None if self.subject.private else self._shared.dht

    def _standing(self) -> Standing:
        wants = self.course.state in (State.METADATA, State.DOWNLOADING)
        known = self.subject.known
        seed = known is not None and known.progress.have.complete
        return Standing(seed=seed, few=wants and self.account.swarm.peers < FEW_PEERS)

    # -- what becomes of it ------------------------------------------------------------------------------------------

    def _on_finished(self) -> None:
        swarm = self.account.swarm
        self.finding.completed()
        self.course.seed()
        self.broadcast.tell(Completed(trio.current_time() - self._started, swarm.downloaded, swarm.wasted))

    def _on_verified(self, piece: int) -> None:
        self.subject.know().content.wrote(piece)
        self.reading.wake()

    def _completed_by(self, piece: int) -> Iterable[str]:
        return self.subject.know().verified(piece)


def _only(group: BaseExceptionGroup[AnyError]) -> AnyError:
    error = group.exceptions[0]
    return _only(error) if isinstance(error, BaseExceptionGroup) else error
