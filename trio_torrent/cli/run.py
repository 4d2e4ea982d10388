"""Where trio is started, and where Ctrl-C and SIGTERM arrive.

The first signal cancels the scope that the command was given: it ends what it does there, tells the trackers, and
returns. The second leaves at once, for whoever does not want to wait for that.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import click
import trio

from .exits import Exit
from .garbage import loaded

Command: TypeAlias = Callable[[trio.CancelScope], Awaitable[Exit]]
"""Does what was asked for, with all that may be interrupted inside the scope."""


logger: logging.Logger = logging.getLogger("trio_torrent")


def run(command: Command) -> Exit:
    """Run a command to its end. Raises what it raises, in exception groups as it comes."""
    _set_up_log(debug=bool(click.get_current_context().find_root().params["debug"]))
    loaded()
    try:
        return trio.run(_supervise, command)
    except BaseException:
        logger.debug("the errors that ended the command", exc_info=True)
        raise


def _set_up_log(*, debug: bool) -> None:
    """What has no handler would go to stderr."""
    logger.handlers = [logging.StreamHandler() if debug else logging.NullHandler()]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)


async def _supervise(command: Command) -> Exit:
    interrupt = trio.CancelScope()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, signals, interrupt)
            code = await command(interrupt)
            nursery.cancel_scope.cancel()
    return code


async def _watch(signals: AsyncIterator[int], interrupt: trio.CancelScope) -> None:
    async for _ in signals:
        if interrupt.cancel_called:
            sys.stderr.flush()
            os._exit(Exit.INTERRUPTED)  # neither worker threads nor trackers are waited for
        interrupt.cancel()
        over_the_echo = "\r" if sys.stderr.isatty() else ""  # of ^C
        print(f"{over_the_echo}trio-torrent: stopping (once more to leave at once)", file=sys.stderr, flush=True)
