"""What is there already: every piece read and compared, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import trio

from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import StorageError
from trio_torrent.metainfo.torrent import Metainfo

from .files import Files
from .workers import Workers

# Bytes that one job reads and hashes: enough that a hop to a thread does not show, little enough for steady progress.
JOB_BYTES = 4 << 20


async def check(
    metainfo: Metainfo, files: Files, workers: Workers, progress: Callable[[int], None] = lambda checked: None
) -> Bitfield:
    """The pieces that are in the files and right. `progress` is told how many pieces were looked at.

    A file that is missing costs nothing; one that cannot be read counts as missing what it holds.
    """
    have = Bitfield(metainfo.geometry.pieces)
    there = _there(files)
    checked = 0
    slots = trio.Semaphore(workers.count * 2)  # jobs ahead of the threads

    async def one_job(pieces: list[int]) -> None:
        nonlocal checked
        try:
            for piece in await workers.run(partial(_check_pieces, metainfo, files, pieces)):
                have.add(piece)
        finally:
            slots.release()
        checked += len(pieces)
        progress(checked)

    async with trio.open_nursery() as nursery:
        for pieces in _jobs(metainfo):
            likely = [piece for piece in pieces if _may_be_there(metainfo, there, piece)]
            checked += len(pieces) - len(likely)
            if likely:
                await slots.acquire()
                nursery.start_soon(one_job, likely)
    progress(metainfo.geometry.pieces)
    return have


def _jobs(metainfo: Metainfo) -> Iterator[list[int]]:
    step = max(1, JOB_BYTES // metainfo.geometry.piece_length)
    for first in range(0, metainfo.geometry.pieces, step):
        yield list(range(first, min(first + step, metainfo.geometry.pieces)))


def _there(files: Files) -> list[bool]:
    return [file.padding or _size(files, number) > 0 for number, file in enumerate(files.layout.files)]


def _size(files: Files, number: int) -> int:
    try:
        return files.path(number).stat().st_size
    except OSError:
        return 0


def _may_be_there(metainfo: Metainfo, there: list[bool], piece: int) -> bool:
    geometry = metainfo.geometry
    slices = metainfo.layout.slices(geometry.piece_start(piece), geometry.piece_size(piece))
    return all(there[part.file] for part in slices)


def _check_pieces(metainfo: Metainfo, files: Files, pieces: list[int]) -> list[int]:
    geometry = metainfo.geometry
    buffer = memoryview(bytearray(geometry.piece_length))
    good = []
    for piece in pieces:
        data = buffer[: geometry.piece_size(piece)]
        try:
            files.read(geometry.piece_start(piece), data)
        except StorageError:
            continue
        if metainfo.piece_matches(piece, data):
            good.append(piece)
    return good
