"""Every case, from each side and with each dialect, in virtual time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import trio

from trio_torrent.wire import messages as wire

from . import asking, choking, extensions, framing, giving, handshakes, haves, lies, visits
from .arena import Arena, Played, arena
from .case import Answered, Banned, Case, Dropped, Ignored, Refused, Side

CASES: list[Case] = [
    case
    for table in (handshakes, framing, haves, asking, giving, choking, lies, extensions, visits)
    for case in table.CASES
]

# The honest way to part: both have everything.
NO_HARD_FEELINGS = {"both have everything"}

MOST_MEMORY = 2 << 20  # bytes that one peer may cost
SCENERY = 1 << 20  # what the honest peer, its download and the links cost meanwhile


def ways() -> Iterator[object]:
    for case in CASES:
        for side, fast in case.ways:
            name = f"{case.name}-{side.value}-{'fast' if fast else 'plain'}"
            yield pytest.param(case, side, fast, id=name, marks=[pytest.mark.slow] if case.floods else [])


@pytest.mark.parametrize(("case", "side", "fast"), list(ways()))
async def test_what_comes_of_it(
    case: Case, side: Side, fast: bool, tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    async with arena(case, side, fast, tmp_path) as world:
        with memory_is_watched() if case.floods and (side, fast) == case.ways[-1] else nullcontext():
            await world.run()
        await trio.sleep(1)
        judge(case, world.played, side, fast)
        if isinstance(case.expected, Dropped | Banned):
            assert await world.is_let_in_again() is isinstance(case.expected, Dropped)
        nobody_else_was_harmed(world)


@contextmanager
def memory_is_watched() -> Iterator[None]:
    """What one peer costs, beside the scenery, has its limit."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < SCENERY + MOST_MEMORY


def nobody_else_was_harmed(world: Arena) -> None:
    assert set(world.played.honest_gone) <= NO_HARD_FEELINGS
    assert world.bytes_are_right()
    assert world.node.boundary.unexpected == 0
    assert world.boundary.unexpected == 0


def judge(case: Case, played: Played, side: Side, fast: bool) -> None:
    """What came of it is what was expected."""
    gone = [(when, why) for when, why in played.gone if why not in NO_HARD_FEELINGS]
    match case.expected:
        case Ignored():
            assert not gone
            assert played.finished is not None
        case Answered(messages):
            assert not gone
            assert played.finished is not None
            assert [m for m in played.heard if isinstance(m, wire.Piece | wire.Reject)] == [
                m for m in messages if fast or not isinstance(m, wire.Reject)
            ]
        case Dropped(reason, after, by):
            when, why = played.gone[0]
            assert why == reason
            assert after <= when <= by
        case Banned(by):
            when, why = played.gone[0]
            assert why == "sent a wrong block"
            assert when <= by
        case Refused(reason, after, by):
            assert played.gone == []
            assert played.shut is not None
            assert after <= played.shut <= by
            assert [why for _, why in played.refused] == ([reason] if side is Side.DIALLED else [])


def test_each_case_has_a_name_of_its_own():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 80
