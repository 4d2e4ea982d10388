"""Where the bytes of unwanted files go that come with wanted ones: a hidden file beside the torrent.

Pieces pay no heed to where files begin and end, so the first and the last piece of a wanted file may hold the end of an
unwanted neighbour. Such a neighbour is not created for the sake of a few bytes; they lie here until it is wanted.

Each file has two places of its own, for its bytes in the piece that it begins in and in the one that it ends in: never
others come without it being wanted. Where they are follows from the torrent alone, so there is no table to lose in a
crash, and a place always means the same bytes, whatever was selected when it was written.
"""

from __future__ import annotations

from itertools import accumulate

from trio_torrent.metainfo.files import File
from trio_torrent.metainfo.torrent import Metainfo

NAME_BYTES = 200  # of the torrent's name are in the part file's: with what is around it, no more than systems take


class Parts:
    """Which byte of which file is where in the part file."""

    def __init__(self, metainfo: Metainfo) -> None:
        self._piece_length = metainfo.geometry.piece_length
        self._files = metainfo.files
        self._starts: list[int] = []
        name = metainfo.name.encode()[:NAME_BYTES].decode(errors="ignore")
        self.name: str = f".{name}.{metainfo.info_hashes.wire.hex()[:8]}.parts"  # two torrents may have one name

    def runs(self, file: int) -> list[tuple[int, int]]:
        """The bytes of a file that may be here: where in the file they begin, and how many they are."""
        length = self._files[file].length
        head, tail = self._ends(self._files[file])
        return [(start, end - start) for start, end in ((0, head), (tail, length)) if end > start]

    def place(self, file: int, offset: int) -> int:
        """Where in the part file a byte of one of the file's `runs` is."""
        if not self._starts:
            sizes = (sum(length for _, length in self.runs(number)) for number in range(len(self._files)))
            self._starts = [0, *accumulate(sizes)]
        head, tail = self._ends(self._files[file])
        return self._starts[file] + (offset if offset < head else head + offset - tail)

    def _ends(self, file: File) -> tuple[int, int]:
        """Where the first piece's part of a file ends, and where the last one's begins, from its start."""
        head = min(file.length, -file.offset % self._piece_length)
        rest = file.end % self._piece_length
        return head, max(head, file.length - rest)
