"""`verify`: data compared with a torrent, piece by piece and file by file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import trio

from trio_torrent import FileVerified, Metainfo, Verified

from .exits import CommandError, Exit
from .hints import fetch_the_rest, nothing_there
from .reading import Progress, read_through
from .source import load
from .voice import Voice
from .words import clean, percent, plural, size


async def verify(
    source: str, data: Path, voice: Voice, interrupt: trio.CancelScope, *, as_json: bool, proxy: str | None = None
) -> Exit:
    """Compare, and show what is wrong. Raises CommandError, also where something is wrong, and MetainfoError."""
    code = Exit.INTERRUPTED
    with interrupt:
        metainfo = await load(source, proxy=proxy)
        pieces, total = metainfo.geometry.pieces, metainfo.geometry.size

        async def read(progress: Progress) -> Verified:
            return await metainfo.verify(data, progress=lambda looked, _: progress(total * looked // pieces, total))

        found = await read_through(metainfo.name, "checking", voice, read)
        if as_json:
            print(json.dumps(fields(metainfo, found)), flush=True)
        elif not voice.quiet:
            print("\n".join(map(clean, describe(metainfo, found, data))), flush=True)
        if not found.complete:
            raise CommandError(Exit.UNVERIFIED, wrong(source, metainfo, found, data))
        code = Exit.DONE
    return code


def fields(metainfo: Metainfo, found: Verified) -> dict[str, object]:
    """For programs."""
    return {
        "name": metainfo.name,
        "pieces": metainfo.geometry.pieces,
        "good": found.good,
        "bad": found.bad,
        "missing": found.missing,
        "complete": found.complete,
        "files": [attrs.asdict(file) for file in found.files],
    }


def describe(metainfo: Metainfo, found: Verified, data: Path) -> Iterator[str]:
    """For people: the files that are not complete, and what there is in all."""
    for file in found.files:
        if not file.complete:
            yield f"{_state(file, data):>10}  {file.path}"
    complete = sum(file.complete for file in found.files)
    yield f"{'good':>10}  {complete} of {plural(len(found.files), 'file')}"
    yield f"{'good':>10}  {found.good} of {plural(metainfo.geometry.pieces, 'piece')}, {size(metainfo.geometry.size)}"


def _state(file: FileVerified, data: Path) -> str:
    if not os.path.lexists(data / file.path):
        return "missing"
    return f"{percent(file.good_bytes, file.length)}"


def wrong(source: str, metainfo: Metainfo, found: Verified, data: Path) -> str:
    """In one line, with what to do."""
    if (nothing := nothing_there(metainfo, data)) is not None:
        return f"{metainfo.name}: {nothing}"
    pieces = (
        f"{found.good} of {plural(metainfo.geometry.pieces, 'piece')} good, {found.bad} bad, {found.missing} missing"
    )
    return f"{metainfo.name}: {pieces}; {fetch_the_rest(source, data)}"
