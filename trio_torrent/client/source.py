"""Where torrents come from: files, URLs, bytes."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from trio_torrent.metainfo.torrent import MAX_TORRENT_SIZE
from trio_torrent.net.http import Http, Local

from .metainfo import Metainfo

FETCH_SECONDS = 60.0  # for a .torrent by URL, start to end


async def load(source: str | os.PathLike[str] | bytes | Metainfo, http: Http) -> Metainfo:
    """The torrent that `source` names. Raises MetainfoError, TrackerError (a URL) or OSError (a file)."""
    if isinstance(source, Metainfo):
        return source
    if isinstance(source, bytes):
        return Metainfo.from_bytes(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        # The user typed it, so it may be on this machine.
        body = await http.get(source, limit=MAX_TORRENT_SIZE, seconds=FETCH_SECONDS, local=Local.ALWAYS)
        return Metainfo.from_bytes(body)
    return Metainfo.from_bytes(await trio.Path(Path(source)).read_bytes())
