"""What a peer has asked for and has not been sent, and how much of it goes next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.wire.codec import PIECE_HEADER
from trio_torrent.wire.messages import Request

from .throttle import Throttle

# Blocks sent in one go, at most: half a megabyte, and who asks for longer blocks gets fewer. Twice as much would take a
# seventh less processor for a fast peer; but with what it may say meanwhile a peer must not cost more than 2 MiB. What
# is being sent cannot be taken back, so a slow peer is sent less at once: as long as a batch takes more than
# `SLOW_SECONDS` the next is half as long, and where it takes less than `QUICK_SECONDS` it is twice as long.
BATCH = 32
BATCH_BYTES = BATCH * (PIECE_HEADER + BLOCK_SIZE)
FIRST_BATCH = 8
SLOW_SECONDS = 0.5
QUICK_SECONDS = 0.125


class Backlog:
    """One peer's requests, in the order in which they came. `wake` is called when it is this peer's turn to be sent."""

    def __init__(self, throttle: Throttle, wake: Callable[[], None]) -> None:
        self._throttle = throttle
        self._wake = wake
        self._requests: dict[Request, None] = {}
        self._batch = FIRST_BATCH
        self._granted = 0  # bytes that may be sent; of no matter where there is no limit

    def add(self, requests: Iterable[Request]) -> None:
        """These come last."""
        self._requests.update(dict.fromkeys(requests))

    def remove(self, requests: Sequence[Request] | None) -> list[Request]:
        """These, or all, are not to be sent: those that are here."""
        found = list(self._requests) if requests is None else [r for r in requests if r in self._requests]
        for request in found:
            del self._requests[request]
        return found

    def next_batch(self) -> tuple[Request, ...]:
        """What is to be sent now, and from here on is not here; none, if there is none or a limit makes it wait."""
        is_open = self._throttle.is_open
        batch = self._oldest(math.inf if is_open else self._granted)
        for request in batch:
            del self._requests[request]
        if not is_open:
            self._settle(_size(batch))
            if self._requests and not batch:
                self._throttle.stand_in_line(self._on_turn)
        return batch

    def sent(self, seconds: float) -> None:
        """The last batch took so long."""
        if seconds > SLOW_SECONDS:
            self._batch = max(1, self._batch // 2)
        elif seconds < QUICK_SECONDS:
            self._batch = min(BATCH, self._batch * 2)

    def close(self) -> None:
        """Nothing will be sent any more."""
        self._throttle.leave(self._on_turn)
        self._settle(0)

    def _oldest(self, most: float) -> tuple[Request, ...]:
        """As many as are so many bytes; the last may be more than is left, so that there is always one."""
        batch, most = [], min(most, BATCH_BYTES)
        for request in islice(self._requests, self._batch):
            if most <= 0:
                break
            most -= PIECE_HEADER + request.length
            batch.append(request)
        return tuple(batch)

    def _on_turn(self, most: int) -> int:
        self._granted = _size(self._oldest(most))
        if self._granted:
            self._wake()
        return self._granted

    def _settle(self, sent: int) -> None:
        """Requests may have been removed since the turn came: what was granted and is not sent is for others."""
        self._throttle.take(sent - self._granted)
        self._granted = 0


def _size(requests: Iterable[Request]) -> int:
    """Of the messages: who asks for single bytes gets no more than others."""
    return sum(PIECE_HEADER + request.length for request in requests)
