"""A piece in flight: which of its blocks are missing, asked for, or there."""

from __future__ import annotations

from collections.abc import Sequence

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
        kept = max(0, len(self.missing) - room + len(picked))
        offsets, self.missing[kept:] = self.missing[kept:][::-1], ()
        self.asked.update(dict.fromkeys(offsets, peer))
        piece, last = self.piece, self.size - BLOCK_SIZE
        picked += [Request(piece, at, BLOCK_SIZE if at <= last else self.size - at) for at in offsets]

    def arrived(self, offsets: Sequence[int], giver: Address) -> None:
        """These blocks, which were asked for, have come."""
        for offset in offsets:
            del self.asked[offset]
        self.givers.update(dict.fromkeys(offsets, giver))

    def request(self, offset: int) -> Request:
        """How to ask for the block at `offset`."""
        return Request(self.piece, offset, min(BLOCK_SIZE, self.size - offset))
