"""What a torrent sees of the DHT, and the DHT of a torrent. Nothing of the DHT itself: many do without it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from trio_torrent.address import Address


class Findings(Protocol):
    """What comes of one lookup."""

    @property
    def answered(self) -> int:
        """Nodes."""

    @property
    def announced_to(self) -> int:
        """Nodes that know of us now."""

    def __aiter__(self) -> AsyncIterator[tuple[Address, ...]]:
        """Peers, as they are found."""


class Finder(Protocol):
    """The narrow side of the DHT that a torrent sees."""

    @property
    def ready(self) -> bool:
        """There is somebody to ask."""

    @property
    def port(self) -> int:
        """Where other nodes reach us."""

    @property
    def external(self) -> Sequence[str]:
        """The IP addresses at which its nodes see us, as far as they agree."""

    def lookup(
        self, info_hash: bytes, *, announce: int | None = None, seed: bool = False, noseed: bool = False
    ) -> AbstractAsyncContextManager[Findings]:
        """Look for peers while the block lasts."""

    def add_node(self, address: Address) -> None:
        """There may be a node."""


@attrs.frozen
class Standing:
    """What a torrent is, as far as it matters here."""

    seed: bool  # it has all of it: others like it are of no use
    few: bool  # more peers would be of use
