"""Loading what only some torrents need, when the first of them is there.

By then the program may be short of descriptors, for which nothing of ours is to blame and which passes: it is told of
as if the torrent's own files could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trio_torrent.errors import StorageError


@contextmanager
def loading() -> Iterator[None]:
    """What is imported in the block may be missing: StorageError, of the kind that is tried again."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise StorageError(f"a part of trio-torrent cannot be read: {error}") from error
