"""What the progress display draws, and when a log line is due."""

import io

import attrs
import pytest
import trio
from rich.console import Console

from trio_torrent import State
from trio_torrent.cli import display
from trio_torrent.cli.display import LogScreen, Silent, open_screen, progress
from trio_torrent.cli.drawing import Shown, draw
from trio_torrent.cli.lines import Row
from trio_torrent.cli.live import LiveScreen
from trio_torrent.cli.reading import Work, read_through
from trio_torrent.cli.voice import Voice

from .test_words import DOWNLOADING


def drawn(*rows: Shown, width: int = 60, height: int = 20) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(draw(rows, width, height))
    return capture.get().splitlines()


def row(name: str = "debian-12.iso", **changes) -> Row:
    return Row(name, attrs.evolve(DOWNLOADING, **changes))


def test_a_torrent_has_three_lines():
    name, bar, activity = drawn(row())
    assert name == "debian-12.iso"
    assert bar.endswith("45.0%  450 B of 1000 B")
    assert activity == "down 100 B/s, up 2 B/s, 3 peers (1 seed), 5.5 s left"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_it_fits(width):
    wide = row("n" * 200, done=10**12, total=10**13, down_rate=10.0**9, reason="none of 1000 known peers " * 5)
    lines = drawn(wide, width=width)
    assert [len(line) <= width for line in lines] == [True] * 3
    assert "n…n" in lines[0]
    assert lines[2].endswith("…")


def test_the_reason_is_shown_when_nothing_comes():
    assert drawn(row(reason="all peers choke us", down_rate=0))[2] == "all peers choke us"


def test_checking_counts_pieces():
    _, bar, activity = drawn(row(state=State.CHECKING, checked=5))
    assert bar.endswith(" 50.0%")
    assert activity == "checking, 5 of 10 pieces"


def test_what_does_not_fit_is_counted():
    lines = drawn(*[row(str(number)) for number in range(29)], height=20)
    assert lines[-1] == "and 12 more torrents"
    assert len(lines) == 18


def test_names_are_neither_markup_nor_escapes():
    assert drawn(row("[red]x[/red]\x1b[2J"))[0] == "[red]x[/red]\ufffd[2J"


def test_log_lines_come_soon_and_then_seldom(capsys):
    screen = LogScreen()
    due = []
    for tenths in range(130):
        screen.show([row()], tenths / 10)
        if capsys.readouterr().err:
            due.append(tenths / 10)
    assert due == [display.FIRST_LINE_SECONDS, 6.0, 11.0]


def test_seeding_is_said_more_seldom(capsys):
    screen = LogScreen()
    seeder = row(state=State.SEEDING)
    due = []
    for second in range(150):
        screen.show([seeder], float(second))
        if capsys.readouterr().err:
            due.append(second)
    assert due == [1, 61, 121]


def test_quiet_is_quiet_but_for_errors(capsys):
    screen = open_screen(quiet=True, live=True)
    assert isinstance(screen, Silent)
    screen.show([row()], 0.0)
    screen.say("hello")
    screen.complain("trio-torrent: no")
    screen.close()
    assert capsys.readouterr() == ("", "trio-torrent: no\n")


def test_without_a_terminal_there_are_lines():
    assert isinstance(open_screen(quiet=False, live=True), LogScreen)


def test_a_live_screen_leaves_the_terminal_as_it_was():
    terminal = io.StringIO()
    screen = LiveScreen(Console(file=terminal, force_terminal=True, width=60, height=20, markup=False))
    screen.show([row()], 0.0)
    screen.say("a line \x1b[2J [red]that stays")
    screen.close()
    output = terminal.getvalue()
    assert (
        output.index("\x1b[?25l") < output.index("45.0%") < output.rindex("\x1b[?25h")
    )  # the cursor hides, and is back
    assert "a line \ufffd[2J [red]that stays" in output


def test_reading_is_shown_with_its_rate():
    work = Work("folder", "hashing", done=450, total=1000, seconds=4.5)
    name, bar, activity = drawn(work)
    assert name == "folder"
    assert bar.endswith("45.0%  450 B of 1000 B")
    assert activity == "hashing, 100 B/s, 5.5 s left"
    assert progress(work) == "folder: 45.0% of 1000 B, hashing, 100 B/s, 5.5 s left"
    assert Work("folder", "hashing", done=0, total=1000, seconds=1).activity == "hashing"


async def test_reading_draws_while_it_goes_on(autojump_clock, capsys):
    async def read(note):
        await trio.sleep(0.55)  # never at the same moment as a frame
        for done in range(1, 13):
            note(done * 10, 120)
            await trio.sleep(1)
        return "all of it"

    voice = Voice(as_json=False, quiet=False)
    assert await read_through("folder", "checking", voice, read) == "all of it"
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "folder: 16.6% of 120 B, checking, 12 B/s, 8.0 s left"
    assert len(rest) == 2


async def test_reading_that_fails_stops_drawing(autojump_clock):
    async def read(note):
        raise OSError("broken")

    with pytest.RaisesGroup(OSError):
        await read_through("folder", "checking", Voice(as_json=False, quiet=True), read)
