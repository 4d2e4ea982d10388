"""The files of a torrent, and where in them the bytes of its pieces are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import attrs


@attrs.frozen
class File:
    """One file. Its path is safe to join to a save path, whatever the torrent called it.

    A symbolic link (BEP 47) has length 0; its target is a path like `path`, in the same torrent.
    """

    path: tuple[str, ...]  # from the save path; a torrent of many files puts its name first
    length: int  # bytes
    offset: int  # bytes, in the address space of the pieces
    padding: bool = False  # BEP 47: zeros that are never stored
    executable: bool = False
    hidden: bool = False
    symlink: tuple[str, ...] | None = None
    pieces_root: bytes | None = attrs.field(default=None, repr=False)  # BEP 52; None where there is nothing to hash
    raw_path: tuple[bytes, ...] = attrs.field(default=(), repr=False)  # what the torrent calls it

    @property
    def end(self) -> int:
        """One past its last byte, in the address space of the pieces."""
        return self.offset + self.length

    def moved_to(self, offset: int) -> File:
        """The same file, elsewhere in the address space."""
        attributes = (self.padding, self.executable, self.hidden, self.symlink)
        return File(self.path, self.length, offset, *attributes, self.pieces_root, self.raw_path)


@attrs.frozen
class FileSlice:
    """A run of bytes in one file."""

    file: int  # its place in FileLayout.files
    offset: int  # bytes from the start of the file
    length: int  # bytes, at least 1


def padding_of(files: Iterable[File]) -> list[tuple[int, int]]:
    """The offset and length of each padding file."""
    return [(file.offset, file.length) for file in files if file.padding]


class FileLayout:
    """The files of a torrent, in the order and at the offsets of its address space."""

    __slots__ = ("_numbers", "_starts", "files")

    files: tuple[File, ...]

    def __init__(self, files: Iterable[File]) -> None:
        self.files = tuple(files)
        # Empty files would answer a bisection with nothing, so they are not in it.
        self._numbers = [number for number, file in enumerate(self.files) if file.length]
        self._starts = [self.files[number].offset for number in self._numbers]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileLayout):
            return NotImplemented
        return self.files == other.files

    def __hash__(self) -> int:
        return hash(self.files)

    def __repr__(self) -> str:
        return f"<FileLayout of {len(self.files)} files>"

    def slices(self, start: int, length: int) -> list[FileSlice]:
        """What `length` bytes of the address space from `start` are, in order.

        Padding files are included, for the caller to skip; gaps (v2) and what is past the end give nothing.
        """
        end = start + length
        found = []
        at = max(bisect_right(self._starts, start) - 1, 0)
        for place in range(at, len(self._numbers)):  # not a slice: that would step over, or copy, all the others
            number = self._numbers[place]
            file = self.files[number]
            if file.offset >= end:
                break
            begin = max(start, file.offset)
            run = min(end, file.end) - begin
            if run > 0:
                found.append(FileSlice(number, begin - file.offset, run))
        return found

    def file_at(self, offset: int) -> File:
        """The file that has the byte at `offset` of the address space; in a gap, the file before it."""
        return self.files[self._numbers[bisect_right(self._starts, offset) - 1]]

    def pieces_of(self, file: int, piece_length: int) -> range:
        """The pieces that hold a byte of the file with this number; none for an empty file."""
        first = self.files[file].offset // piece_length
        return range(first, -(-self.files[file].end // piece_length) if self.files[file].length else first)
