"""A torrent's data, from the first look at what is there to the last record of it.

A torrent lives in sessions: between two of them its peers are gone and nobody reads or writes. Each begins with finding
out which pieces are there (`find`): by the record of the last run, or by what is remembered from the session before;
what has changed since is compared with the torrent again. Then the disk is prepared for what is to come (`prepare`).
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import attrs
import trio

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.boot import run_of
from trio_torrent.disk.check import check
from trio_torrent.disk.failures import translated
from trio_torrent.disk.files import PARTS, Files
from trio_torrent.disk.look import Look
from trio_torrent.disk.moving import remove
from trio_torrent.disk.parts import Parts
from trio_torrent.disk.record import Record
from trio_torrent.disk.records import Records
from trio_torrent.disk.space import check_room, lacking, steps
from trio_torrent.disk.store import Store
from trio_torrent.disk.trust import HEARTBEAT_SECONDS, Trust
from trio_torrent.disk.workers import Workers
from trio_torrent.errors import StorageError

from .metainfo import Metainfo
from .selection import Selection

logger: logging.Logger = logging.getLogger("trio_torrent")

# From one record to the next. A kill costs at most 5 s of pieces, if the disk takes a record within 2.5 s: those since
# the last record but one, if it comes just before the last is on the disk.
SAVE_SECONDS = 2.0

# How often what was written is to be made safe against a power cut, which costs comparing what came since. Others leave
# that to the system, which writes within half a minute; more often would make every download wait for the disk.
SYNC_SECONDS = 60.0

# For a disk to take what is being written; one that is stuck is left alone.
SETTLE_SECONDS = 10.0

T = TypeVar("T")

Allocation = Literal["sparse", "full"]


@attrs.frozen(kw_only=True)
class Rules:
    """How a torrent's data is treated."""

    download: bool = True  # without it, nothing is written
    trust: bool = True  # the record of the last run
    overwrite: bool = False  # what is in the place of a file that is wanted or read, and nothing of the torrent
    allocation: Allocation = "sparse"


@attrs.frozen
class Tally:
    """What a record has besides the data."""

    peers: tuple[Address, ...]
    downloaded: int
    uploaded: int


