"""How sizes, times and states are said."""

import attrs
import pytest

from trio_torrent import State, Status
from trio_torrent.cli import lines, words
from trio_torrent.cli.display import progress

DOWNLOADING = Status(
    state=State.DOWNLOADING,
    done=450,
    total=1000,
    pieces_done=4,
    pieces=10,
    checked=10,
    downloaded=500,
    uploaded=10,
    wasted=5,
    down_rate=100.0,
    up_rate=2.0,
    peers=3,
    seeds=1,
    known=9,
    stall=None,
    reason=None,
    trackers=(),
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (1 << 20, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (5000 << 40, "5000.0 TiB"),
        (12.7, "12 B"),
    ],
)
def test_sizes(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "40 ms"),
        (0.9999, "1.0 s"),
        (9.94, "9.9 s"),
        (31.9, "31 s"),
        (60, "1 min 00 s"),
        (302, "5 min 02 s"),
        (7500, "2 h 05 min"),
        (3 * 86400 + 4 * 3600, "3 d 04 h"),
    ],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 3, "0.0%"), (1, 3, "33.3%"), (9999, 10000, "99.9%"), (10000, 10000, "100.0%"), (0, 0, "100.0%")],
)
def test_percents_never_round_up(done, total, text):
    assert words.percent(done, total) == text


def test_strangers_cannot_move_the_cursor():
    assert words.clean("a\x1b[2Jb\r\nc\x00\u202ed\x9b") == "a\ufffd[2Jb\ufffd\ufffdc\ufffd\ufffdd\ufffd"
    assert words.clean("Über größe 漢字 🐧") == "Über größe 漢字 🐧"
    assert words.clean("\udcff") == "\ufffd"  # a file name that is no UTF-8


def test_bytes_as_text():
    assert words.readable(b'-TR3000-"\\\x00\xff~ ') == r"-TR3000-\x22\x5c\x00\xff~ "


def test_bytes_in_hexadecimal():
    assert words.hex_start(b"\xab" * 16) == "ab" * 16
    assert words.hex_start(b"\xab" * 17) == "ab" * 16 + "…"


def test_plurals():
    assert (words.plural(1, "peer"), words.plural(2, "peer"), words.plural(0, "peer")) == (
        "1 peer",
        "2 peers",
        "0 peers",
    )


def line(**changes) -> str:
    return progress(lines.Row("x", attrs.evolve(DOWNLOADING, **changes)))


def test_a_torrent_in_one_line():
    assert line() == "x: 45.0% of 1000 B, down 100 B/s, up 2 B/s, 3 peers (1 seed), 5.5 s left"
    assert line(reason="no peers known", down_rate=0) == "x: 45.0% of 1000 B, no peers known"
    assert line(down_rate=0, peers=1, seeds=0) == "x: 45.0% of 1000 B, down 0 B/s, up 2 B/s, 1 peer"
    assert line(state=State.CHECKING, checked=5) == "x: 50.0%, checking, 5 of 10 pieces"
    assert line(state=State.SEEDING, done=1000) == "x: 100.0% of 1000 B, seeding, up 2 B/s, 10 B in all, 3 peers"
    assert line(state=State.FAILED) == "x: 45.0% of 1000 B, failed"
    assert line(state=State.STOPPED) == "x: 45.0% of 1000 B, stopped"


def test_the_time_left_is_not_said_when_nobody_knows():
    assert lines.time_left(attrs.evolve(DOWNLOADING, down_rate=0.0)) is None
    assert lines.time_left(attrs.evolve(DOWNLOADING, total=10**18)) is None
    assert lines.time_left(attrs.evolve(DOWNLOADING, done=1000)) is None
    assert lines.time_left(DOWNLOADING) == 5.5


def test_the_summary():
    figures = "100 B/s on average, 5 B wasted, ratio 0.01"
    assert lines.finished("x", DOWNLOADING, 5) == f"x: complete, 1000 B in 5.0 s, {figures}"
    assert lines.finished("x", DOWNLOADING, 0) == "x: complete, 1000 B in 0 ms, 5 B wasted, ratio 0.01"
    assert lines.unfinished("x", DOWNLOADING, 5) == f"x: 45.0% of 1000 B in 5.0 s, {figures}"
    assert lines.unfinished("x", attrs.evolve(DOWNLOADING, total=0), 5) == "x: nothing is known of it yet, after 5.0 s"
    assert lines.seeded("x", DOWNLOADING, 60) == "x: 10 B uploaded in 1 min 00 s of seeding, ratio 0.01"
