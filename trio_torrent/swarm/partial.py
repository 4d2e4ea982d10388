"""A piece in flight: which of its blocks are missing, asked for, or there."""

from __future__ import annotations

import attrs

from trio_torrent.address import Address
from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.wire.messages import Request

from .events import PeerId


@attrs.define(eq=False)
class Partial:
    """Each block, by its offset in bytes, is in exactly one of `missing`, `asked` and `givers`."""

    piece: int
    size: int  # bytes
    missing: list[int]  # offsets to ask for, the next one last
    begun: float
    asked: dict[int, PeerId] = attrs.field(factory=dict)  # offset: of whom (first)
    givers: dict[int, Address] = attrs.field(factory=dict)  # offset: who sent it; the blocks that have arrived
    only: PeerId | None = None  # fetched from this peer alone

    @classmethod
    def begin(cls, piece: int, size: int, now: float, *, content: int, only: PeerId | None) -> Partial:
        """A piece of which nothing was asked yet. The disk knows that it is zeros behind `content` bytes (padding)."""
        return cls(piece, size, list(range(0, content, BLOCK_SIZE))[::-1], now, only=only)

    def take(self, peer: PeerId, room: int, picked: list[Request]) -> None:
        """Ask for missing blocks of a peer, in order, until `picked` has `room` requests."""
        missing, asked, piece, last = self.missing, self.asked, self.piece, self.size - BLOCK_SIZE
        while missing and len(picked) < room:
            offset = missing.pop()
            asked[offset] = peer
            picked.append(Request(piece, offset, BLOCK_SIZE if offset <= last else self.size - offset))

    def request(self, offset: int) -> Request:
        """How to ask for the block at `offset`."""
        return Request(self.piece, offset, min(BLOCK_SIZE, self.size - offset))
