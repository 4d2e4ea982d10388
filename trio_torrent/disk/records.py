"""The folder where records are kept: each is replaced whole or not at all, and the one before it stays beside it."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha1
from pathlib import Path

import attrs

from .atomic import clean, replace
from .failures import translated
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
        self._said: dict[bytes, bytes] = {}  # by info-hash: the essence of what is kept
        self._clean = False  # nothing is left of programs that were killed

    def load(self, info_hash: bytes, pieces: int) -> Record | None:
        """The newest that can be read; None if there is none."""
        for suffix in (SUFFIX, BEFORE):
            with suppress(OSError, ValueError), self._path(info_hash, suffix).open("rb") as file:
                data = file.read(MAX_SIZE + 1)
                record = Record.from_bytes(data, pieces)
                if suffix == SUFFIX:
                    self._said[info_hash] = _essence(record, data)
                return record
        return None

    def save(self, info_hash: bytes, record: Record) -> None:
        """Replace the torrent's record, for good: also without power. OSError if it cannot be.

        Nothing is done if the one that is there says the same: of a thousand torrents that begin or end together, most
        have nothing new, and each would wait for the disk twice.
        """
        if not self._clean:
            clean(self._folder)
            self._clean = True
        path, data = self._path(info_hash, SUFFIX), record.to_bytes()
        essence = _essence(record, data)
        if self._said.get(info_hash) == essence and path.exists():
            return
        self._said.pop(info_hash, None)  # nobody knows, if it fails half-way
        replace(path, data, before=self._path(info_hash, BEFORE))
        self._said[info_hash] = essence

    def forget(self, info_hash: bytes) -> None:
        """Remove what there is of a torrent. StorageError if that cannot be."""
        self._said.pop(info_hash, None)
        for suffix in (SUFFIX, BEFORE):
            path = self._path(info_hash, suffix)
            with translated(path):
                path.unlink(missing_ok=True)

    def _path(self, info_hash: bytes, suffix: str) -> Path:
        return self._folder / (info_hash.hex() + suffix)


def _essence(record: Record, data: bytes) -> bytes:
    """Of two records with the same, one is as good as the other: when it was saved counts for who still writes only."""
    return sha1(data if record.running else attrs.evolve(record, saved=0).to_bytes()).digest()
