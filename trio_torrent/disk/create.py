"""Making a torrent from files: read once, hashed on all cores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha1
from pathlib import Path

import attrs
import trio

from trio_torrent.errors import StorageError
from trio_torrent.metainfo.build import Draft, Version, draft
from trio_torrent.metainfo.files import File
from trio_torrent.metainfo.merkle import piece_node

from .files import Files
from .scan import changed, scan
from .workers import Workers

# Bytes that one job reads and hashes: enough that the hop to a thread does not show, little enough for steady progress.
JOB_BYTES = 4 << 20

# SHA-1 is fed in parts that stay in the processor's cache between being read and being hashed.
READ_BYTES = 256 << 10


@attrs.frozen
class Hashes:
    """Of all pieces, as `Draft.to_bytes` takes them."""

    draft: Draft
    v1_hashes: bytes = attrs.field(repr=False)
    v2_layers: dict[int, bytes] = attrs.field(repr=False)


@attrs.frozen
class _Hashed:
    """Of one job's pieces."""

    v1: bytes
    v2: list[tuple[int, bytes]]  # the number of a file, and a node of its layer


async def hash_files(
    path: Path,
    workers: Workers,
    *,
    version: Version = "hybrid",
    piece_length: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Hashes:
    """Lay out and hash what is at `path`. `progress` is told how many bytes of how many are done.

    Raises StorageError if something cannot be read or changes meanwhile, MetainfoError if it makes no torrent, and
    ValueError for a piece length that is none.
    """
    path, found = await trio.to_thread.run_sync(scan, path)
    name = path.name
    plan = draft(name, [each.entry for each in found], version=version, piece_length=piece_length)
    sources = {each.entry.path or (name,): each.source for each in found}
    paths = [sources.get(_below_root(file), path) for file in plan.layout.files]
    files = Files(path, plan.layout, paths)
    try:
        hashed = await _hash_all(plan, files, workers, progress)
    finally:
        files.close()
    for each in found:
        if changed(each):
            raise StorageError(f"{each.source}: changed while it was read")
    return _put_together(plan, hashed)


def _below_root(file: File) -> tuple[str, ...]:
    return tuple([component.decode() for component in file.raw_path])


async def _hash_all(plan: Draft, files: Files, workers: Workers, progress: Callable[[int, int], None]) -> list[_Hashed]:
    """In the order of the pieces."""
    jobs = _jobs(plan)
    hashed: dict[int, _Hashed] = {}
    done = 0

    def finished(place: int, part: _Hashed) -> None:
        nonlocal done
        hashed[place] = part
        done += sum(map(plan.geometry.piece_size, jobs[place]))
        progress(done, plan.geometry.span)

    await workers.run_all((partial(_hash_pieces, plan, files, job) for job in jobs), finished)
    return [hashed[place] for place in range(len(jobs))]


def _jobs(plan: Draft) -> list[range]:
    step = max(1, JOB_BYTES // plan.geometry.piece_length)
    return [range(plan.geometry.pieces)[first : first + step] for first in range(0, plan.geometry.pieces, step)]


def _hash_pieces(plan: Draft, files: Files, pieces: range) -> _Hashed:
    buffer = memoryview(bytearray(plan.geometry.piece_length))
    v1, v2 = bytearray(), []
    for piece in pieces:
        start, data = plan.geometry.piece_start(piece), buffer[: plan.geometry.piece_size(piece)]
        digest = sha1()
        for at in range(0, len(data), READ_BYTES):
            part = data[at : at + READ_BYTES]
            files.read(start + at, part)
            if plan.version != "2":
                digest.update(part)
        v1 += digest.digest()
        if plan.version != "1":
            v2 += _nodes(plan, start, data)
    return _Hashed(bytes(v1) if plan.version != "2" else b"", v2)


def _nodes(plan: Draft, start: int, data: memoryview) -> list[tuple[int, bytes]]:
    """A piece of v2 lies in one file; what follows it is padding."""
    part = plan.layout.slices(start, len(data))[0]
    length = plan.layout.files[part.file].length
    return [(part.file, piece_node(data[: part.length], plan.geometry.piece_length, length))]


def _put_together(plan: Draft, hashed: list[_Hashed]) -> Hashes:
    layers: dict[int, bytearray] = {}
    for number, node in (pair for part in hashed for pair in part.v2):
        layers.setdefault(number, bytearray()).extend(node)
    v1_hashes = b"".join(part.v1 for part in hashed)
    return Hashes(plan, v1_hashes, {number: bytes(layer) for number, layer in layers.items()})
