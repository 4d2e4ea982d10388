"""A command of the user's that is run when a torrent is complete."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial

import trio

from .exits import explain, leaves
from .program import PREFIX

# No option has a variable of such a name, so that a trio-torrent that is run there takes none of them for one.
PREFIX_DONE = f"{PREFIX}_DONE_"

LONGEST_LINE = 1000  # bytes of what the command says that are shown as one line

# When the command has ended, what it has said is read. It may have left something running that keeps the pipe open.
DRAIN_SECONDS = 0.5

# Whoever presses Ctrl-C is waiting; a command that does not end by SIGTERM is then killed.
END_SECONDS = 0.2


def variables(values: Mapping[str, object]) -> dict[str, str]:
    """The environment for the command: ours, and what it should know."""
    return {**os.environ, **{PREFIX_DONE + name: str(value) for name, value in values.items()}}


async def run_hook(command: Sequence[str], values: Mapping[str, object], say: Callable[[str], None]) -> str | None:
    """Run it to its end, without a shell, and `say` what it says, line by line: why it failed, if it did.

    It is ended when this is cancelled.
    """
    failure = None
    run = partial(
        trio.run_process,
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=variables(values),
        deliver_cancel=_end,
    )
    try:
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(run)
            nursery.start_soon(_relay, process, say)
            failure = _failure(command[0], await process.wait())
            nursery.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS
    except* OSError as errors:
        failure = explain(next(leaves(errors)))
    return failure


async def _end(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(END_SECONDS):
        await process.wait()
    process.kill()


async def _relay(process: trio.Process, say: Callable[[str], None]) -> None:
    assert process.stdout is not None  # it is a pipe
    async with process.stdout:
        async for line in _lines(process.stdout):
            for at in range(0, len(line) or 1, LONGEST_LINE):
                say(line[at : at + LONGEST_LINE].decode("utf-8", "replace").rstrip())


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[bytes]:
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        for line in lines:
            yield line
    if rest:
        yield rest


def _failure(program: str, code: int) -> str | None:
    if code > 0:
        return f"{program} ended with exit code {code}"
    return f"signal {-code} ended {program}" if code else None
