"""What to do about data that is not complete, in words that can be typed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from trio_torrent import Metainfo


def nothing_there(metainfo: Metainfo, folder: Path) -> str | None:
    """That no part of the torrent is in the folder, and perhaps where it is; None if there is something."""
    top = metainfo.files[0].path[0]
    if os.path.lexists(folder / top):
        return None
    parent = folder.resolve().parent
    hint = f"; try -d {shlex.quote(str(parent))}" if os.path.lexists(parent / top) else ""
    return f"there is no {folder / top}{hint}"


def fetch_the_rest(source: str, folder: Path) -> str:
    """The command that does."""
    return f"`{shlex.join(['trio-torrent', 'get', source, '-o', str(folder)])}` fetches the rest"
