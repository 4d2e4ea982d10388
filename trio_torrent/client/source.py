"""Where torrents come from: files, URLs, bytes."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from trio_torrent.net.tracker import Getter

from .metainfo import Metainfo


async def load(source: str | os.PathLike[str] | bytes | Metainfo, http: Getter) -> Metainfo:
    """The torrent that `source` names. Raises MetainfoError, TrackerError (a URL) or OSError (a file)."""
    if isinstance(source, Metainfo):
        return source
    if isinstance(source, bytes):
        return Metainfo.from_bytes(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return await Metainfo.fetch(source, http=http)
    return await trio.to_thread.run_sync(Metainfo.from_file, Path(source))
