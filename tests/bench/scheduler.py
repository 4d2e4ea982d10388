"""What the scheduler costs for each block that comes, and for each `have`, as torrents and swarms grow.

The peers are seeds that answer four blocks at a time: as many as each of a thousand is asked for, when they share the
memory for pieces in flight. Time is the processor's, so a busy machine hardly shows. The garbage collector rests: a
full collection falls into one cell or another, and would be taken for what that swarm costs.
"""

from __future__ import annotations

import gc
import time
from random import Random

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.swarm.commands import Ask, Command, Verify
from trio_torrent.swarm.events import Event, Joined, PeerId, PieceVerified, Received
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.scheduler import Limits, Scheduler
from trio_torrent.wire import messages as wire

BLOCKS = 30_000  # to measure over: half of the smallest torrent
BATCH = 4
PIECE_BLOCKS = 64


class Swarm:
    """A scheduler among seeds that deliver whatever is asked for."""

    def __init__(self, pieces: int, peers: int) -> None:
        self.pieces = pieces
        geometry = Geometry.contiguous(PIECE_BLOCKS * BLOCK_SIZE, pieces * PIECE_BLOCKS * BLOCK_SIZE)
        self.scheduler = Scheduler(
            geometry,
            Bitfield(pieces),
            ours=Ours(b"o" * 20),
            random=Random(1),
            now=0.0,
            limits=Limits(connections=peers),
        )
        self.asked: dict[PeerId, list[wire.Request]] = {}
        self.verify: list[int] = []
        for number in range(1, peers + 1):
            peer = PeerId(number)
            self.asked[peer] = []
            self.happen(Joined(peer, Address(f"192.0.2.{number % 250}", number), number.to_bytes(20), True, False))
        self.data = memoryview(bytearray(BLOCK_SIZE))

    def happen(self, event: Event) -> None:
        """Let the scheduler handle it, and note what it wants."""
        for command in self.scheduler.handle(event, 1.0):
            self.note(command)

    def note(self, command: Command) -> None:
        """Only asking and verifying matter here."""
        match command:
            case Ask(peer, requests):
                self.asked[peer] += requests
            case Verify(piece):
                self.verify.append(piece)
            case _:
                pass

    def blocks(self) -> float:
        """Microseconds of processor time for each block, from seeds."""
        for peer in list(self.asked):
            self.happen(Received(peer, (wire.HaveAll(), wire.Unchoke())))
        done, spent = 0, 0.0
        while done < BLOCKS:
            for peer, asked in self.asked.items():
                batch, asked[:BATCH] = asked[:BATCH], []
                start = time.process_time()
                self.happen(Received(peer, (wire.Landed(tuple(batch)),), asks=BLOCKS))
                for piece in self.verify:
                    self.happen(PieceVerified(piece))
                spent += time.process_time() - start
                self.verify.clear()
                done += len(batch)
        return spent / done * 1e6

    def haves(self) -> float:
        """Messages a second, when every peer says that it has every piece."""
        start = time.process_time()
        for peer in self.asked:
            for first in range(0, self.pieces, 100):
                self.happen(Received(peer, tuple(map(wire.Have, range(first, min(first + 100, self.pieces))))))
        return len(self.asked) * self.pieces / (time.process_time() - start)


def run() -> None:
    """Print both tables."""
    print("\nscheduler: µs for each block")
    print("| pieces | " + " | ".join(f"{peers} peers" for peers in (10, 100, 1000)) + " |\n|---|---|---|---|")
    gc.disable()
    for pieces in (1_000, 10_000, 100_000):
        row = [f"{Swarm(pieces, peers).blocks():.2f}" for peers in (10, 100, 1000)]
        print(f"| {pieces} | {' | '.join(row)} |", flush=True)
    print(f"\nscheduler: {Swarm(1_000, 1000).haves():,.0f} `have` messages a second from 1000 peers")
    gc.enable()
