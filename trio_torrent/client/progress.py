"""How far a torrent is: in bytes, and file by file."""

from __future__ import annotations

from collections.abc import Set

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.files import FileLayout, FileSlice
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.metainfo.torrent import Metainfo


class Progress:
    """Counts what is verified of what is wanted.

    `have` is the scheduler's set; `verified` is told of each piece that joins it.
    """

    def __init__(self, layout: FileLayout, geometry: Geometry, have: Bitfield, skipped: Set[int] = frozenset()) -> None:
        self.have = have
        self.geometry = geometry
        self._layout = layout
        owns = [layout.pieces_of(number, geometry.piece_length) for number in range(len(layout.files))]
        self._lacking = [_lacking(own, have) for own in owns]  # pieces
        self.file_done: list[int] = [self._done(number, own) for number, own in enumerate(owns)]  # bytes
        self.want(skipped)

    @classmethod
    def of(cls, metainfo: Metainfo, have: Bitfield, skipped: Set[int] = frozenset()) -> Progress:
        """Of a torrent."""
        return cls(metainfo.layout, metainfo.geometry, have, skipped)

    @classmethod
    def unknown(cls) -> Progress:
        """Of a torrent of which only the name is known."""
        return cls(FileLayout(()), Geometry.contiguous(BLOCK_SIZE, 0), Bitfield(0))

    def _done(self, number: int, own: range) -> int:
        file, lacking = self._layout.files[number], self._lacking[number]
        if file.padding or lacking == len(own):
            return 0
        return sum(self._overlap(number, piece) for piece in own if piece in self.have) if lacking else file.length

    def _overlap(self, number: int, piece: int) -> int:
        file, start = self._layout.files[number], self.geometry.piece_start(piece)
        return min(file.end, start + self.geometry.piece_length) - max(file.offset, start)

    def want(self, skipped: Set[int]) -> None:
        """All files but these are wanted."""
        files = enumerate(self._layout.files)
        self._wanted = [number for number, file in files if not file.padding and number not in skipped]
        self._skipped = skipped
        self.total: int = sum(self._layout.files[number].length for number in self._wanted)
        self.done: int = sum(self.file_done[number] for number in self._wanted)

    @property
    def complete(self) -> bool:
        """Every file that is wanted is there."""
        return not any(self._lacking[number] for number in self._wanted)

    def verified(self, piece: int) -> list[int]:
        """A piece has joined `have`: the files that it completes."""
        completed = []
        for part in self._slices(piece):
            number, file = part.file, self._layout.files[part.file]
            self._lacking[number] -= 1
            if not file.padding:
                self.file_done[number] += part.length
                self.done += part.length if number not in self._skipped else 0
                if not self._lacking[number]:
                    completed.append(number)
        return completed

    def _slices(self, piece: int) -> list[FileSlice]:
        return self._layout.slices(self.geometry.piece_start(piece), self.geometry.piece_size(piece))


def _lacking(pieces: range, have: Bitfield) -> int:
    """How many; mostly all or none of them."""
    if have.complete or not have.count:
        return 0 if have.complete else len(pieces)
    return sum(piece not in have for piece in pieces)
