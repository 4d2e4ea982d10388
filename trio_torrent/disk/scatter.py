"""A run of a torrent's bytes, into many buffers: which of them belong to which file.

What a peer asks for lies end to end in a file, nearly always; but in what it is sent, a header is between any two
blocks. One call of the system reads it all the same, given a list of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trio_torrent.metainfo.files import FileSlice


def scattered(
    slices: Iterable[FileSlice], buffers: Sequence[memoryview]
) -> Iterator[tuple[FileSlice, list[memoryview]]]:
    """Each slice with the buffers that it fills, in order. One across two files is cut where the first of them ends."""
    rest = list(reversed(buffers))
    for part in slices:
        filled, missing = [], part.length
        while missing and rest:
            buffer = rest.pop()
            if len(buffer) > missing:
                rest.append(buffer[missing:])
                buffer = buffer[:missing]
            filled.append(buffer)
            missing -= len(buffer)
        yield part, filled
