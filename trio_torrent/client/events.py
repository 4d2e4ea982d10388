"""What a torrent tells those who listen."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from trio_torrent.errors import StorageError, TorrentError


@attrs.frozen
class MetadataDone:
    """Of a torrent that began as a link, it is known what there is: `torrent.metainfo` is there."""

    name: str


@attrs.frozen
class Checked:
    """The files that were there have been compared with the torrent."""

    have: int  # pieces
    pieces: int


@attrs.frozen
class PieceDone:
    """A piece is verified and in its files."""

    piece: int


@attrs.frozen
class FileDone:
    """Every piece of a file is verified and written."""

    path: str  # from the save path, with slashes


@attrs.frozen
class Completed:
    """Every piece that is wanted is verified and written; told again when more was wanted meanwhile."""

    seconds: float  # since the torrent was added
    downloaded: int  # bytes of blocks that came
    wasted: int  # bytes of them that were of no use


@attrs.frozen
class PeerGone:
    """A connection is over."""

    address: str
    reason: str


@attrs.frozen
class DialRefused:
    """An address could not be used."""

    address: str
    reason: str


@attrs.frozen
class Troubled:
    """The disk or a file has failed. What is told next is `Checked`, when the torrent goes on; it does so by itself."""

    error: StorageError


@attrs.frozen
class Failed:
    """The torrent has stopped, and why."""

    error: TorrentError


@attrs.frozen
class Overflow:
    """The listener was too slow: this many events were left out here."""

    missed: int


TorrentEvent: TypeAlias = (
    MetadataDone | Checked | PieceDone | FileDone | Completed | PeerGone | DialRefused | Troubled | Failed | Overflow
)
