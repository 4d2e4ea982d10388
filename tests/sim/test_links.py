"""The model itself: it must not flatter."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.sim.clock import Clock
from tests.sim.links import FIRST_WINDOW, Host, Pipe
from trio_torrent.wire.messages import Have, Message

BLOCK = 16397


class Line:
    """A pipe, and when what came out of it."""

    def __init__(self, sender: Host, receiver: Host) -> None:
        self.heard: list[tuple[float, Message]] = []
        self.pipe = Pipe(sender, receiver, receive=self.hear, drained=lambda: None)

    def hear(self, messages: tuple[Message, ...]) -> None:
        self.heard += [(self.pipe.clock.now, message) for message in messages]

    def put(self, count: int, size: int = BLOCK) -> None:
        for number in range(count):
            self.pipe.put(size, (Have(number),))

    def rate(self) -> float:
        """Bytes a second of all that was heard but the first."""
        return (len(self.heard) - 1) * BLOCK / (self.heard[-1][0] - self.heard[0][0])


def test_events_at_the_same_moment_keep_their_order():
    clock, seen = Clock(), list[int]()
    for number in range(5):
        clock.at(1.0, seen.append, number)
    clock.at(2.0, seen.append, 99)
    clock.run(1.5)
    assert (seen, clock.now) == ([0, 1, 2, 3, 4], 1.5)


def test_an_uplink_carries_its_rate_and_no_more():
    clock = Clock()
    line = Line(Host(clock, up=1e6), Host(clock))
    line.put(200)
    clock.run(10)
    assert len(line.heard) == 200
    assert line.rate() == pytest.approx(1e6, rel=0.03)


def test_connections_share_an_uplink_alike():
    clock = Clock()
    sender = Host(clock, up=1e6)
    lines = [Line(sender, Host(clock)) for _ in range(4)]
    for line in lines:
        line.put(200)
    clock.run(4)
    assert [len(line.heard) for line in lines] == pytest.approx([60] * 4, abs=2)


def test_a_downlink_carries_its_rate_whoever_sends():
    clock = Clock()
    receiver = Host(clock, down=1e6)
    lines = [Line(Host(clock, up=1e6), receiver) for _ in range(4)]
    for line in lines:
        line.put(200)
    clock.run(4)
    assert sum(len(line.heard) for line in lines) * BLOCK == pytest.approx(4e6, rel=0.03)


def test_a_window_takes_a_round_trip():
    clock = Clock()
    line = Line(Host(clock, up=1e9, delay=0.05), Host(clock, delay=0.05, window=20 * BLOCK))
    line.put(2000)
    clock.run(8)
    assert line.rate() == pytest.approx(20 * BLOCK / 0.2, rel=0.1)


def test_the_window_opens_as_tcps_does():
    """Ten segments, then twice as much with each round trip."""
    clock = Clock()
    line = Line(Host(clock, up=1e9, delay=0.05), Host(clock, delay=0.05))
    line.put(2000)
    came = []
    for round_trip in range(1, 7):
        clock.run(0.2 * round_trip - 0.05)
        came.append(len(line.heard) * BLOCK)
    assert came[0] < 2 * FIRST_WINDOW + BLOCK
    assert all(2 <= after / before <= 4 for before, after in pairwise(came))


def test_a_stream_keeps_its_order():
    """A few bytes overtake nothing of their own connection."""
    clock = Clock()
    line = Line(Host(clock, up=1e5), Host(clock, down=1e5))
    line.put(3)
    line.pipe.put(9, (Have(3),))
    clock.run(0.3)
    line.pipe.put(9, (Have(4),))
    clock.run(10)
    assert [message for _, message in line.heard] == [Have(number) for number in range(5)]


def test_a_few_bytes_on_an_idle_connection_do_not_wait_for_the_others():
    clock = Clock()
    sender = Host(clock, up=1e4)
    busy, idle = Line(sender, Host(clock)), Line(sender, Host(clock))
    busy.put(10)
    idle.put(1, 9)
    clock.run(10)
    assert [when for when, _ in idle.heard] == [pytest.approx(0.02)]


def test_nothing_comes_out_of_a_closed_pipe():
    clock = Clock()
    line = Line(Host(clock, up=1e5), Host(clock))
    line.put(10)
    clock.run(0.5)
    heard = len(line.heard)
    line.pipe.close()
    line.put(1)
    clock.run(10)
    assert 0 < heard == len(line.heard)
