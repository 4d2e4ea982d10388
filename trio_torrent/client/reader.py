"""A file of a torrent, to be read while it is downloaded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs
import trio

from trio_torrent.errors import StorageError
from trio_torrent.swarm.rates import Meter
from trio_torrent.swarm.readahead import read_ahead

from .known import Known
from .reading import Reading

# Bytes that one call returns at most, unless it is told otherwise, and whatever it is told: a hop to a thread costs as
# much as copying 256 KiB, and this is all the memory that a reader costs.
USUAL_READ = 64 << 10
MOST_READ = 1 << 20

# What a reader needs is told again when it is so far on, or at the next piece if that is farther: it costs a look at
# every peer, and the rate changes little in between.
TOLD_EVERY = 256 << 10


@attrs.frozen
class Extent:
    """Where a file is in the torrent's address space, in bytes."""

    file: int  # its number in the torrent's layout
    path: str
    start: int
    size: int
    piece_length: int


class FileReader(trio.abc.ReceiveStream):
    """One file, from its first byte on: made by `TorrentFile.open`, to be closed when it is not needed.

    What is read is verified. What is not there yet is waited for, and fetched before everything else, also of a file
    that is not wanted; so is what follows, as far ahead as is read in a few seconds. Of a paused torrent only what is
    there can be read; while it is verified or moved, or the disk has failed, reading waits.

    For one task at a time; another gets `trio.BusyResourceError`. After `aclose` it is `trio.ClosedResourceError`, also
    for a task that waits. Cancelled, a call has changed nothing.
    """

    def __init__(self, extent: Extent, reading: Reading, lacks: Callable[[], bool]) -> None:
        self._extent = extent
        self._reading = reading
        self._lacks = lacks
        self._at = 0
        self._told = range(0)  # from where to where what is needed has been told
        self._meter = Meter(trio.current_time())
        self._busy = self._closed = False

    @classmethod
    def of(cls, known: Known, reading: Reading, file: int) -> FileReader:
        """Of a torrent's file, by its number in the torrent's layout."""
        read = known.metainfo.files[file]
        extent = Extent(file, "/".join(read.path), read.offset, read.length, known.metainfo.geometry.piece_length)
        return cls(extent, reading, lambda: known.progress.file_done[file] < read.length)

    def __repr__(self) -> str:
        return f"<FileReader {self._extent.path!r} at {self._at} of {self.size}>"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._extent.size

    @property
    def file(self) -> int:
        """The file's number in the torrent's layout."""
        return self._extent.file

    @property
    def lacks(self) -> bool:
        """Something of the file is not there yet."""
        return self._lacks()

    def tell(self) -> int:
        """Bytes from the start of the file to what is read next."""
        return self._at

    async def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read on from there, as with any file: `offset` bytes from its start, from here or from its end.

        Returns what `tell` does from now on. Past the end there is nothing to read. ValueError before the start.
        """
        with self._alone():
            self._at = self._target(offset, whence)
            self._tell_needs()
            await trio.lowlevel.checkpoint()
            return self._at

    def _target(self, offset: int, whence: int) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}.get(whence)
        if base is None:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        if base + offset < 0:
            raise ValueError(f"{self._extent.path}: there is nothing {-base - offset} bytes before its start")
        return base + offset

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What comes next, as soon as it is there: at least a byte, at most `max_bytes` or 1 MiB; b"" at the end.

        Raises StoppedError if the torrent was stopped or removed or its client closed, or what else made it fail;
        StorageError if it would have to be fetched and another file is in the way, until that is moved away;
        ValueError for `max_bytes` below 1.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        most = min(MOST_READ, USUAL_READ if max_bytes is None else max_bytes, self.size - self._at)
        with self._alone():
            await trio.lowlevel.checkpoint_if_cancelled()
            if most <= 0:
                await trio.lowlevel.cancel_shielded_checkpoint()
                return b""
            self._tell_needs()
            data = await self._read(self._extent.start + self._at, most)
            self._at += len(data)
            self._meter.add(len(data), trio.current_time())
            return data

    async def aclose(self) -> None:
        """Nothing is fetched for it any more."""
        self._closed = True
        self._reading.leave(self)
        self._reading.wake()  # who waits in `receive_some`
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> FileReader:
        """From here on, the start of the file is fetched."""
        self._tell_needs()
        return self

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._check_open()
        if self._busy:
            raise trio.BusyResourceError(f"{self._extent.path}: another task is reading here")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError(f"{self._extent.path}: this reader was closed")

    def _tell_needs(self) -> None:
        """Have fetched what is needed from here on, if that is not what was told last."""
        extent, now = self._extent, trio.current_time()
        start, end = extent.start + self._at, extent.start + extent.size
        if not self._closed and start not in self._told:
            self._told = range(start, start + max(TOLD_EVERY, extent.piece_length))
            self._reading.need(self, read_ahead(extent.piece_length, start, end, self._meter.rate(now), now))

    async def _read(self, start: int, most: int) -> bytes:
        while True:
            data = None
            if length := self._reading.there(start, most):
                data = await self._reading.fetch(start, length)
            else:
                await self._wait()
            self._check_open()
            if data is not None:
                return data

    async def _wait(self) -> None:
        try:
            await self._reading.wait(self)
        except StorageError:
            self._told = range(0)  # the next call asks again
            raise
