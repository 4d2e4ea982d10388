"""A torrent's files as one address space.

Any thread may read and write. Files that are not wanted are not created: what comes of their bytes with wanted pieces
is in the part file (`parts`), until they are wanted and it moves to where it belongs. What somebody else has put in
the place of a file is not written over (`claims`), whoever wants the file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from trio_torrent.errors import ChangedError, StorageError
from trio_torrent.metainfo.files import FileLayout, FileSlice

from .claims import Claims
from .failures import in_words, translated
from .glance import Glance, Run, clear
from .look import Look, look
from .opened import Opened
from .parts import Parts
from .positioned import BINARY, CLOSE_ON_EXEC, read_all, sync, write_all
from .scatter import scattered
from .survey import survey
from .watch import Watch

PARTS = -1  # stands for the part file, where a file's number is asked for


class Files:
    """The files of `layout` under `root`, or where `paths` has them. Failures are StorageErrors that name the file.

    Folders below `root` are made as they are needed, but not `root` itself: where it is missing, a disk may be.
    """

    def __init__(
        self,
        root: Path,
        layout: FileLayout,
        paths: Sequence[Path] | None = None,
        *,
        parts: Parts | None = None,
    ) -> None:
        self.root: Path = root
        self.layout = layout
        self.parted: set[int] = set()  # files whose bytes are in the part file
        self.renamed: dict[int, Path] = {}  # files that have other paths than in the torrent
        self.claims: Claims = Claims(layout)
        self._paths = paths
        self._parts = parts
        self._opened = Opened(self._open)
        self._state = threading.Condition()  # for what follows
        self._writing: list[int] = []  # files that threads write to, and perhaps are about to make
        self._in_parts = 0  # threads that use the part file
        self._moving = False  # bytes are being moved out of it
        self._watch = Watch()

    def path(self, file: int) -> Path:
        """Where a file is, or `PARTS`."""
        if file == PARTS:
            return self.parts_path
        if self._paths is not None:
            return self._paths[file]
        return self.renamed.get(file) or self.root.joinpath(*self.layout.files[file].path)

    @property
    def parts_path(self) -> Path:
        """Where the part file is, if there is one."""
        return self.root / self.parts_name

    @property
    def parts_name(self) -> str:
        """What the part file is called; empty if there is none."""
        return self._parts.name if self._parts is not None else ""

    def relocate(self, root: Path) -> None:
        """The files are below another folder now."""
        self.renamed = {file: root / path.relative_to(self.root) for file, path in self.renamed.items()}
        self.root = root

    def rename(self, file: int, path: Path) -> None:
        """A file has another path now."""
        self.renamed[file] = path

    # -- bytes -------------------------------------------------------------------------------------------------------

    def write(self, start: int, data: memoryview) -> None:
        """Write at `start` of the address space. What falls on padding is nobody's."""
        at = 0
        for part in self.layout.slices(start, len(data)):
            if not self.layout.files[part.file].padding:
                with self._place(part, writable=True) as (descriptor, offset):
                    write_all(descriptor, data[at : at + part.length], offset)
            at += part.length

    def read(self, start: int, buffer: memoryview) -> None:
        """Fill the buffer from `start` of the address space. ChangedError if a file is too short."""
        self.fill(start, [buffer])

    def fill(self, start: int, buffers: Sequence[memoryview]) -> None:
        """As `read`, one buffer after the other."""
        for part, into in scattered(self.layout.slices(start, sum(map(len, buffers))), buffers):
            if self.layout.files[part.file].padding:
                clear(into)
            else:
                with self._place(part, writable=False) as (descriptor, offset):
                    if not read_all(descriptor, into, offset):
                        raise ChangedError(f"{self.path(part.file)}: shorter than it was", file=part.file)

    def fill_at_once(self, runs: Iterable[Run]) -> bool:
        """As `fill` for each, and then `assure`, if that means no waiting; False if it would, or if all is not well."""
        with suppress(OSError), self._opened.at_once() as opened:
            return Glance(self.layout, self.parted, self._watch.sealed, opened).fill(runs)
        return False

    @contextmanager
    def _place(self, part: FileSlice, *, writable: bool) -> Iterator[tuple[int, int]]:
        """The descriptor and the offset where a slice is."""
        file, parts = part.file, self._parts
        with self._state:
            while self._moving and file in self.parted:
                self._state.wait()
            parted = file in self.parted and parts is not None
            self._in_parts += parted
            if writable and not parted:
                self._writing.append(file)
        try:
            with self._using(PARTS if parted else file, writable=writable) as descriptor:
                try:
                    yield descriptor, parts.place(file, part.offset) if parted and parts else part.offset
                finally:
                    if writable:
                        self._watch.leave(PARTS if parted else file, Look.of(os.fstat(descriptor)))
        finally:
            with self._state:
                if parted:
                    self._in_parts -= 1
                    self._state.notify_all()
                elif writable:
                    self._writing.remove(file)

    def reserve(self, file: int, offset: int, length: int) -> None:
        """Have the disk set aside what these bytes of a file will need."""
        with self._using(file, writable=True) as descriptor:
            os.posix_fallocate(descriptor, offset, length)
            self._watch.leave(file, Look.of(os.fstat(descriptor)))

    # -- which files there are ---------------------------------------------------------------------------------------

    def create_empty(self, wanted: Iterable[int] | None = None) -> list[str]:
        """Make the files without bytes, which no piece would ever bring; the paths of the new ones, with slashes."""
        numbers = range(len(self.layout.files)) if wanted is None else wanted
        files = ((number, self.layout.files[number]) for number in numbers)
        empty = {number: None for number, file in files if not (file.length or file.padding or file.symlink)}
        for number, _ in self.there([*empty]):
            del empty[number]
        for number in empty:
            with self._using(number, writable=True):
                pass
        return ["/".join(self.layout.files[number].path) for number in empty]

    def set_aside(self, unwanted: Iterable[int]) -> None:
        """From now on, bytes of these files go to the part file, but for those files that are there anyway."""
        if self._parts is not None:
            aside = {number for number in unwanted if self.layout.files[number].length}
            with self._state:
                aside.difference_update(self._writing)
                self.parted |= aside.difference(number for number, _ in self.there(aside))

    def give_way(self, occupied: Iterable[int]) -> None:
        """From now on, bytes of these files go to the part file, since something else is in their places."""
        if self._parts is not None:
            with self._state:
                self.parted.update(occupied)

    def occupied(self, numbers: Iterable[int]) -> dict[int, StorageError]:
        """Those of these files that cannot be written because something else is in their places, and why not."""
        refused, found = self.claims.refusal, survey(self._places(numbers))
        return {number: error for number, path, seen in found if (error := refused(number, path, seen)) is not None}

    def check_places(self, numbers: Iterable[int]) -> None:
        """StorageError if one of these files is `occupied`."""
        for error in self.occupied(numbers).values():
            raise error

    def bring(self, wanted: Iterable[int]) -> None:
        """These files are wanted: move what the part file has of them to where it belongs.

        StorageError if something else is there, and then nothing has been moved.
        Others who need them wait meanwhile. Whatever interrupts it, nothing is taken from the part file before it is
        safe in its place; a file that was begun is told from others by its look.
        """
        numbers = sorted(self.parted & set(wanted))
        self.check_places(numbers)
        with self._state:
            self._moving = True
            while self._in_parts:
                self._state.wait()
        try:
            if self._parts is not None and self.parts_path.exists():
                for number in numbers:
                    self._bring(self._parts, number)
            self.parted -= set(numbers)
            if not self.parted:
                self._remove_parts()
        finally:
            with self._state:
                self._moving = False
                self._state.notify_all()

    def _bring(self, parts: Parts, file: int) -> None:
        for offset, length in parts.runs(file):
            buffer = memoryview(bytearray(length))
            with self._using(PARTS, writable=False) as descriptor:
                if not read_all(descriptor, [buffer], parts.place(file, offset)):
                    continue  # nothing has come of these
            with self._using(file, writable=True) as descriptor:
                write_all(descriptor, buffer, offset)
                sync(descriptor)
                self._watch.leave(file, Look.of(os.fstat(descriptor)))

    def _remove_parts(self) -> None:
        if self._parts is not None:
            self._opened.drop()
            self._watch.forget(PARTS)
            with translated(self.parts_path):
                self.parts_path.unlink(missing_ok=True)

    # -- what others do to them --------------------------------------------------------------------------------------

    def looks(self) -> dict[int, Look]:
        """How those files look that are there, `PARTS` included."""
        numbers = [number for number, file in enumerate(self.layout.files) if not (file.padding or file.symlink)]
        if self._parts is not None:
            numbers.append(PARTS)
        return {number: Look.of(status) for number, status in self.there(numbers)}

    def there(self, numbers: Iterable[int]) -> Iterator[tuple[int, os.stat_result]]:
        """Those of these files that are there, and what the system says of them."""
        return ((number, status) for number, _, status in survey(self._places(numbers)) if status is not None)

    def _places(self, numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
        return ((number, self._text(number)) for number in numbers)

    def owned(self) -> list[int]:
        """The numbers of those that are there and the torrent's, `PARTS` included."""
        there = self.looks()
        others = self.occupied(number for number in there if number != PARTS)
        return [number for number in there if number not in others]

    def _text(self, file: int) -> str:
        """The path as text, for when a hundred thousand are needed: making as many Paths takes two seconds."""
        if file == PARTS or file in self.renamed or self._paths is not None:
            return str(self.path(file))
        return os.sep.join((str(self.root).rstrip(os.sep), *self.layout.files[file].path))

    def seal(self, file: int, seen: Look | None = None) -> None:
        """Nothing more will be written to a file, so whoever does so is a stranger. ChangedError if it is gone.

        `seen` is how it looked before its bytes were compared, if that was later than they were written. If they were
        written, it is known how they were left: no disk is asked, and the event loop can do it.
        """
        self._watch.seal(file, seen or self._watch.left(file) or self._look_at(file))

    def begin(self, there: Mapping[int, Look]) -> None:
        """A session begins, and finds these files: whatever was open, sealed or unsynced before is looked at anew."""
        self._opened.drop()
        self._watch.begin({number: seen for number, seen in there.items() if number != PARTS}, there)

    def assure(self, start: int, length: int) -> None:
        """Raise ChangedError if a file that is sealed, and has some of these bytes, is not what it was."""
        for part in self.layout.slices(start, length):
            if (sealed := self._watch.sealed(part.file)) is not None:
                with self._using(part.file, writable=False) as descriptor:
                    seen = Look.of(os.fstat(descriptor))
                if seen != sealed:
                    raise ChangedError(f"{self.path(part.file)}: somebody has written to it", file=part.file)

    def changed(self) -> list[int]:
        """Those files that are not what we left, whether sealed or still to be written."""
        known = self._watch.known()
        return [number for number, seen in known.items() if look(self._text(number)) != seen]

    def suspect(self, numbers: Iterable[int]) -> None:
        """These may have been written a moment ago: the next `written` and `sync` are for them, too."""
        self._watch.suspect(numbers)

    def written(self) -> dict[int, Look]:
        """How those files were left that were written since the last call. ChangedError if one of them is gone."""
        fresh = self._watch.take_fresh()
        try:
            return {number: self._as_left(number) for number in sorted(fresh)}
        except StorageError:
            self.suspect(fresh)
            raise

    def _as_left(self, file: int) -> Look:
        """One that looks so at its path is the one that was written; of any other it takes more to say."""
        sealed = self._watch.sealed(file)
        left = sealed or self._watch.left(file)
        if left is not None and look(self._text(file)) == left:
            return left
        seen = self._look_at(file)
        return sealed or seen  # not as a stranger has left it

    def sync(self) -> None:
        """Return when what was written would survive a power cut. StorageError if that cannot be."""
        unsynced = self._watch.take_unsynced()
        try:
            for number in sorted(unsynced):
                with self._using(number, writable=False) as descriptor:
                    sync(descriptor)
        except StorageError:
            self.suspect(unsynced)
            raise

    def _look_at(self, file: int) -> Look:
        with self._using(file, writable=False) as descriptor:
            return self._look(file, descriptor)

    def _look(self, file: int, descriptor: int) -> Look:
        status = os.fstat(descriptor)
        if not os.path.samestat(status, self.path(file).stat()):
            raise ChangedError(f"{self.path(file)}: replaced by another file", file=file)
        return Look.of(status)

    # -- descriptors -------------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close all files until they are needed again."""
        self._opened.drop()

    def close(self) -> None:
        """Close all files, for good; one that a thread is using is closed when that is done."""
        self._opened.close()

    @contextmanager
    def _using(self, file: int, *, writable: bool) -> Iterator[int]:
        try:
            with self._opened.using(file, writable=writable) as descriptor:
                yield descriptor
        except (OSError, ValueError) as error:
            raise in_words(error, self._text(file), file if file != PARTS else None) from error

    def _open(self, file: int, writable: bool) -> int:
        path, flags = self._text(file), BINARY | CLOSE_ON_EXEC
        if not writable:
            return os.open(path, flags | os.O_RDONLY)
        flags |= os.O_RDWR | os.O_CREAT
        if file == PARTS:
            return os.open(path, flags, 0o666)
        try:
            descriptor, is_new = self._create(file, path, flags), True
        except FileExistsError:
            descriptor, is_new = os.open(path, flags, 0o666), False
        try:
            self._claim(file, path, descriptor, is_new=is_new)
        except (OSError, StorageError):
            os.close(descriptor)
            raise
        return descriptor

    def _create(self, file: int, path: str, flags: int) -> int:
        flags |= os.O_EXCL
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            self._make_folders(self.path(file))
            return os.open(path, flags, 0o666)

    def _claim(self, file: int, path: str, descriptor: int, *, is_new: bool) -> None:
        """What was opened to be written has its whole length from now on, if it is the torrent's."""
        size = 0
        if not is_new:
            status = os.fstat(descriptor)
            size = status.st_size
            if (refusal := self.claims.refusal(file, path, status)) is not None:
                raise refusal
        if size < self.layout.files[file].length:
            os.ftruncate(descriptor, self.layout.files[file].length)
        self.claims.add([file])

    def _make_folders(self, path: Path) -> None:
        """Those between the root and the file."""
        missing = []
        for folder in path.parents:
            if folder == self.root or folder.exists():
                break
            missing.append(folder)
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