class Content:
    """One torrent's data. `have` is what is verified and in the files, whoever knows of it."""

    def __init__(self, metainfo: Metainfo, root: Path, workers: Workers, records: Records | None, rules: Rules) -> None:
        self.files: Files = Files(root, metainfo.layout, parts=Parts(metainfo))
        self.store: Store = Store(metainfo, self.files, workers)
        self.have: Bitfield = Bitfield(metainfo.geometry.pieces)
        self.allocated: int = 0  # bytes, while the disk sets them aside
        self._metainfo = metainfo
        self._workers = workers
        self._records = records
        self._rules = rules
        self.last_run: Tally = Tally((), 0, 0)
        self.lent: set[int] = set()  # files that somebody reads, and so are in their places, wanted or not
        self._trust = rules.trust
        self._known = False  # `have` says what is in the files
        self._doubts: set[int] = set()  # files
        self._safe = Bitfield(metainfo.geometry.pieces)  # what would survive a power cut
        self._looks: dict[int, Look] = {}  # when the last record was saved
        self._changed = trio.Event()  # since then
        self._complained = False
        self.keeps = True  # a record, at the end

    # -- what there is -----------------------------------------------------------------------------------------------

    def complete(self, metainfo: Metainfo) -> None:
        """The same torrent, with piece layers that it lacked."""
        self._metainfo = metainfo
        self.store.complete(metainfo)

    async def find(self, selection: Selection, tell: Callable[[int], None]) -> None:
        """Find out which pieces are there; `tell` is told how many were looked at.

        StorageError if that cannot be said, or if the data of others is in the way.
        """
        before, doubts = Bitfield.from_bytes(bytes(self.have), self.have.size), set(self._doubts)
        try:
            await self._find(selection, tell)
        except BaseException:
            if self._known:  # what is not compared yet is neither there nor lost
                self.have, self._doubts = before, self._doubts | doubts
            raise

    async def _find(self, selection: Selection, tell: Callable[[int], None]) -> None:
        first, record = not self._known, None
        with trio.CancelScope(shield=True):  # it is short, and a job that was left behind would disturb the next
            if first and (record := await self._workers.run(self._load)) is not None:
                self.last_run = Tally(record.peers, record.downloaded, record.uploaded)
            doubtful, looks = await self._workers.run(partial(self._remember, record, selection))
            self._safe = _both(self._safe, self.have)
        await self._compare(doubtful, tell)
        if self._rules.download:
            with trio.CancelScope(shield=True):
                elsewhere = await self._workers.run(partial(self._give_way, looks, selection))
            await self._compare(elsewhere, tell)
        with trio.CancelScope(shield=True):
            await self._workers.run(partial(self._seal, looks))
        self._known = True

    async def _compare(self, doubtful: Bitfield, tell: Callable[[int], None]) -> None:
        if doubtful.count:
            for piece in (await check(self._metainfo, self.files, self._workers, tell, only=doubtful)).good:
                self.have.add(piece)

    def _load(self) -> Record | None:
        if self._records is None:
            return None
        record = self._records.load(self._info_hash, self.have.size)
        for number, file in enumerate(self._metainfo.files):
            path = record.renamed.get("/".join(file.path)) if record is not None else None
            if path is not None and is_safe(path):
                self.files.rename(number, self.files.root / path)
        return record

    def _remember(self, record: Record | None, selection: Selection) -> tuple[Bitfield, dict[int, Look]]:
        """The pieces that are doubtful, and how the files look. `have` is set to the others that are there."""
        self._check_root()
        self._claim(selection.wanted)
        looks = self.files.looks()
        if self._known:
            doubtful = self._reconsider(looks)
        else:
            doubtful = self._recall(record, looks) if record is not None else Bitfield.full(self.have.size)
        if PARTS in looks:
            self.files.set_aside(range(len(self._metainfo.files)))
            if self._rules.download:
                self.files.bring(self.lent.union(selection.wanted))
                looks = self.files.looks()
        self.files.set_aside(selection.skipped - self.lent)
        return doubtful, looks

    def _recall(self, record: Record, looks: dict[int, Look]) -> Bitfield:
        if record.root != self._root:  # what was going to be written is elsewhere: here nothing new is ours
            record = attrs.evolve(record, running=False)
        trust = Trust(record, self._metainfo.layout, self._metainfo.geometry.piece_length, self._run)
        trust.look(self._names, looks, parts=PARTS)
        if record.root == self._root:
            self.files.claims.add(trust.ours)
        if not self._trust:
            return Bitfield.full(self.have.size)
        self.have, self._safe = trust.have, record.safe
        return trust.doubtful

    def _claim(self, wanted: Iterable[int]) -> None:
        if self._rules.overwrite:
            self.files.claims.add(wanted)

    def _check_root(self) -> None:
        """The save path is made once. Where it has gone later, a disk has, and another is not to be filled instead."""
        root = self.files.root
        with translated(root):
            if self._rules.download and not self._known:
                root.mkdir(parents=True, exist_ok=True)
        if self._known and not root.is_dir():
            raise StorageError(f"{root}: is gone", number=errno.ENOENT)

    def _reconsider(self, looks: dict[int, Look]) -> Bitfield:
        """After a session: what others have changed, or the disk has failed to read or write."""
        doubtful = Bitfield(self.have.size)
        doubts = self._doubts | set(self.files.changed())
        if self.files.parted and PARTS not in looks:
            doubts.add(PARTS)
        for number, file in enumerate(self._metainfo.files):
            if file.length and not file.padding:
                suspect = number in doubts or (number in self.files.parted and PARTS in doubts)
                seen = looks.get(number)
                short = number not in self.files.parted and (seen is None or seen.size < file.length)
                if suspect or short:
                    anew = suspect and number not in self.files.parted  # the part file has nothing but what we had
                    for piece in self._pieces_of(number):
                        if self.have.discard(piece) or anew:
                            doubtful.add(piece)
        self._doubts.clear()
        return doubtful

    def _give_way(self, looks: dict[int, Look], selection: Selection) -> Bitfield:
        """What is in the places of files and not of the torrent stays there, and they are in the part file.

        StorageError if it is in the way of what is wanted. Returns the pieces that were looked for in the wrong place;
        `looks` are those of the torrent's files from now on.
        """
        files, own = self.files, self._pieces_of
        there = [number for number in looks if number != PARTS and number not in files.parted]
        verified = {number for number in there if any(piece in self.have for piece in own(number))}
        files.claims.add(verified)
        files.check_places([number for number in selection.wanted if number not in verified])
        occupied = files.occupied(selection.skipped).keys()
        ends = {piece for number in occupied - files.parted for piece in (*own(number)[:1], *own(number)[-1:])}
        self.lent -= occupied
        files.give_way(occupied)
        for number in files.parted:
            looks.pop(number, None)
        return Bitfield(self.have.size, ends if PARTS in looks else ()) - self.have

    def _pieces_of(self, number: int) -> range:
        return self._metainfo.layout.pieces_of(number, self._metainfo.geometry.piece_length)

    def _seal(self, looks: dict[int, Look]) -> None:
        """Remember how complete files looked before they were read, and what may have been written just now."""
        self.files.begin(looks)
        self._looks = looks
        unsafe = self.have - self._safe
        if unsafe.count and PARTS in looks:
            self.files.suspect([PARTS])
        for number, seen in looks.items():
            if number != PARTS:
                own = self._pieces_of(number)
                if any(piece in unsafe for piece in own):
                    self.files.suspect([number])
                if own and all(piece in self.have for piece in own):
                    self.files.seal(number, seen)

    async def verify(self, selection: Selection, tell: Callable[[int], None]) -> None:
        """Compare everything again. Cancelled, what was known before is still known."""
        doubts = set(self._doubts)
        self._doubts.update(range(len(self._metainfo.files)))
        self._trust = False
        try:
            await self.find(selection, tell)
        except BaseException:
            self._doubts = doubts
            raise

    async def change(self, change: Callable[[Callable[[], object]], None], tally: Tally) -> None:
        """Do something to the files that takes them elsewhere, and note it. It is told how to see if it is to stop."""
        await trio.to_thread.run_sync(change, trio.from_thread.check_cancelled)
        with trio.CancelScope(shield=True):  # they are elsewhere: too late for another thought
            await self.save(tally, running=False)

    # -- what is to come ---------------------------------------------------------------------------------------------

    async def prepare(self, selection: Selection) -> list[str]:
        """Make room for what is wanted. The paths of new files, with slashes: those that have no bytes."""
        files = self.files
        lacks = await self._workers.run(lambda: lacking(files, self._begun(selection)))
        await self._workers.run(partial(check_room, files, lacks))
        if self._rules.allocation == "full":
            self.allocated = 0
            for number in lacks:
                for start, length in steps(self._metainfo.files[number].length):
                    await self._alone(partial(files.reserve, number, start, length))
                    self.allocated += length
        return await self._alone(partial(files.create_empty, selection.wanted))

    async def _alone(self, job: Callable[[], T]) -> T:
        """Do what moves or makes files. Left behind, it would write over what the next session or a move has done."""
        with trio.CancelScope(shield=True):
            result = await self._workers.run(job)
        return result

    def _begun(self, selection: Selection) -> list[int]:
        """The wanted files that something is to be written to."""
        return [n for n in selection.wanted if any(p not in self.have for p in self._pieces_of(n))]

    async def want(self, selection: Selection) -> list[str]:
        """Some files are wanted now that were not: bring what there is of them to its place. As `prepare`.

        StorageError if something else is there, and then nothing has been moved.
        """
        await self._alone(partial(self._change_places, selection, selection.skipped - self.lent))
        return await self.prepare(selection)

    def _change_places(self, selection: Selection, unwanted: Set[int]) -> None:
        self._claim(selection.wanted)
        self.files.bring(selection.wanted)
        self.files.set_aside(unwanted)
        self.files.give_way(self.files.occupied(unwanted - self.files.parted))

    async def lend(self, files: Set[int]) -> dict[int, StorageError]:
        """Somebody reads these, of which any piece may come from now on: the part file has no place for that.

        Those that something else is in the place of are not lent; why not.
        """
        self._claim(files)
        refused = await self._workers.run(partial(self.files.occupied, files))
        self.lent |= files - refused.keys()
        await self._alone(partial(self.files.bring, frozenset(self.lent)))
        return refused

    def wrote(self, piece: int) -> None:
        """A piece is verified and in its files."""
        self.have.add(piece)
        self._changed.set()

    def there(self, start: int, most: int) -> int:
        """How many of `most` bytes from `start` of the address space are verified, before the first that is not."""
        length, end = self._metainfo.geometry.piece_length, start
        while end < start + most and end // length in self.have:
            end = (end // length + 1) * length
        return min(end - start, most)

    def doubt(self, error: StorageError) -> None:
        """What the error is about will have to be compared again."""
        if error.number not in (errno.ENOSPC, errno.EDQUOT):  # nothing that was there is the worse for these
            self._doubts.add(PARTS if error.file is None else error.file)

    # -- what is kept ------------------------------------------------------------------------------------------------

    async def keep(self, tally: Callable[[], Tally], complete: Callable[[], bool]) -> None:
        """Save a record whenever there is something new, until cancelled. The first one was saved before."""
        told, saved_at = tally(), trio.current_time()
        synced_at = saved_at
        while True:
            with trio.move_on_after(HEARTBEAT_SECONDS):
                await self._changed.wait()
                await trio.sleep_until(saved_at + SAVE_SECONDS)
            saved_at = trio.current_time()
            if saved_at >= synced_at + SYNC_SECONDS and self.have != self._safe:
                await self._sync()
                synced_at = trio.current_time()
                self._changed.set()
            if self._changed.is_set() or not complete() or tally() != told:
                self._changed, told = trio.Event(), tally()
                await self.save(told, running=not complete())

    async def save(self, tally: Tally, *, running: bool) -> None:
        """Save what is known now. StorageError if a file is not what it should be."""
        if self._records is None:
            await self._workers.run(self.files.written)
        elif self._known:
            have = Bitfield.from_bytes(bytes(self.have), self.have.size)
            await self._records.workers.run(partial(self._save, self._records, have, tally, running))

    def _save(self, records: Records, have: Bitfield, tally: Tally, running: bool) -> None:
        self._looks.update(self.files.written())
        names = self._names
        record = Record(
            root=self._root,
            have=have,
            safe=_both(self._safe, have),
            run=self._run,
            files={names[number]: seen for number, seen in self._looks.items()},
            saved=time.time_ns(),
            running=running,
            renamed=self._renamed,
            peers=tally.peers,
            downloaded=tally.downloaded,
            uploaded=tally.uploaded,
        )
        try:
            records.save(self._info_hash, record)
            self._complained = False
        except OSError as error:  # the download is worth more than the record of it
            if not self._complained:
                logger.warning("%s: no record can be kept: %s", self._metainfo.name, error)
            self._complained = True

    async def _sync(self) -> None:
        """What is known to be there now will be there without power."""
        if self._records is not None:
            have = Bitfield.from_bytes(bytes(self.have), self.have.size)
            await self._records.syncers.run(self.files.sync)
            self._safe = have

    async def settle(self) -> None:
        """A session is over: return when nothing is being written, or the disk is stuck."""
        with trio.move_on_after(SETTLE_SECONDS, shield=True):
            await self.store.settle()

    async def close(self, tally: Tally) -> None:
        """Save the last record, and close the files."""
        with trio.move_on_after(SETTLE_SECONDS, shield=True), suppress(StorageError):
            if self.keeps:
                if not self._run:  # then a record of what is not safe is worth nothing
                    await self._sync()
                await self.save(tally, running=False)
        self.files.close()

    async def forget(self, *, delete_files: bool) -> None:
        """Remove the record, and the files if they are not to stay. StorageError if that cannot be."""
        if self._records is not None:
            await self._records.workers.run(partial(self._records.forget, self._info_hash))
        if delete_files:
            await trio.to_thread.run_sync(remove, self.files)

    @property
    def _root(self) -> str:
        return str(self.files.root.absolute())

    @property
    def _run(self) -> str:
        return run_of(self._records.boot, self.files.root) if self._records is not None else ""

    @property
    def _info_hash(self) -> bytes:
        return self._metainfo.info_hashes.wire

    @property
    def _names(self) -> dict[int, str]:
        """What the record calls files: their paths in the torrent, which no renaming changes."""
        names = {number: "/".join(file.path) for number, file in enumerate(self._metainfo.files)}
        return {**names, PARTS: self.files.parts_name}

    @property
    def _renamed(self) -> dict[str, str]:
        files, paths = self._metainfo.files, self.files
        return {
            "/".join(files[number].path): paths.path(number).relative_to(paths.root).as_posix()
            for number in paths.renamed
        }


def _both(one: Bitfield, other: Bitfield) -> Bitfield:
    """What is in both."""
    return one - (one - other)


def is_safe(path: str) -> bool:
    """Whether a path from a record stays below the save path."""
    return not Path(path).is_absolute() and ".." not in Path(path).parts and "\0" not in path
