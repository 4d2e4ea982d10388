"""What a connection tells, for those who never asked for a block."""

from __future__ import annotations

from collections.abc import Iterable

from trio_torrent.wire.messages import Heard, Landed, Message


def messages(heard: Iterable[Heard]) -> list[Message]:
    """The same, when nothing can have landed."""
    said = []
    for each in heard:
        assert not isinstance(each, Landed)
        said.append(each)
    return said
