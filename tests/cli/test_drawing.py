"""What fits into a small terminal, and how."""

from __future__ import annotations

import io

import attrs
import pytest
from rich.cells import cell_len
from rich.console import Console

from trio_torrent import Stall, State, Status
from trio_torrent.cli.drawing import Shown, draw, shorten
from trio_torrent.cli.lines import Row, together

from .test_origins import REFUSED
from .test_words import DOWNLOADING

SIZES = [(60, 20), (80, 24), (20, 5), (9, 3), (1, 1)]


def drawn(rows: list[Shown], width: int, height: int, total: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(draw(rows, width, height, total))
    return capture.get().splitlines()


def rows(count: int, **changes) -> list[Shown]:
    status: Status = attrs.evolve(DOWNLOADING, **changes)
    return [Row(f"漢字.Some.Long.Name.S01E{number:02}.mkv", status) for number in range(count)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("count", [0, 1, 2, 10, 300])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"done": 10**15, "total": 10**16, "down_rate": 1.07e9, "up_rate": 1.07e9, "peers": 1000, "seeds": 1000},
        {"stall": Stall.NO_PEERS, "reason": "no peers known (x" + " and more" * 30, "trackers": (REFUSED,) * 20},
        {"state": State.CHECKING},
        {"state": State.SEEDING},
        {"state": State.METADATA, "total": 0, "done": 0, "reason": "no peers known"},
    ],
)
def test_it_always_fits(width, height, count, changes):
    lines = drawn(rows(count, **changes), width, height, "a summary of it all " * 5 if count > 1 else "")
    assert all(cell_len(line) <= width for line in lines)
    assert len(lines) <= max(height - 2, 2 if count > 1 else 3)


def test_ten_torrents_in_a_small_terminal():
    lines = drawn(rows(10), 60, 20, "4 of 10 torrents complete, down 1.0 KiB/s, up 20 B/s")
    assert lines[0] == "漢字.Some.…S01E00.mkv  45.0%  100 B/s, 5.5 s, 3 peers"
    assert len(lines) == 11
    assert lines[-1] == "4 of 10 torrents complete, down 1.0 KiB/s, up 20 B/s"


def test_figures_do_not_move_when_names_differ():
    lines = drawn([Row("x", DOWNLOADING), *rows(9)], 60, 20)
    assert {cell_len(line.partition("45.0%")[0]) for line in lines} == {22 + 1}


def test_few_torrents_have_more_lines():
    assert len(drawn(rows(5), 60, 20)) == 15
    assert len(drawn(rows(6), 60, 20)) == 18
    assert len(drawn(rows(7), 60, 20)) == 7


def test_where_peers_should_come_from_is_shown_if_there_are_none():
    stalled = rows(1, stall=Stall.NO_PEERS, reason="no peers known", trackers=(REFUSED, REFUSED))
    lines = drawn([*stalled, *rows(1)], 60, 20)
    assert lines[3] == lines[4] == "  tracker t.example:80: failing: refused, again in 30 s"
    assert len(lines) == 8
    assert len(drawn([*stalled, *rows(1)], 60, 9)) == 7  # as many as there is room for


def test_so_it_is_for_whoever_asks():
    status = attrs.evolve(DOWNLOADING, trackers=(REFUSED,))
    assert len(drawn([Row("x", status, verbose=True)], 60, 20)) == 4
    assert len(drawn([Row("x", status)], 60, 20)) == 3


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc…fg"),
        ("abcdefg", 3, "a…g"),
        ("abcdefg", 2, "ab"),
        ("abcdefg", 0, ""),
        ("漢字漢字漢字", 7, "漢 … 字"),  # half a character is none
        ("", 3, ""),
    ],
)
def test_names_lose_their_middle(text, width, short):
    assert shorten(text, width) == short
    assert cell_len(short) <= width


def test_all_of_them_in_a_line():
    assert together([DOWNLOADING, DOWNLOADING], "1 of 3 torrents complete") == (
        "1 of 3 torrents complete, down 200 B/s, up 4 B/s"
    )


def test_in_few_words():
    def brief(**changes) -> str:
        return Row("x", attrs.evolve(DOWNLOADING, **changes)).brief

    assert brief() == "100 B/s, 5.5 s, 3 peers"
    assert brief(down_rate=0) == "0 B/s, 3 peers"
    assert brief(reason="all peers choke us") == "all peers choke us"
    assert brief(state=State.CHECKING) == "checking"
    assert brief(state=State.SEEDING) == "seeding, up 2 B/s"
    assert brief(state=State.WAITING, reason="full") == "waiting for the disk: full"
