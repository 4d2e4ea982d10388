"""Where torrents come from."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.payload import single
from trio_torrent import Metainfo, MetainfoError, TrackerError
from trio_torrent.client.metainfo import FETCH_SECONDS
from trio_torrent.client.source import load
from trio_torrent.metainfo.torrent import MAX_TORRENT_SIZE
from trio_torrent.net.http import Http
from trio_torrent.net.reach import Family, Local

DATA = single(b"payload").to_bytes()
METAINFO = Metainfo.from_bytes(DATA)


class Web:
    """Has one page."""

    def __init__(self, page: bytes) -> None:
        self.page = page
        self.asked: list[str] = []

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        self.asked.append(url)
        assert (limit, seconds, local) == (MAX_TORRENT_SIZE, FETCH_SECONDS, Local.ALWAYS)
        if "missing" in url:
            raise TrackerError("host.example: answered 404 Not Found")
        return self.page


def web(page: bytes = DATA) -> Http:
    return cast(Http, Web(page))


async def test_a_torrent_is_itself():
    assert await load(METAINFO, web()) is METAINFO


async def test_bytes():
    assert await load(DATA, web()) == METAINFO


@pytest.mark.parametrize("kind", [str, Path])
async def test_a_path(tmp_path: Path, kind: type):
    (tmp_path / "a.torrent").write_bytes(DATA)
    assert await load(kind(tmp_path / "a.torrent"), web()) == METAINFO


@pytest.mark.parametrize("url", ["http://host.example/a.torrent", "https://host.example/a.torrent?passkey=1"])
async def test_a_url(url: str):
    page = Web(DATA)
    assert await load(url, cast(Http, page)) == METAINFO
    assert page.asked == [url]


@pytest.mark.parametrize("data", [b"", b"not a torrent", b"d4:infoi1ee"])
async def test_what_is_no_torrent(tmp_path: Path, data: bytes):
    (tmp_path / "bad").write_bytes(data)
    for source in (data, tmp_path / "bad", "http://host.example/bad"):
        with pytest.raises(MetainfoError):
            await load(source, web(data))


async def test_a_page_that_is_not_there():
    with pytest.raises(TrackerError, match="404"):
        await load("http://host.example/missing", web())


@pytest.mark.parametrize("name", ["missing.torrent", "folder"])
async def test_a_file_that_cannot_be_read(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=name):
        await load(tmp_path / name, web())


async def test_a_file_that_is_too_long_is_not_read_to_its_end(tmp_path: Path):
    """A sparse terabyte costs nothing on disk, and would cost all memory."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(MetainfoError, match=f"more than {MAX_TORRENT_SIZE}"):
        await load(tmp_path / "huge", web())
