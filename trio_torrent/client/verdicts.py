"""What became of pieces, on its way from the disk to the scheduler."""

from __future__ import annotations

from contextlib import suppress

import outcome
import trio

from trio_torrent.disk.store import Verdict
from trio_torrent.swarm.events import Event, PieceFailed, PieceVerified

# Verdicts that wait for room in the inbox. Never full: each is of a piece being verified, and the scheduler lets no
# more than 64 MiB of those be on their way.
MOST_WAITING = 1 << 20


class Verdicts:
    """Of one session, whose scheduler reads from the other end of `inbox`. For trio's thread."""

    def __init__(self, inbox: trio.MemorySendChannel[Event]) -> None:
        self._inbox = inbox
        self._send, self._waiting = trio.open_memory_channel[outcome.Outcome[Verdict]](MOST_WAITING)

    def tell(self, result: outcome.Outcome[Verdict]) -> None:
        """Told by the disk, which cannot wait: what finds no room waits for it in `run`."""
        if isinstance(result, outcome.Value):
            with suppress(trio.WouldBlock):  # the rule, and for small pieces a task the less for each of them
                self._inbox.send_nowait(_event(result.value))
                return
        self._send.send_nowait(result)

    async def run(self) -> None:
        """Until cancelled. StorageError if a piece was right and could not be written."""
        async for result in self._waiting:
            await self._inbox.send(_event(result.unwrap()))


def _event(verdict: Verdict) -> PieceVerified | PieceFailed:
    return (PieceVerified if verdict.good else PieceFailed)(verdict.piece, verdict.digests)
