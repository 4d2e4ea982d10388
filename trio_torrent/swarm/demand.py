"""Which pieces are wanted and not had: by the user, or by whoever reads; and which of them may be begun.

A piece that is wanted waits in `availability` unless it has been begun, or it is held back because nobody could tell
whether it is right. What only a reader waits for is wanted for as long as he does; what was begun of it is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from trio_torrent.bitfield import Bitfield

from .availability import SKIP, Availability
from .urgent import Urgent


class Demand:
    """Changes `have`, which it shares with the scheduler. `is_idle` tells whether a piece was not begun yet."""

    def __init__(self, have: Bitfield, random: Random, is_idle: Callable[[int], bool]) -> None:
        self.lacking: Bitfield = Bitfield.full(have.size) - have  # what is wanted, or waited for, and not had
        self.availability: Availability = Availability(have.size, self.lacking, random)
        self.urgent: Urgent = Urgent()  # what is waited for, and not had
        self.is_read: bool = False  # somebody reads, and may wait for something at any moment
        self._have = have
        self._is_idle = is_idle
        self._held: set[int] = set()  # pieces that cannot be verified yet
        self._guests: set[int] = set()  # pieces lacking for a reader alone

    @property
    def is_done(self) -> bool:
        """All that is wanted is had; what readers alone wait for does not count."""
        return self.lacking.count == len(self._guests)

    def prioritize(self, piece: int, priority: int) -> None:
        """How much a piece is wanted. One in flight stays there; the caller gives it up if it is not `lacking`."""
        skipped = priority == SKIP and piece not in self.urgent
        if skipped:
            self._take(piece)
        self.availability.prioritize(piece, priority)
        if skipped:
            self._drop(piece)
        elif priority == SKIP:
            self._guests.add(piece)
        else:
            self._guests.discard(piece)
            if piece not in self._have and self.lacking.add(piece) and self._is_idle(piece):
                self.put(piece)

    def set_urgent(self, deadlines: Iterable[tuple[int, float]], *, reading: bool) -> bool:
        """The pieces that somebody waits to read, and when they are needed; in place of those before.

        `reading` as long as there may be more. Whether what is lacking has changed.
        """
        self.is_read = reading
        self.urgent.replace([deadline for deadline in deadlines if deadline[0] not in self._have])
        gone = [guest for guest in self._guests if guest not in self.urgent and self._is_idle(guest)]
        for piece in gone:
            self._take(piece)
            self._drop(piece)
        new = [piece for piece in self.urgent if self.lacking.add(piece)]
        self._guests.update(new)
        for piece in new:
            self.put(piece)
        return bool(gone or new)

    def hold(self, pieces: Iterable[int]) -> None:
        """These cannot be verified yet, so they are not begun."""
        for piece in pieces:
            self._held.add(piece)
            self._take(piece)

    def unhold(self, pieces: Iterable[int]) -> None:
        """These can be verified from now on."""
        for piece in pieces:
            if piece in self._held:
                self._held.discard(piece)
                if self._is_idle(piece):
                    self.put(piece)

    def put(self, piece: int) -> None:
        """A piece that nothing is done about waits, if it is wanted and may be begun."""
        if piece in self.lacking and piece not in self._held:
            self.availability.put(piece)

    def meet(self, piece: int) -> None:
        """The piece is had: it has come, or was in its files before."""
        self._held.discard(piece)
        self._drop(piece)
        self._have.add(piece)

    def _take(self, piece: int) -> None:
        if self.availability.waits(piece):
            self.availability.take(piece)

    def _drop(self, piece: int) -> None:
        """Nobody wants it any more, or it is had."""
        self.lacking.discard(piece)
        self._guests.discard(piece)
        self.urgent.discard(piece)
