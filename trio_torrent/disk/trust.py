"""How far a record is to be trusted, by how the files look now.

A file that looks as it did holds what it held. One that does not was written by us after the record was saved, or by
somebody else. A program that was killed has saved its last record a moment before its last write; so what was written
within that moment, to a file of which pieces were lacking, was written by us, and such pieces at that. Anything else
has to be compared with the torrent again: those files alone.

What was written is there as long as the machine runs. After that, a record tells which pieces the disk has for sure:
the others are compared. Files may have any length then. Otherwise ours have theirs from the first byte on: one whose
length has changed, and not to that, is not ours.

The price: whoever kills us and within two minutes writes over a file that is incomplete is taken for us.
"""

from __future__ import annotations

from collections.abc import Mapping

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.files import FileLayout

from .look import Look
from .record import Record

# Whoever runs saves a record this often while something is lacking, if only to say that he is still there.
HEARTBEAT_SECONDS = 60.0

# After the last record, so long: a heartbeat, and as long again for a disk that is slow to take a record.
WINDOW_SECONDS = 2 * HEARTBEAT_SECONDS

# A file that was made after a record was saved may look so much older: no file system tells time more coarsely (FAT).
RESOLUTION_SECONDS = 2

_NANO = 1_000_000_000


class Trust:
    """Which pieces we `have`, and which are `doubtful`: they may be there, and nobody knows. `run` is the machine's."""

    def __init__(self, record: Record, layout: FileLayout, piece_length: int, run: str) -> None:
        self._runs_on = bool(run) and run == record.run
        self.doubtful: Bitfield = Bitfield(record.have.size) if self._runs_on else record.have - record.safe
        self.have: Bitfield = record.have - self.doubtful
        self.ours: set[int] = set()  # files that are, by all that is known, as we or a power cut left them
        self._record = record
        self._layout = layout
        self._piece_length = piece_length

    def look(self, names: Mapping[int, str], now: Mapping[int, Look], *, parts: int) -> None:
        """Compare how all files look, by their numbers; `names` are their paths, and `parts` is the part file."""
        parts_are_ours = self._is_ours(self._record.files.get(names[parts]), now.get(parts))
        for number, file in enumerate(self._layout.files):
            if file.length and not file.padding:
                then, seen = self._record.files.get(names[number]), now.get(number)
                if seen is not None and self._is_left(then, seen):
                    self.ours.add(number)
                if seen is None and then is not None:
                    self._lose(number)
                elif seen is None:
                    if not parts_are_ours:
                        self._doubt(number, all_of_it=False)
                elif seen != then:
                    self._compare(number, then, seen, file.length)

    def _compare(self, number: int, then: Look | None, seen: Look, length: int) -> None:
        if not self._is_ours(then, seen):
            self._doubt(number, all_of_it=True)
        elif then is None:
            self._doubt(number, all_of_it=False)  # what we had of it was in the part file, and was being moved
        elif seen.size < length or all(piece in self.have for piece in self._pieces(number)):
            self._doubt(number, all_of_it=True)

    def _is_ours(self, then: Look | None, seen: Look | None) -> bool:
        if seen == then or seen is None:
            return seen == then
        return self._is_recent(then.changed if then is not None else 0, seen)

    def _is_left(self, then: Look | None, seen: Look) -> bool:
        if self._runs_on:
            return then is not None and then.size == seen.size and self._is_ours(then, seen)
        return then is not None or self._is_recent(self._record.saved - RESOLUTION_SECONDS * _NANO, seen)

    def _is_recent(self, begin: int, seen: Look) -> bool:
        """We may have written it since then."""
        return self._record.running and begin <= seen.changed <= self._record.saved + int(WINDOW_SECONDS * _NANO)

    def _pieces(self, number: int) -> range:
        return self._layout.pieces_of(number, self._piece_length)

    def _lose(self, number: int) -> None:
        for piece in self._pieces(number):
            self.have.discard(piece)
            self.doubtful.discard(piece)

    def _doubt(self, number: int, *, all_of_it: bool) -> None:
        for piece in self._pieces(number):
            if self.have.discard(piece) or all_of_it:
                self.doubtful.add(piece)
