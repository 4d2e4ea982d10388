"""Where torrents come from: files, URLs, bytes."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from trio_torrent.errors import MagnetError
from trio_torrent.metainfo.infohash import parse_info_hash
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.http_tracker import Getter

from .metainfo import Metainfo


async def load(source: str | os.PathLike[str] | bytes | Metainfo, http: Getter) -> Metainfo:
    """The torrent that `source` names. Raises MetainfoError, TrackerError (a URL), MagnetError (a link or info-hash:
    not yet), OSError (a file) or ValueError (nothing).
    """
    if source == "":
        raise ValueError("no source")
    if isinstance(source, Metainfo):
        return source
    if isinstance(source, bytes):
        return Metainfo.from_bytes(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return await Metainfo.fetch(source, http=http)
    if isinstance(source, str) and (source.startswith("magnet:") or _is_info_hash(source)):
        Magnet.parse(source)  # one that is wrong should be said to be wrong
        raise MagnetError("magnet links and info-hashes cannot be downloaded yet")
    return await trio.to_thread.run_sync(Metainfo.from_file, Path(source))


def _is_info_hash(text: str) -> bool:
    try:
        parse_info_hash(text)
    except ValueError:
        return False
    return not Path(text).exists()
