"""Bandwidth and delay: hosts with an access link each, and the two directions of the connections between them.

What is modelled, because schedulers feel it:

- A host's uplink carries one thing at a time and its connections take turns, a block or two milliseconds' worth each:
  TCP's fair share. The downlink carries what arrives in the order in which it arrives.
- A connection has at most a window of bytes on their way. The window begins with ten segments and grows by what is
  acknowledged: slow start. It never shrinks, for nothing is lost here.
- A stream keeps its order: a `have` said behind half a megabyte of blocks arrives behind them. A few bytes on an idle
  connection are on their way at once, as every fair queue lets a sparse flow go first; they cost no bandwidth.
- Who writes may be ahead of the link by the kernel's send buffer, and then waits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from trio_torrent.wire.messages import Message

from .clock import Clock

FIRST_WINDOW = 10 * 1460  # RFC 6928
WINDOW = 4 << 20  # bytes; what Linux lets a receive buffer grow to, about
TURN_SECONDS = 0.002  # of an uplink
SPARSE = 1400  # bytes that go into one packet


class Host:
    """One machine and its access link: bytes a second up and down, and seconds to the middle of the network."""

    def __init__(
        self, clock: Clock, *, up: float = math.inf, down: float = math.inf, delay: float = 0.01, window: int = WINDOW
    ) -> None:
        self.clock = clock
        self.up = up
        self.down = down
        self.delay = delay
        self.window = window
        self._turn = up * TURN_SECONDS
        self._ready: deque[Pipe] = deque()
        self._busy = False
        self._down_free = 0.0  # when the downlink has carried all that has arrived

    def offer(self, pipe: Pipe) -> None:
        """The pipe may have something for the uplink."""
        if pipe.is_ready():
            self._ready.append(pipe)
            self._go_on()

    def _go_on(self) -> None:
        if self._busy or not self._ready:
            return
        self._busy = True
        pipe = self._ready.popleft()
        size, messages = pipe.take(self._turn)
        self.clock.at(self.clock.now + size / self.up, self._sent, pipe, size, messages)

    def _sent(self, pipe: Pipe, size: int, messages: tuple[Message, ...]) -> None:
        self._busy = False
        self.clock.at(self.clock.now + pipe.delay, pipe.receiver.arrived, pipe, size, messages)
        self.offer(pipe)
        pipe.sent(size)
        self._go_on()

    def arrived(self, pipe: Pipe, size: int, messages: tuple[Message, ...]) -> None:
        """Something is at the other end of the downlink."""
        self._down_free = max(self._down_free, self.clock.now) + size / self.down
        if self._down_free <= self.clock.now:
            pipe.delivered(size, messages)
        else:
            self.clock.at(self._down_free, pipe.delivered, size, messages)


class Pipe:
    """One direction of a connection: messages go in by `put`, and come out at `receive` in the same order."""

    def __init__(
        self,
        sender: Host,
        receiver: Host,
        *,
        receive: Callable[[tuple[Message, ...]], None],
        drained: Callable[[], None],
    ) -> None:
        self.clock = sender.clock
        self.sender = sender
        self.receiver = receiver
        self.delay = sender.delay + receiver.delay
        self.unsent = 0  # bytes that wait for the uplink
        self._receive = receive
        self._drained = drained
        self._queue: deque[tuple[int, tuple[Message, ...]]] = deque()
        self._waits_its_turn = False
        self._travelling = 0  # bytes between `take` and `delivered`
        self._window = FIRST_WINDOW
        self._unacknowledged = 0
        self._acknowledgements: deque[tuple[float, int]] = deque()
        self._waits_for_window = False
        self._closed = False

    def put(self, size: int, messages: tuple[Message, ...]) -> None:
        """Send this after what was put before."""
        if self._closed:
            return
        if size <= SPARSE and not self._queue and not self._travelling:
            self.clock.at(self.clock.now + self.delay, self._hand_over, messages)
            return
        self._queue.append((size, messages))
        self.unsent += size
        self.sender.offer(self)

    def close(self) -> None:
        """Nothing more goes in or comes out."""
        self._closed = True
        self._queue.clear()
        self.unsent = 0

    # -- for the hosts at the ends -----------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """It wants a turn and may have one; it is asked once for each."""
        if self._waits_its_turn or not self._queue or not self._may_send():
            return False
        self._waits_its_turn = True
        return True

    def take(self, most: float) -> tuple[int, tuple[Message, ...]]:
        """What goes over the uplink in one turn: about so many bytes, one entry at the least."""
        self._waits_its_turn = False
        if not self._queue:
            return 0, ()  # closed while it waited
        size, messages = self._queue.popleft()
        while self._queue and size + self._queue[0][0] <= min(most, self._window - self._unacknowledged):
            more = self._queue.popleft()
            size += more[0]
            messages += more[1]
        self._unacknowledged += size
        self._travelling += size
        return size, messages

    def sent(self, size: int) -> None:
        """So many bytes have left the send buffer."""
        if not self._closed:
            self.unsent -= size
            self._drained()

    def delivered(self, size: int, messages: tuple[Message, ...]) -> None:
        """The other side has them, and acknowledges."""
        self._travelling -= size
        self._acknowledgements.append((self.clock.now + self.delay, size))
        if self._waits_for_window and len(self._acknowledgements) == 1:
            self.clock.at(self._acknowledgements[0][0], self._look_again)
        self._hand_over(messages)

    def _hand_over(self, messages: tuple[Message, ...]) -> None:
        if not self._closed and messages:
            self._receive(messages)

    def _may_send(self) -> bool:
        acknowledgements, now = self._acknowledgements, self.clock.now
        while acknowledgements and acknowledgements[0][0] <= now:
            _, size = acknowledgements.popleft()
            self._unacknowledged -= size
            self._window = min(self.receiver.window, self._window + size)
        if self._unacknowledged < self._window:
            return True
        if not self._waits_for_window:
            self._waits_for_window = True
            if acknowledgements:
                self.clock.at(acknowledgements[0][0], self._look_again)
        return False

    def _look_again(self) -> None:
        self._waits_for_window = False
        self.sender.offer(self)
