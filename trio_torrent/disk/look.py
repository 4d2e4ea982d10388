"""How a file looks from outside: enough to tell that nobody has touched it since."""

from __future__ import annotations

import os
from pathlib import Path

import attrs


@attrs.frozen
class Look:
    """Two looks at one file are the same unless somebody wrote in between, at the file system's resolution of time."""

    size: int  # bytes
    changed: int  # when it was last written, in nanoseconds since 1970

    @classmethod
    def of(cls, status: os.stat_result) -> Look:
        """What `stat` says."""
        return cls(status.st_size, status.st_mtime_ns)


def look(path: Path | str) -> Look | None:
    """How a file looks; None if there is none, or it cannot be said."""
    try:
        return Look.of(os.stat(path))
    except (OSError, UnicodeEncodeError):
        return None
