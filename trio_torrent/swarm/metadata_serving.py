"""Giving the info dictionary to peers who came by a link (BEP 9)."""

from __future__ import annotations

from trio_torrent.wire.ut_metadata import (
    METADATA_PIECE,
    MetadataData,
    MetadataReject,
    metadata_piece_size,
    metadata_pieces,
)

from .events import PeerId

# One connection may ask for the whole so often: once, again when somebody else lied to it, and once more.
MOST_COPIES = 3


class MetadataServing:
    """`info` is the info dictionary. It costs no memory for each peer but a number."""

    def __init__(self, info: bytes) -> None:
        self._info = memoryview(info)
        self._left: dict[PeerId, int] = {}  # pieces that a peer may still have

    @property
    def size(self) -> int:
        """Of the info dictionary, in bytes."""
        return len(self._info)

    def requested(self, peer: PeerId, piece: int) -> MetadataData | MetadataReject:
        """The answer to a request."""
        pieces = metadata_pieces(self.size)
        left = self._left.get(peer, MOST_COPIES * pieces)
        if piece >= pieces or not left:
            return MetadataReject(piece)
        self._left[peer] = left - 1
        start = piece * METADATA_PIECE
        data = self._info[start : start + metadata_piece_size(self.size, piece)]
        return MetadataData(piece, self.size, data)

    def left(self, peer: PeerId) -> None:
        """The peer is gone."""
        self._left.pop(peer, None)
