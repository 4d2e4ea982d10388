"""Where torrents come from: files, URLs, bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from trio_torrent.metainfo.infohash import parse_info_hash
from trio_torrent.metainfo.magnet import Magnet

from .metainfo import Metainfo

if TYPE_CHECKING:
    from trio_torrent.net.http_tracker import Getter


async def load(source: str | os.PathLike[str] | bytes | Metainfo | Magnet, http: Getter) -> Metainfo | Magnet:
    """The torrent that `source` names, or the link that it is; an info-hash alone is one, too.

    Raises MetainfoError, TrackerError (a URL), MagnetError (a link), OSError (a file) or ValueError (nothing).
    """
    if source == "":
        raise ValueError("no source")
    if isinstance(source, Metainfo | Magnet):
        return source
    if isinstance(source, bytes):
        return Metainfo.from_bytes(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return await Metainfo.fetch(source, http=http)
    if isinstance(source, str) and (source.lower().startswith("magnet:") or _is_info_hash(source)):
        return Magnet.parse(source)
    return await trio.to_thread.run_sync(Metainfo.from_file, Path(source))


def _is_info_hash(text: str) -> bool:
    try:
        parse_info_hash(text)
    except ValueError:
        return False
    return not Path(text).exists()
