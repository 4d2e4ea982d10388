"""The folder where records are kept: each is replaced whole or not at all, and the one before it stays beside it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .atomic import replace
from .files import translated
from .record import Record
from .workers import Workers

# Bytes of a record that are read: one of a torrent with a hundred thousand files in deep folders has a fifth of it.
MAX_SIZE = 128 << 20

SUFFIX = ".resume"
BEFORE = ".resume.before"  # the generation before the last


class Records:
    """By info-hash. `boot` is the run of the machine, as of `boot_id`.

    `workers` is one thread for those who save: whoever is cancelled leaves a job behind that is still done, and two of
    them at once would take each other's files away. `syncers` is another, for a disk that is slow to sync data must
    hold up neither records nor others' reads.
    """

    def __init__(self, folder: Path, workers: Workers, syncers: Workers, boot: str) -> None:
        self.workers = workers
        self.syncers = syncers
        self.boot = boot
        self._folder = folder

    def load(self, info_hash: bytes, pieces: int) -> Record | None:
        """The newest that can be read; None if there is none."""
        for suffix in (SUFFIX, BEFORE):
            with suppress(OSError, ValueError), self._path(info_hash, suffix).open("rb") as file:
                return Record.from_bytes(file.read(MAX_SIZE + 1), pieces)
        return None

    def save(self, info_hash: bytes, record: Record) -> None:
        """Replace the torrent's record, for good: also without power. OSError if it cannot be."""
        path = self._path(info_hash, SUFFIX)
        replace(path, record.to_bytes(), before=self._path(info_hash, BEFORE))

    def forget(self, info_hash: bytes) -> None:
        """Remove what there is of a torrent. StorageError if that cannot be."""
        for suffix in (SUFFIX, BEFORE):
            path = self._path(info_hash, suffix)
            with translated(path):
                path.unlink(missing_ok=True)

    def _path(self, info_hash: bytes, suffix: str) -> Path:
        return self._folder / (info_hash.hex() + suffix)
