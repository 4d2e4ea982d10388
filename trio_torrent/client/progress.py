"""How far a torrent is: in bytes, and file by file."""

from __future__ import annotations

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.files import FileLayout, FileSlice
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.metainfo.torrent import Metainfo


class Progress:
    """Counts what is verified. `have` is the scheduler's set; `verified` is told of each piece that joins it."""

    def __init__(self, layout: FileLayout, geometry: Geometry, have: Bitfield) -> None:
        self.have = have
        self.geometry = geometry
        self._layout = layout
        self._lacking = [
            sum(piece not in have for piece in layout.pieces_of(number, geometry.piece_length))
            for number in range(len(layout.files))
        ]
        self.done = sum(self._bytes(piece) for piece in have)

    @classmethod
    def of(cls, metainfo: Metainfo, have: Bitfield) -> Progress:
        """Of a torrent."""
        return cls(metainfo.layout, metainfo.geometry, have)

    @classmethod
    def unknown(cls) -> Progress:
        """Of a torrent of which only the name is known."""
        return cls(FileLayout(()), Geometry.contiguous(BLOCK_SIZE, 0), Bitfield(0))

    def verified(self, piece: int) -> list[str]:
        """A piece has joined `have`: the paths of the files that it completes."""
        self.done += self._bytes(piece)
        completed = []
        for number in dict.fromkeys(part.file for part in self._slices(piece)):
            self._lacking[number] -= 1
            file = self._layout.files[number]
            if not self._lacking[number] and not file.padding:
                completed.append("/".join(file.path))
        return completed

    def _bytes(self, piece: int) -> int:
        """Bytes of a piece that are in files: padding is nobody's progress."""
        return sum(part.length for part in self._slices(piece) if not self._layout.files[part.file].padding)

    def _slices(self, piece: int) -> list[FileSlice]:
        return self._layout.slices(self.geometry.piece_start(piece), self.geometry.piece_size(piece))
