"""`magnet`: the link to a torrent."""

from __future__ import annotations

import trio

from trio_torrent import Metainfo

from .exits import Exit
from .source import read


async def magnet(source: str, interrupt: trio.CancelScope, *, proxy: str | None = None) -> Exit:
    """Print it; a link or an info-hash is printed in its usual form. Raises CommandError."""
    code = Exit.INTERRUPTED
    with interrupt:
        found = await read(source, proxy=proxy)
        print(found.magnet if isinstance(found, Metainfo) else found, flush=True)
        code = Exit.DONE
    return code
