"""One torrent's bytes: blocks come in, verified pieces go to the files, blocks are read back for upload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha1, sha256

import attrs
import outcome
import trio

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.wire.messages import Request

from .answers import Answer
from .buffers import PieceBuffers
from .files import Files
from .hashes import HashReader
from .line import Line
from .workers import Workers

# What became of small pieces is told together, for so many bytes. Trio's thread must be woken each time; with pieces of
# 256 KiB that would be a twentieth of a download.
TOLD_TOGETHER = 2 << 20


@attrs.frozen
class Verdict:
    """What became of a piece: whether it is right (and then in its files), and its blocks' digests if asked for."""

    piece: int
    good: bool
    digests: tuple[bytes, ...]


class Store:
    """Buffers, files and threads for one torrent. For trio's thread, but for `read`."""

    def __init__(self, metainfo: Metainfo, files: Files, workers: Workers) -> None:
        self.files = files
        self.workers = workers
        self._metainfo = metainfo
        self.hashes: HashReader = HashReader(metainfo, files)
        self._buffers = PieceBuffers(metainfo.geometry.piece_length)
        self._writing = Line()  # of pieces, to whichever file: they are written at the speed of memory, or of the disk
        self._verifying = 0
        self._idle = trio.Event()
        self._idle.set()

    def complete(self, metainfo: Metainfo) -> None:
        """The same torrent, with piece layers that it lacked."""
        self._metainfo = metainfo
        self.hashes = HashReader(metainfo, self.files)

    # -- in ----------------------------------------------------------------------------------------------------------

    def place(self, request: Request) -> memoryview:
        """Where a block belongs, in its piece's buffer."""
        return self._buffers.place(request)

    def keep(self, piece: int, offset: int, data: bytes | memoryview) -> None:
        """Copy a block to where it belongs."""
        self._buffers.place(Request(piece, offset, len(data)))[:] = data

    def discard(self, piece: int) -> None:
        """Forget what came of a piece."""
        self._buffers.discard(piece)

    def verify(self, piece: int, *, digests: bool, done: Callable[[outcome.Outcome[Verdict]], None]) -> None:
        """Compare the piece with the torrent, and write it if it is right, in a thread; then call `done`.

        The outcome is an error only for a StorageError: the piece was right, and could not be written.
        """
        buffer = self._buffers.take(piece)
        self._verifying += 1
        self._idle = trio.Event() if self._verifying == 1 else self._idle

        def finished(result: outcome.Outcome[Verdict]) -> None:
            self._buffers.give_back(buffer)
            self._verifying -= 1
            if not self._verifying:
                self._idle.set()
            done(result)

        self.workers.submit_in_two(
            partial(self._compare, piece, buffer, digests=digests),
            self._writing,
            partial(self._write, buffer),
            finished,
            together=TOLD_TOGETHER // self._metainfo.geometry.piece_length,
        )

    async def settle(self) -> None:
        """Return when nothing is being written any more. What came of pieces that are not whole is forgotten."""
        self._buffers.clear()
        await self._idle.wait()

    def _compare(self, piece: int, buffer: memoryview, *, digests: bool) -> Verdict:
        geometry = self._metainfo.geometry
        data = buffer[: geometry.piece_size(piece)]
        content = geometry.content_size(piece)
        data[content:] = bytes(len(data) - content)  # padding was not asked for, and what came of it counts for nothing
        good = self._metainfo.piece_matches(piece, data)
        return Verdict(piece, good, self._digests(data[:content]) if digests or not good else ())

    def _write(self, buffer: memoryview, verdict: Verdict) -> Verdict:
        if verdict.good:
            geometry = self._metainfo.geometry
            self.files.write(geometry.piece_start(verdict.piece), buffer[: geometry.piece_size(verdict.piece)])
        return verdict

    def _digests(self, data: memoryview) -> tuple[bytes, ...]:
        """One for each block that was asked for: its leaf in the file's tree (BEP 52), or its SHA-1."""
        digest = sha256 if self._metainfo.has_v2 else sha1
        blocks = range(0, len(data), BLOCK_SIZE)
        return tuple([digest(data[at : at + BLOCK_SIZE]).digest() for at in blocks])

    # -- out ---------------------------------------------------------------------------------------------------------

    def answer(self, requests: Sequence[Request]) -> Answer:
        """What is to be sent to who asks for these blocks, once they have been read."""
        return Answer.to(requests, self._metainfo.geometry, self.files)

    def read(self, start: int, length: int) -> bytes:
        """So many bytes from `start` of the address space. For any thread; raises as `Answer.fill`."""
        data = bytearray(length)
        self.files.read(start, memoryview(data))
        self.files.assure(start, length)
        return bytes(data)

    def close(self) -> None:
        """Close the files, when all jobs are done."""
        self.files.close()
