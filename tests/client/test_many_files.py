"""What a thousand files cost before the first byte is asked for, in looks at the disk: counted with a hundred."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.payload import multi, random_bytes, write
from tests.simnet import InlineWorkers
from trio_torrent.client.content import Content, Rules, Tally
from trio_torrent.client.selection import Selection
from trio_torrent.disk.records import Records

COUNT = 100
FILES = {f"{number % 2}/{number}": random_bytes(400, number) for number in range(COUNT)}
METAINFO = multi(FILES)
NOTHING = Tally((), 0, 0)


def content(tmp_path: Path) -> Content:
    workers = InlineWorkers()
    return Content(
        METAINFO, tmp_path / "files", workers, Records(tmp_path / "state", workers, workers, "boot"), Rules()
    )


async def begin(content: Content) -> int:
    """Find out what is there, and get ready; how many pieces had to be looked at."""
    checked = 0

    def tell(pieces: int) -> None:
        nonlocal checked
        checked = pieces

    await content.find(Selection(METAINFO), tell)
    await content.want(Selection(METAINFO))
    await content.save(NOTHING, running=False)
    return checked


@contextmanager
def looks(folder: Path) -> Iterator[Counter[str]]:
    """Which paths below the folder are looked at, and how often."""
    found, real = Counter[str](), os.stat

    def stat(path: object, **options: bool) -> os.stat_result:
        if str(path).startswith(str(folder)):
            found[str(path)] += 1
        return real(path, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "stat", stat)
        yield found


async def test_where_nothing_is_no_file_is_looked_for(tmp_path: Path, autojump_clock):
    with looks(tmp_path / "files/folder") as found:
        await begin(content(tmp_path))
    assert set(found) <= {f"{tmp_path}/files/folder{rest}" for rest in ("", "/0", "/0/0", "/1", "/1/1")}


async def test_what_is_as_it_was_left_is_looked_at_twice(tmp_path: Path, autojump_clock):
    """When the session begins, and for the record, as nobody knows whether it would survive a power cut."""
    write(tmp_path / "files/folder", FILES)
    first = content(tmp_path)
    assert await begin(first) == METAINFO.geometry.pieces
    first.files.close()
    again = content(tmp_path)
    with looks(tmp_path / "files/folder") as found:
        assert await begin(again) == 0
    assert again.have.complete
    assert max(found.values()) == 2
    again.files.close()
