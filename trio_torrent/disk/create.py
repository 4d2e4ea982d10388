"""Making a torrent from files: read once, hashed on all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha1
from pathlib import Path

import attrs
import trio

from trio_torrent.errors import StorageError
from trio_torrent.metainfo.build import Draft, Version, draft
from trio_torrent.metainfo.infohash import V1_LENGTH
from trio_torrent.metainfo.merkle import DIGEST, piece_node

from .files import Files
from .scan import Found, changed, scan
from .sweep import sweep
from .workers import Workers

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are hashed. Padding is not counted."""


@attrs.frozen
class Hashes:
    """Of all pieces, as `Draft.to_bytes` takes them."""

    draft: Draft
    v1_hashes: bytes = attrs.field(repr=False)
    v2_layers: dict[int, bytes] = attrs.field(repr=False)


@attrs.frozen
class _Hashed:
    """Of one piece."""

    sha1: bytes  # empty in a pure v2 torrent
    node: bytes  # of its file's layer; empty in a pure v1 torrent
    file: int  # the one that its first byte is of
    size: int  # bytes that are of files, and not padding


async def hash_files(
    path: Path,
    workers: Workers,
    *,
    version: Version = "hybrid",
    piece_length: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Hashes:
    """Lay out and hash what is at `path`. Cancelled, it leaves when the pieces being hashed are done.

    Raises StorageError if something cannot be read or changes meanwhile, MetainfoError if it makes no torrent, and
    ValueError for a piece length that is none.
    """
    may_go_on = trio.from_thread.check_cancelled
    found, plan = await trio.to_thread.run_sync(_plan, path, version, piece_length, may_go_on)
    files = Files(path, plan.layout, _sources(plan, found))
    table = _Table(plan, progress)
    try:
        await sweep(plan.geometry, range(plan.geometry.pieces), workers, partial(_hash, plan, files), table.note)
    finally:
        files.close()
    await trio.to_thread.run_sync(_check_unchanged, found, may_go_on)
    return table.hashes()


def _plan(
    path: Path, version: Version, piece_length: int | None, may_go_on: Callable[[], object]
) -> tuple[list[Found], Draft]:
    name, found = scan(path, may_go_on)
    return found, draft(name, [each.entry for each in found], version=version, piece_length=piece_length)


def _sources(plan: Draft, found: Sequence[Found]) -> list[Path]:
    """Where each file of the layout is; padding is nowhere, and never read."""
    by_path = {tuple([name.encode() for name in each.entry.path or (plan.name,)]): each.source for each in found}
    nowhere = Path()
    return [by_path.get(file.raw_path, nowhere) for file in plan.layout.files]


def _check_unchanged(found: Sequence[Found], may_go_on: Callable[[], object]) -> None:
    for each in found:
        may_go_on()
        if changed(each):
            raise StorageError(f"{each.source}: changed while it was read; try again when nobody writes to it")


def _hash(plan: Draft, files: Files, piece: int, buffer: memoryview) -> _Hashed:
    start, data = plan.geometry.piece_start(piece), buffer[: plan.geometry.piece_size(piece)]
    files.read(start, data)
    digest = sha1(data).digest() if plan.version != "2" else b""
    if plan.version == "1":
        return _Hashed(digest, b"", 0, len(data))
    part = plan.layout.slices(start, len(data))[0]  # with v2, a piece is of one file, and what follows is padding
    length = plan.layout.files[part.file].length
    node = piece_node(data[: part.length], plan.geometry.piece_length, length)
    return _Hashed(digest, node, part.file, part.length)


class _Table:
    """Where the digests are put in order."""

    def __init__(self, plan: Draft, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._done = 0
        self._v1 = bytearray(plan.geometry.pieces * V1_LENGTH if plan.version != "2" else 0)
        self._layers: dict[int, bytearray] = {}

    def note(self, pieces: Sequence[int], found: list[_Hashed]) -> None:
        for piece, hashed in zip(pieces, found, strict=True):
            if hashed.sha1:
                self._v1[piece * V1_LENGTH : (piece + 1) * V1_LENGTH] = hashed.sha1
            if hashed.node:
                self._put_node(piece, hashed)
            self._done += hashed.size
        self._progress(self._done, self._plan.geometry.size)

    def _put_node(self, piece: int, hashed: _Hashed) -> None:
        own = self._plan.layout.pieces_of(hashed.file, self._plan.geometry.piece_length)
        if hashed.file not in self._layers:
            self._layers[hashed.file] = bytearray(len(own) * DIGEST)
        at = (piece - own.start) * DIGEST
        self._layers[hashed.file][at : at + DIGEST] = hashed.node

    def hashes(self) -> Hashes:
        layers = {number: bytes(layer) for number, layer in self._layers.items()}
        return Hashes(self._plan, bytes(self._v1), layers)
