"""The command that is run when a torrent is complete."""

from __future__ import annotations

import os
import sys

import pytest
import trio

from trio_torrent.cli.hook import LONGEST_LINE, run_hook, variables
from trio_torrent.cli.params import COMMAND


async def ran(*command: object, **values: object) -> tuple[str | None, list[str]]:
    """Why it failed, and what it said."""
    said: list[str] = []
    with trio.fail_after(10):
        failure = await run_hook([str(word) for word in command], values, said.append)
    return failure, said


def test_the_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/there")
    found = variables({"PATH": "/a/\udcff", "SIZE": 5})
    assert found["HOME"] == "/there"
    assert found["TRIO_TORRENT_DONE_PATH"] == "/a/\udcff"  # bytes that are no text are still a path
    assert found["TRIO_TORRENT_DONE_SIZE"] == "5"


async def test_it_is_told_and_heard():
    failure, said = await ran("sh", "-c", "echo $TRIO_TORRENT_DONE_NAME; echo two >&2; printf three", NAME="one")
    assert failure is None
    assert sorted(said) == ["one", "three", "two"]


async def test_there_is_no_shell():
    assert await ran("echo", "$HOME; exit 3") == (None, ["$HOME; exit 3"])


async def test_it_reads_nothing():
    assert await ran("cat") == (None, [])


async def test_it_fails():
    assert (await ran("false"))[0] == "false ended with exit code 1"
    assert (await ran("sh", "-c", "kill $$"))[0] == "signal 15 ended sh"
    assert (await ran("/no/such"))[0] == "/no/such: No such file or directory"
    assert (await ran(os.sep))[0] == "/: Permission denied"


async def test_a_line_without_end_is_cut():
    _, said = await ran(sys.executable, "-c", f"print('x' * {5 * LONGEST_LINE})")
    assert "".join(said) == "x" * 5 * LONGEST_LINE
    assert len(said) > 1


@pytest.mark.slow
async def test_what_it_leaves_running_is_not_waited_for():
    with trio.fail_after(5):
        failure, said = await ran("sh", "-c", "sleep 30 & echo $!")
    os.kill(int(said[0]), 15)  # it has been left running
    assert failure is None


@pytest.mark.slow
@pytest.mark.parametrize("stubborn", [False, True])
async def test_whoever_interrupts_ends_it(stubborn):
    said: list[str] = []
    trap = "trap '' TERM; " if stubborn else ""
    with trio.move_on_after(10) as scope:
        command = ["sh", "-c", f"{trap}echo $$; while :; do sleep 0.1; done"]

        def hear(line: str) -> None:
            said.append(line)
            scope.cancel()

        await run_hook(command, {}, hear)
    with pytest.raises(ProcessLookupError):
        os.kill(int(said[0]), 0)


def test_how_it_is_written():
    assert COMMAND.convert("notify-send 'it is there' x\\ y", None, None) == ("notify-send", "it is there", "x y")
