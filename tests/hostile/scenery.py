"""What all cases are played with: the payload and its torrents, the addresses, and what the honest peer does."""

from __future__ import annotations

from functools import cache

import trio

from tests.fakepeer import FakePeer
from tests.payload import random_bytes, single
from trio_torrent.address import Address
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.wire import messages as wire

BLOCK = BLOCK_SIZE
PIECE = 2 * BLOCK
PIECES = 25  # of 32 KiB: four bytes of a bitfield, with seven bits to spare
LAST_PIECE = 5000  # bytes of the last one, a single short block
PAYLOAD = random_bytes((PIECES - 1) * PIECE + LAST_PIECE)

US = Address("10.0.0.1", 6881)
HONEST = Address("10.0.1.1", 6881)
VILLAIN = Address("10.0.2.1", 6881)
HONEST_ID = b"-HONEST-".ljust(20, b"-")
VILLAIN_ID = b"-VILLAIN".ljust(20, b"-")

# The honest peer alone makes a download last for ten virtual seconds: time for the other one's tricks.
HONEST_RATE = 80 * 1024
HONEST_BATCH = 5  # blocks that it takes a second, where it is the one who downloads


@cache
def torrent_of(piece_length: int) -> Metainfo:
    """The payload's torrent, in pieces of so many bytes."""
    return single(PAYLOAD, piece_length=piece_length)


class Honest(FakePeer):
    """Does what the protocol asks for."""

    async def give(self) -> None:
        """Have everything, and answer every request."""
        await self.say_all_pieces()
        await self.wait_for(wire.Interested)
        await self.serve()

    async def take(self) -> None:
        """Download everything, a batch of blocks a second, and compare it. EOFError if it is cut off."""
        await self.say(wire.Interested())
        await self.wait_for(wire.Unchoke)
        requests = self._all_requests()
        for start in range(0, len(requests), HONEST_BATCH):
            batch = requests[start : start + HONEST_BATCH]
            await self.say(*batch)
            for request in batch:
                assert await self.wait_for(wire.Piece) == self.block(request)
            self.heard.clear()
            await trio.sleep(1)

    def _all_requests(self) -> list[wire.Request]:
        geometry = self.metainfo.geometry
        return [
            wire.Request(piece, offset, min(BLOCK, geometry.piece_size(piece) - offset))
            for piece in range(geometry.pieces)
            for offset in range(0, geometry.piece_size(piece), BLOCK)
        ]
