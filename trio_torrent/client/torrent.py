"""One torrent, as programs hold it. What keeps it going is `trio_torrent.client.engine`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from types import EllipsisType

import trio

from trio_torrent.address import Address
from trio_torrent.disk.moving import move, rename
from trio_torrent.errors import TorrentError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.metainfo.paths import SafeNames

from .engine import Engine
from .events import TorrentEvent
from .files import TorrentFile
from .metainfo import Metainfo
from .reader import FileReader
from .selection import Priority
from .status import State, Status


class Torrent:
    """A torrent that is being downloaded or served. Made by `Client.add`; lives as long as its client."""

    def __init__(self, engine: Engine, forget: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._forget = forget

    def __repr__(self) -> str:
        have = self._engine.subject.progress.have
        return f"<Torrent {self.name!r} {self.state.value} {have.count}/{have.size}>"

    # -- what it is, and how it stands -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the torrent calls itself, safe as a file's name. A link may name it otherwise, or by its hash alone."""
        return self._engine.subject.name

    @property
    def metainfo(self) -> Metainfo | None:
        """What the .torrent says; None as long as only a link is known (`wait_metadata`)."""
        return self._engine.subject.metainfo

    @property
    def magnet(self) -> Magnet:
        """The link to it: the one that it was added by, if it was."""
        return self._engine.subject.magnet

    @property
    def info_hashes(self) -> InfoHashes:
        """By which it is known. A link to a hybrid may name only one of the two."""
        return self._engine.info_hashes

    @property
    def save_path(self) -> Path:
        """The folder that its files are in."""
        return self._engine.subject.save_path

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._engine.account.state

    @property
    def status(self) -> Status:
        """How it stands now."""
        return self._engine.account.status(self._engine.finding, is_read=bool(self._engine.reading.files))

    @property
    def files(self) -> tuple[TorrentFile, ...]:
        """How its files stand now; none as long as they are not known."""
        if (known := self._engine.subject.known) is None:
            return ()
        files, done, priorities = known.metainfo.files, known.progress.file_done, known.selection.priorities
        read = partial(FileReader.of, known, self._engine.reading)
        return tuple(
            [
                TorrentFile(count, "/".join(files[n].path), files[n].length, done[n], priorities[n], partial(read, n))
                for count, n in enumerate(known.selection.numbers, 1)
            ]
        )

    @property
    def error(self) -> TorrentError | None:
        """Why it has failed, if it has."""
        return self._engine.course.error

    def events(
        self, buffer: int = 64, *, only: tuple[type[TorrentEvent], ...] | None = None
    ) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[TorrentEvent]]:
        """What happens from now on: `async with torrent.events() as events: async for event in events: ...`.

        Up to `buffer` unread events are kept; then an `Overflow` says how many were missed. Of many small pieces each
        event costs more than its piece: with `only`, such as `(FileDone, Completed)`, no others are told or missed.
        """
        return self._engine.broadcast.listen(buffer, only)

    async def wait_metadata(self) -> None:
        """Return when `metainfo` is there, of a torrent that began as a link.

        Raises the TorrentError that made the torrent fail, StoppedError if it is stopped before; `wait_checked` and
        `wait_complete` likewise.
        """
        await self._engine.course.learned.wait()
        if self.metainfo is None:
            self._raise_error()

    async def wait_checked(self) -> None:
        """Return when the files that were there have been compared. Raises TorrentError if it has failed."""
        await self._engine.course.ready.wait()
        self._raise_error()

    async def wait_complete(self) -> None:
        """Return when every piece that is wanted is verified and written. Raises TorrentError if it has failed:

        StorageError for a disk that will not do, IncompleteError for what was to be served only and is not all there.
        """
        await self._engine.course.ended.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._engine.course.error is not None:
            raise self._engine.course.error

    # -- its peers ---------------------------------------------------------------------------------------------------

    def add_peers(self, addresses: Iterable[Address]) -> None:
        """Connect to these."""
        self._engine.add_peers(addresses)

    def set_limits(self, *, down: int | EllipsisType | None = ..., up: int | EllipsisType | None = ...) -> None:
        """Bytes a second for this torrent, from now on, within what the client may; None is no limit.

        What is not given stays as it is. ValueError below 1.
        """
        self._engine.buckets.change(down, up, trio.current_time())

    def reannounce(self) -> None:
        """Ask trackers and the DHT for peers now, or as soon as they allow: trackers say how often that may be."""
        self._engine.finding.look_now()

    async def scrape(self) -> None:
        """Ask the trackers how many share the torrent; `status.trackers` has what they said.

        Each is asked once a minute at most. Half a minute passes if one of them does not answer.
        """
        await self._engine.finding.scrape()

    # -- its data ----------------------------------------------------------------------------------------------------

    def select(self, *what: str | int) -> None:
        """Download these files and no others: numbers from 1, texts like `1,3-5`, patterns of paths.

        What is there of the others stays; without any, nothing is downloaded but what is read. ValueError for what
        means no file, and then nothing has changed; of a torrent that is not known yet, that is found out later, and
        makes it fail.
        """
        self._engine.select(*what)

    def prioritize(self, *what: str | int, priority: Priority) -> None:
        """Want these files so much, named as for `select`.

        RuntimeError if they are not known yet; ValueError for what means no file or is no priority, and then nothing
        has changed.
        """
        known = self._engine.subject.know()
        known.selection.prioritize(*what, priority=priority)
        self._engine.want(known)

    def pause(self) -> None:
        """Leave the swarm, and stay out of it until `resume`."""
        self._engine.sessions.pause()

    def resume(self) -> None:
        """Go on, also where the disk has failed, without waiting for the next try."""
        self._engine.sessions.resume()

    async def verify(self) -> None:
        """Compare all data with the torrent again; nothing is fetched or served meanwhile. Then it goes on as it must.

        Cancelled, it stays as it was. Raises StoppedError if it does not run or is stopped meanwhile, StorageError if
        the disk fails, RuntimeError as long as it is not known what there is; `move` and `rename` likewise.
        """
        await self._engine.verify()

    async def move(self, folder: str | os.PathLike[str]) -> None:
        """Move its files to another folder, and go on there.

        StorageError if something is in the way or the disk fails; then, or cancelled, all is where it was.
        """
        await self._engine.change(lambda files: partial(move, files, Path(folder)))

    async def rename(self, number: int, path: str) -> None:
        """Give a file another path, from the save path, with slashes; made safe like those of torrents.

        ValueError if there is no such file, or the path is empty; StorageError as for `move`, StoppedError and
        RuntimeError as for `verify`.
        """
        (file,) = self._engine.subject.know().selection.find(number)
        if not path:
            raise ValueError("a file's path cannot be empty")
        safe = SafeNames().path([part.encode() for part in path.split("/")])
        await self._engine.change(lambda files: lambda may_go_on: rename(files, file, safe))

    # -- its end -----------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Leave the swarm for good. What was verified stays, and so does the record of it."""
        await self._engine.stop()

    async def remove(self, *, delete_files: bool = False) -> None:
        """Stop it, and forget it; with `delete_files`, its files, too. StorageError if they cannot be removed.

        Whoever waits for it gets StoppedError, also in `verify` and `move`. To do it once more does no harm;
        RuntimeError once its client is closed.
        """
        known = self._engine.subject.known
        if known is not None:
            known.content.keeps = False
        await self._engine.stop()
        await self._engine.course.over.wait()
        self._forget()
        known = self._engine.subject.known  # of a link perhaps only since the trackers were told
        if known is not None:
            await known.content.forget(delete_files=delete_files)
