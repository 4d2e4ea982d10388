"""`Metainfo` as programs know it: the pure one, and its ways from and to the disk."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs
import trio

from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.check import check
from trio_torrent.disk.files import Files
from trio_torrent.disk.parts import Parts
from trio_torrent.disk.workers import Workers, open_workers
from trio_torrent.errors import MetainfoError, TorrentError
from trio_torrent.metainfo import torrent
from trio_torrent.version import __version__

from .settings import default_threads

if TYPE_CHECKING:
    from trio_torrent.metainfo.build import Version
    from trio_torrent.net.http_tracker import Getter

# Bytes of a torrent that is made here: it may be read back, although others refuse more than 10 MiB.
MAX_MADE = 256 << 20

FETCH_SECONDS = 60.0  # for a .torrent by URL, start to end

CREATED_BY = f"trio-torrent/{__version__}"

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""


def _quiet(done: int, total: int) -> None:
    """Nobody wants to know."""


@attrs.frozen
class FileVerified:
    """How much of a file is right."""

    path: str  # from the save path, with slashes
    length: int  # bytes
    good_bytes: int  # in pieces that are right; with v2, pieces hold one file each, so this is exact to the piece
    complete: bool


@attrs.frozen
class Verified:
    """What is there of a torrent. Every piece is good, bad (there, and wrong) or missing."""

    good: int
    bad: int
    missing: int
    files: tuple[FileVerified, ...]

    @property
    def complete(self) -> bool:
        """Every piece is good."""
        return not self.bad and not self.missing


class Metainfo(torrent.Metainfo):
    """A torrent: its info dictionary, where to find peers, and remarks.

    `from_bytes`, `from_file` and `create` make one; `to_bytes` gives back the .torrent file byte for byte.
    """

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read a .torrent file. OSError if it cannot be read, MetainfoError if it cannot be used."""
        with open(path, "rb") as file:
            return cls.from_bytes(file.read(torrent.MAX_TORRENT_SIZE + 1))

    @classmethod
    async def fetch(cls, url: str, *, http: Getter | None = None, proxy: str | None = None) -> Self:
        """Get a .torrent by its http or https URL, with `http` or else by way of a proxy as in `Settings`.

        TrackerError if that fails, MetainfoError if it cannot be used.
        """
        # httpx takes a tenth of a second that a file does not need.
        from trio_torrent.net.http import make_http
        from trio_torrent.net.proxy import Proxy
        from trio_torrent.net.reach import Local

        if http is None:
            http = make_http(user_agent=CREATED_BY, proxy=Proxy.parse(proxy) if proxy else None)
        # Whoever calls this wants this very URL, so it may be on this machine.
        body = await http.get(url, limit=torrent.MAX_TORRENT_SIZE, seconds=FETCH_SECONDS, local=Local.ALWAYS)
        return cls.from_bytes(body)

    @classmethod
    async def create(
        cls,
        path: str | os.PathLike[str],
        *,
        version: Version = "hybrid",
        piece_length: int | None = None,
        trackers: Sequence[Sequence[str]] = (),
        web_seeds: Sequence[str] = (),
        private: bool = False,
        comment: str = "",
        source: str = "",
        created_by: str = CREATED_BY,
        creation_date: int | None = None,
        threads: int | None = None,
        progress: Progress = _quiet,
    ) -> Self:
        """Make the torrent of a file or a folder, hashing on all cores. The same input gives the same bytes.

        `version` is "1", "2" or "hybrid"; `piece_length` is bytes, a power of two from 16 KiB, None to choose by size;
        `trackers` are tiers of announce URLs (BEP 12); `creation_date` is seconds since 1970, None for none;
        `progress` is told how many bytes of how many are hashed. Cancelling it leaves nothing behind.

        Raises StorageError if something cannot be read or changes meanwhile, MetainfoError if it makes no torrent,
        ValueError for a bad piece length. What is shared, and what becomes of symbolic links, is said in `disk.scan`.
        """
        from trio_torrent.disk.create import hash_files  # here: most torrents were made by somebody else

        async with _workers(threads) as workers:
            hashes = await hash_files(
                Path(path), workers, version=version, piece_length=piece_length, progress=progress
            )
        encode = partial(
            hashes.draft.to_bytes,
            v1_hashes=hashes.v1_hashes,
            v2_layers=hashes.v2_layers,
            private=private,
            source=source,
            trackers=trackers,
            web_seeds=web_seeds,
            comment=comment,
            created_by=created_by,
            creation_date=creation_date,
        )
        # With a hundred thousand files it takes a second or two.
        return await trio.to_thread.run_sync(lambda: cls.from_bytes(encode(), max_size=MAX_MADE))

    async def verify(
        self, save_path: str | os.PathLike[str], *, threads: int | None = None, progress: Progress = _quiet
    ) -> Verified:
        """Compare the files under `save_path` with the torrent, on all cores; nothing is written.

        `progress` is told how many pieces of how many were looked at. Raises MetainfoError for a pure v2 torrent
        without its piece layers, which cannot be compared.
        """
        self.check_comparable()
        pieces = self.geometry.pieces
        files = Files(Path(save_path), self.layout, parts=Parts(self))
        try:
            async with _workers(threads) as workers:
                if await workers.run(files.parts_path.exists):
                    await workers.run(partial(files.set_aside, range(len(self.files))))
                findings = await check(self, files, workers, lambda done: progress(done, pieces))
        finally:
            files.close()
        good, missing = findings.good.count, findings.missing.count
        files_found = await trio.to_thread.run_sync(self._file_by_file, findings.good)
        return Verified(good, pieces - good - missing, missing, files_found)

    def check_comparable(self) -> None:
        """Raise MetainfoError for a pure v2 torrent without its piece layers: no piece can be compared with it."""
        if self.missing_layers and not self.has_v1:
            raise MetainfoError("piece layers is missing, and there is nothing to compare with")

    def _file_by_file(self, good: Bitfield) -> tuple[FileVerified, ...]:
        good_bytes = [0] * len(self.files)
        for piece in good:
            for part in self.layout.slices(self.geometry.piece_start(piece), self.geometry.piece_size(piece)):
                good_bytes[part.file] += part.length
        return tuple(
            [
                FileVerified("/".join(file.path), file.length, count, count == file.length)
                for file, count in zip(self.files, good_bytes, strict=True)
                if not file.padding and not file.symlink
            ]
        )


@asynccontextmanager
async def _workers(threads: int | None) -> AsyncIterator[Workers]:
    """Workers for one task. What it raises on purpose comes out as itself, not in a nursery's group."""
    failure: TorrentError | ValueError | None = None
    async with open_workers(threads or default_threads()) as workers:
        try:
            yield workers
        except (TorrentError, ValueError) as error:
            failure = error
    if failure is not None:
        raise failure
