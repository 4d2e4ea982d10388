"""What is there already: every piece read and compared, on all cores."""

from __future__ import annotations

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
    unverifiable = await workers.run(lambda: metainfo.unverifiable)
    wanted = (Bitfield.full(metainfo.geometry.pieces) if only is None else only) - unverifiable
    findings = Findings(Bitfield(metainfo.geometry.pieces), Bitfield(metainfo.geometry.pieces))
    checked = 0

    def done(pieces: Sequence[int], verdicts: list[bool | None]) -> None:
        nonlocal checked
        for piece, good in zip(pieces, verdicts, strict=True):
            if good is None:
                findings.missing.add(piece)
            elif good:
                findings.good.add(piece)
        checked += len(pieces)
        progress(checked)

    there = await workers.run(partial(_there, files))
    await sweep(metainfo.geometry, workers, partial(_look, metainfo, files, there, wanted), done)
    return findings


def _there(files: Files) -> list[bool]:
    parts = bool(files.parted) and files.parts_path.exists()
    return [
        file.padding or (parts if number in files.parted else _size(files, number) > 0)
        for number, file in enumerate(files.layout.files)
    ]


def _size(files: Files, number: int) -> int:
    try:
        return files.path(number).stat().st_size
    except (OSError, UnicodeEncodeError):
        return 0


def _look(
    metainfo: Metainfo, files: Files, there: Sequence[bool], wanted: Bitfield, piece: int, buffer: memoryview
) -> bool | None:
    """Whether the piece is right; None if it is missing."""
    start, size = metainfo.geometry.piece_start(piece), metainfo.geometry.piece_size(piece)
    data = buffer[:size]
    if piece not in wanted or not all(there[part.file] for part in files.layout.slices(start, size)):
        return None
    try:
        files.read(start, data)
    except StorageError:
        return None
    return metainfo.piece_matches(piece, data)
