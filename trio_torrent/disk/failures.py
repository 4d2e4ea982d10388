"""What the system says of a path, as a StorageError."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trio_torrent.errors import ChangedError, StorageError


@contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """Raises what goes wrong in the block, which is about the path, in our words."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise in_words(error, path) from error


def in_words(error: OSError | ValueError, path: Path | str, file: int | None = None) -> StorageError:
    """Of a file of the torrent, with its number."""
    match error:
        case FileNotFoundError():
            return ChangedError(f"{Path(path)}: {error.strerror}", number=error.errno, file=file)
        case OSError():
            return StorageError(f"{Path(path)}: {error.strerror or error}", number=error.errno, file=file)
        case UnicodeEncodeError():
            message = f"{str(Path(path))!a}: file names of this locale cannot hold it; set LC_ALL=C.UTF-8"
            return StorageError(message, number=errno.EINVAL, file=file)
        case _:
            return StorageError(f"{Path(path)}: the torrent is closed", file=file)
