"""What the user asks for when a torrent is added."""

from __future__ import annotations

from collections.abc import Iterable

import attrs


@attrs.frozen(kw_only=True)
class Wishes:
    """What the user wants of a torrent, from the start. Limits in bytes a second."""

    select: str | Iterable[str | int] | None = None  # None: all of it
    sequential: bool = False
    limit_down: int | None = None
    limit_up: int | None = None
