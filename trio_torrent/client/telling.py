"""What users hear of a torrent's session: which of its events are theirs, and in what words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from trio_torrent.address import Address
from trio_torrent.swarm.events import DialFailed, Event, Joined, PieceVerified, Released

from .broadcast import Broadcast
from .events import DialRefused, FileDone, PeerGone, PieceDone


@attrs.frozen(eq=False)
class Telling:
    """Tells `broadcast`. `verified` says which files a piece completes, and `joined` hears of those who have come."""

    broadcast: Broadcast
    verified: Callable[[int], Iterable[str]]
    joined: Callable[[Joined], None]

    def publish(self, event: Event) -> None:
        """The scheduler has handled this."""
        match event:
            case PieceVerified(piece):
                self._pieces([piece])
            case Released(_, good):
                self._pieces(good)
            case Joined():
                self.joined(event)
            case DialFailed(address, reason):
                self.broadcast.tell(DialRefused(str(address), reason))
            case _:
                pass

    def _pieces(self, pieces: Iterable[int]) -> None:
        for piece in pieces:
            self.broadcast.tell(PieceDone(piece))
            self.files(self.verified(piece))

    def files(self, paths: Iterable[str]) -> None:
        """These are complete."""
        for path in paths:
            self.broadcast.tell(FileDone(path))

    def gone(self, address: Address, reason: str) -> None:
        """A peer is."""
        self.broadcast.tell(PeerGone(str(address), reason))
