"""One GET of a web seed: where the bytes of its body belong. No I/O.

The body is as long as it was announced to be, so it is known beforehand where each of its bytes goes: to the places of
blocks that follow one another, and what nobody wants to nowhere. A socket can fill them a megabyte at a time.
"""

from __future__ import annotations

from .web_answers import WebSeedError
from .web_runs import Part, Run
from .web_urls import Get, Where

# Bytes that one receive may fill, and one event brings. With half of it a download takes a twentieth longer: each wakes
# up three tasks. More is no faster: the kernel hardly holds more ready.
FORESEEN = 2 << 20

_NOWHERE = memoryview(bytearray(64 * 1024))  # for what nobody wants; it is never read


class Transfer:
    """One GET and its body, and what is wanted of it."""

    def __init__(self, resource: int, start: int, end: int, parts: dict[int, Run | Part], get: Get) -> None:
        self.get = get
        self.resource = resource
        self.skipped: int = 0  # bytes that nobody wanted
        self._at = start  # bytes from the start of the resource, as of the body's
        self._end = end
        self._parts = parts  # by where they begin; all of them are ahead
        self._current: Run | Part | None = None
        self._has_gaps = False  # there may be something ahead that nobody wants

    @property
    def missing(self) -> int:
        """Bytes of the body that have not come."""
        return self._end - self._at

    @property
    def is_wanted(self) -> bool:
        """There is somebody for what is still to come."""
        return self._current is not None or bool(self._parts)

    # -- bytes in ----------------------------------------------------------------------------------------------------

    def buffers(self) -> list[memoryview]:
        """Where the next bytes of the body go, in this order; for use at once. None at its end."""
        at, room, buffers = self._at, FORESEEN, []
        part = self._current or self._parts.get(at)
        while at < self._end and room:
            buffer = (_NOWHERE[: self._gap(at)] if part is None else part.room)[:room]
            buffers.append(buffer)
            at += len(buffer)
            room -= len(buffer)
            part = self._parts.get(at)
        return buffers

    def _gap(self, at: int) -> int:
        """Bytes from there on that nobody wants."""
        return min([start for start in self._parts if start > at], default=self._end) - at

    def received(self, count: int) -> list[Run]:
        """So many bytes went there; the runs of which blocks are whole now."""
        whole: list[Run] = []
        while count:
            if self._current is None:
                self._current = self._parts.pop(self._at, None)
            size = self._skip(count) if self._current is None else self._fill(self._current, count, whole)
            self._at += size
            count -= size
        return whole

    def _skip(self, count: int) -> int:
        size = min(count, self._gap(self._at))
        self.skipped += size
        return size

    def _fill(self, part: Run | Part, count: int, whole: list[Run]) -> int:
        missing = part.size - part.filled
        if part.fill(min(count, missing)):
            whole.append(part.run)
        if count >= missing:
            self._current = None
        return min(count, missing)

    def put(self, data: memoryview) -> int:
        """Copy what came of the body, or its beginning, to where it goes; how many bytes that were.

        WebSeedError if it is too much.
        """
        if len(data) > self.missing:
            raise WebSeedError("sends more than it said")
        taken = 0
        for buffer in self.buffers():
            size = min(len(buffer), len(data) - taken)
            buffer[:size] = data[taken : taken + size]
            taken += size
        return taken

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def lies_ahead(self, where: Where, length: int) -> bool:
        """The body has this, at an offset of a resource, nobody wants it, and it has not come."""
        if not self._has_gaps or where[0] != self.resource:
            return False
        offset = where[1]
        ahead = self._at + (0 if self._current is None else self._current.size - self._current.filled)
        return ahead <= offset and offset + length <= self._end

    def want(self, offset: int, part: Run | Part) -> None:
        """Something that lies ahead is wanted."""
        self._parts[offset] = part

    def set_apart(self, piece: int) -> Run | None:
        """Let what is being received of the piece be a block and no more; the rest of its run, which lies ahead."""
        run = self._current
        if not isinstance(run, Run) or run.piece != piece or run.is_block:
            return None
        rest = run.cut()
        self._parts[self._at - run.filled + run.size] = rest
        return rest

    def drop(self, offset: int, run: Run) -> None:
        """What the run has there is not wanted."""
        if (part := self._parts.get(offset)) is not None and part.run is run:
            del self._parts[offset]
            self._has_gaps = True
        if self._current is not None and self._current.run is run:
            self._current = None

    def restart(self, answered: range) -> None:
        """The body is not what was asked for, but these bytes of the resource."""
        self._at, self._end = answered.start, answered.stop
        self._has_gaps = True

    def leftovers(self) -> dict[int, Run | Part]:
        """What is wanted and did not come."""
        parts, self._parts = self._parts, {}
        if self._current is not None:
            current, self._current = self._current, None
            parts = {self._at - current.filled: current, **parts}
            current.empty()
        return parts
