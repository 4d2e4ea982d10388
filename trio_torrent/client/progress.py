"""How far a torrent is: in bytes, and file by file."""

from __future__ import annotations

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.files import FileSlice
from trio_torrent.metainfo.torrent import Metainfo


class Progress:
    """Counts what is verified. `have` is the scheduler's set; `verified` is told of each piece that joins it."""

    def __init__(self, metainfo: Metainfo, have: Bitfield) -> None:
        self.have = have
        self._metainfo = metainfo
        length = metainfo.geometry.piece_length
        self._lacking = [
            sum(piece not in have for piece in metainfo.layout.pieces_of(number, length))
            for number in range(len(metainfo.files))
        ]
        self.done = sum(self._bytes(piece) for piece in have)

    def verified(self, piece: int) -> list[str]:
        """A piece has joined `have`: the paths of the files that it completes."""
        self.done += self._bytes(piece)
        completed = []
        for number in dict.fromkeys(part.file for part in self._slices(piece)):
            self._lacking[number] -= 1
            file = self._metainfo.files[number]
            if not self._lacking[number] and not file.padding:
                completed.append("/".join(file.path))
        return completed

    def _bytes(self, piece: int) -> int:
        """Bytes of a piece that are in files: padding is nobody's progress."""
        return sum(part.length for part in self._slices(piece) if not self._metainfo.files[part.file].padding)

    def _slices(self, piece: int) -> list[FileSlice]:
        geometry = self._metainfo.geometry
        return self._metainfo.layout.slices(geometry.piece_start(piece), geometry.piece_size(piece))
