"""What is there already: every piece read and compared, on all cores."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import StorageError
from trio_torrent.metainfo.torrent import Metainfo

from .files import Files
from .sweep import sweep
from .workers import Workers


@attrs.frozen(eq=False)
class Findings:
    """Each piece is in one of these, or is there and wrong."""

    good: Bitfield
    missing: Bitfield  # a byte of it is not there, or cannot be read


async def check(
    metainfo: Metainfo,
    files: Files,
    workers: Workers,
    progress: Callable[[int], None] = lambda checked: None,
    *,
    only: Bitfield | None = None,
) -> Findings:
    """Compare what is in the files with the torrent. `progress` is told how many pieces were looked at.

    A file that is missing costs nothing; one that cannot be read counts as missing what it holds, and so do pieces
    that are not in `only`, and those that the torrent knows too little of to compare them.
    """
    total = metainfo.geometry.pieces
    unverifiable = await workers.run(lambda: metainfo.unverifiable)
    lost = await workers.run(partial(_lost, files, metainfo))
    there = (Bitfield.full(total) if only is None else only) - unverifiable - lost
    findings = Findings(Bitfield(total), Bitfield.full(total) - there)
    checked = total - there.count

    def done(pieces: Sequence[int], verdicts: list[bool | None]) -> None:
        nonlocal checked
        for piece, good in zip(pieces, verdicts, strict=True):
            if good is None:
                findings.missing.add(piece)
            elif good:
                findings.good.add(piece)
        checked += len(pieces)
        progress(checked)

    progress(checked)
    pieces = range(total) if there.complete else array("I", there)
    await sweep(metainfo.geometry, pieces, workers, partial(_look, metainfo, files), done)
    return findings


def _lost(files: Files, metainfo: Metainfo) -> Bitfield:
    """The pieces that have bytes of files that are not there, or empty."""
    numbers = [number for number, file in enumerate(metainfo.files) if file.length and not file.padding]
    there = {number for number, status in files.there(numbers) if status.st_size} - files.parted
    if files.parted and files.parts_path.exists():
        there |= files.parted
    lost = Bitfield(metainfo.geometry.pieces)
    for number in numbers:
        if number not in there:
            for piece in metainfo.layout.pieces_of(number, metainfo.geometry.piece_length):
                lost.add(piece)
    return lost


def _look(metainfo: Metainfo, files: Files, piece: int, buffer: memoryview) -> bool | None:
    """Whether the piece is right; None if it cannot be read."""
    data = buffer[: metainfo.geometry.piece_size(piece)]
    try:
        files.read(metainfo.geometry.piece_start(piece), data)
    except StorageError:
        return None
    return metainfo.piece_matches(piece, data)
