"""Events for any number of listeners, none of whom can slow the engine down."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from .events import Checked, Completed, Failed, MetadataDone, Overflow, TorrentEvent

# Few, and after them there may be nothing more to tell: a listener that missed one would wait for ever.
WAITED_FOR = (MetadataDone, Checked, Completed, Failed)
SPARE = 16  # places for these, beside the buffer

Kinds = tuple[type[TorrentEvent], ...]
"""What somebody wants to hear of."""


@attrs.define(eq=False)
class _Listener:
    channel: trio.MemorySendChannel[TorrentEvent]
    buffer: int
    only: Kinds | None
    missed: int = 0

    def tell(self, event: TorrentEvent) -> None:
        if self.only is not None and not isinstance(event, self.only):
            return
        now, room = self.channel.statistics(), self.buffer + SPARE * isinstance(event, WAITED_FOR)
        if now.current_buffer_used >= room and not now.tasks_waiting_receive:
            self.missed += 1
            return
        try:
            if self.missed:
                self.channel.send_nowait(Overflow(self.missed))
                self.missed = 0
            self.channel.send_nowait(event)
        except trio.BrokenResourceError:
            pass  # it has stopped listening, and leaves when it is scheduled


class Broadcast:
    """A bounded channel for each listener. What does not fit is counted, and the count is sent when there is room."""

    def __init__(self) -> None:
        self._listeners: list[_Listener] = []
        self._closed = False

    def tell(self, event: TorrentEvent) -> None:
        """Tell everyone, without waiting."""
        for listener in self._listeners:
            listener.tell(event)

    @asynccontextmanager
    async def listen(
        self, buffer: int, only: Kinds | None = None
    ) -> AsyncIterator[trio.MemoryReceiveChannel[TorrentEvent]]:
        """What is told from here to the end of the block, with room for `buffer` unread events: all, or these alone."""
        send, receive = trio.open_memory_channel[TorrentEvent](math.inf)
        listener = _Listener(send, buffer, only)
        self._listeners.append(listener)
        if self._closed:
            send.close()
        try:
            with send, receive:  # without a checkpoint in between, at which something could be told to a closed channel
                yield receive
        finally:
            self._listeners.remove(listener)

    def close(self) -> None:
        """Nothing more will be told: listeners see the end."""
        self._closed = True
        for listener in self._listeners:
            listener.channel.close()
