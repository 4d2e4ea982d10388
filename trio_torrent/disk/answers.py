"""What peers have asked for, as the messages that carry it: headers and blocks end to end, ready to be sent.

Blocks that follow one another are read by one call, each to its place between two headers. Nearly always they are in
the system's memory already, and then a thread would cost more than the reading does: two wakings, and a wait for the
interpreter. So it is tried without one first, in a way that never waits for a disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire.codec import PIECE_HEADER, put_piece_header
from trio_torrent.wire.messages import Request

from .files import Files
from .glance import Run


@attrs.frozen(eq=False)
class Answer:
    """`message` has the headers, and room for the blocks: where they are, and where they go."""

    message: bytearray = attrs.field(repr=False)
    _runs: Sequence[Run]
    _files: Files

    @classmethod
    def to(cls, requests: Sequence[Request], geometry: Geometry, files: Files) -> Answer:
        """What answers these requests. No block has been read yet."""
        message = bytearray(sum([PIECE_HEADER + request.length for request in requests]))
        return cls(message, _runs(requests, geometry, memoryview(message)), files)

    def fill_at_once(self) -> bool:
        """Read the blocks, if that means no waiting: for the event loop. False if it would, or if all is not well."""
        return self._files.fill_at_once(self._runs)

    def fill(self) -> None:
        """Read the blocks. For any thread.

        StorageError if a file cannot be read; ChangedError if one that was complete is not what it was.
        """
        for start, places in self._runs:
            self._files.fill(start, places)
            # Afterwards: so nothing leaves that was overwritten before it was read.
            self._files.assure(start, sum(map(len, places)))


def _runs(requests: Sequence[Request], geometry: Geometry, message: memoryview) -> list[Run]:
    """Write the headers. Where blocks begin that follow one another, in the address space, and their places."""
    runs: list[Run] = []
    places: list[memoryview] = []
    at, end = 0, -1
    for request in requests:
        put_piece_header(message, at, request)
        at += PIECE_HEADER
        start = geometry.piece_start(request.piece) + request.offset
        if start != end:
            places = []
            runs.append((start, places))
        places.append(message[at : at + request.length])
        at += request.length
        end = start + request.length
    return runs
