"""What is there already: every piece read and compared, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import StorageError
from trio_torrent.metainfo.torrent import Metainfo

from .files import Files
from .workers import Workers

# Bytes that one job reads and hashes: enough that a hop to a thread does not show, little enough for steady progress.
JOB_BYTES = 4 << 20


@attrs.frozen(eq=False)
class Findings:
    """Each piece is in one of these, or is there and wrong."""

    good: Bitfield
    missing: Bitfield  # a byte of it is not there, or cannot be read


async def check(
    metainfo: Metainfo, files: Files, workers: Workers, progress: Callable[[int], None] = lambda checked: None
) -> Findings:
    """Compare what is in the files with the torrent. `progress` is told how many pieces were looked at.

    A file that is missing costs nothing; one that cannot be read counts as missing what it holds.
    """
    pieces = metainfo.geometry.pieces
    findings = Findings(Bitfield(pieces), Bitfield(pieces))
    there = _there(files)
    jobs = _jobs(metainfo)
    checked = 0

    def done(place: int, found: tuple[list[int], list[int]]) -> None:
        nonlocal checked
        good, missing = found
        for piece in good:
            findings.good.add(piece)
        for piece in missing:
            findings.missing.add(piece)
        checked += len(jobs[place])
        progress(checked)

    await workers.run_all((partial(_check_pieces, metainfo, files, there, job) for job in jobs), done)
    return findings


def _jobs(metainfo: Metainfo) -> list[range]:
    step = max(1, JOB_BYTES // metainfo.geometry.piece_length)
    return [range(metainfo.geometry.pieces)[first : first + step] for first in range(0, metainfo.geometry.pieces, step)]


def _there(files: Files) -> list[bool]:
    return [file.padding or _size(files, number) > 0 for number, file in enumerate(files.layout.files)]


def _size(files: Files, number: int) -> int:
    try:
        return files.path(number).stat().st_size
    except OSError:
        return 0


def _check_pieces(metainfo: Metainfo, files: Files, there: list[bool], pieces: range) -> tuple[list[int], list[int]]:
    """The good ones, and the missing ones."""
    geometry, layout = metainfo.geometry, metainfo.layout
    buffer = memoryview(bytearray(geometry.piece_length))
    good, missing = [], []
    for piece in pieces:
        start, size = geometry.piece_start(piece), geometry.piece_size(piece)
        try:
            if not all(there[part.file] for part in layout.slices(start, size)):
                raise StorageError("a file is missing")
            files.read(start, buffer[:size])
        except StorageError:
            missing.append(piece)
            continue
        if metainfo.piece_matches(piece, buffer[:size]):
            good.append(piece)
    return good, missing
