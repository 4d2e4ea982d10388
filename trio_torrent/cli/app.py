"""The program: runs a command, and is the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .commands import commands
from .completion import VARIABLE
from .exits import Exit, complaint, exit_code, explain, leaves
from .garbage import uncollected
from .light import travel_light
from .program import NAME
from .streams import finish_streams, prepare_streams


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The program: runs a command and exits with its code. `arguments` are the shell's by default."""
    prepare_streams()
    travel_light()
    if VARIABLE in os.environ:
        commands.main(prog_name=NAME)  # tells a shell how a line may go on
    with uncollected():
        code = _run(sys.argv[1:] if arguments is None else arguments)
    finish_streams()
    sys.exit(code)


def _run(arguments: Sequence[str]) -> Exit:
    code = Exit.DONE
    try:
        code = _invoke(arguments)
    except* (Exception, KeyboardInterrupt) as errors:
        code = min(_told(error) for error in leaves(errors))  # of several, a bug is what must not go unnoticed
    return code


def _invoke(arguments: Sequence[str]) -> Exit:
    """Not by `commands.main`, which ends the program by itself where a reader has gone."""
    try:
        with commands.make_context(NAME, [*arguments]) as context:
            return Exit(commands.invoke(context))
    except click.exceptions.Exit as over:  # of --help and --version
        return Exit(over.exit_code)


def _told(error: BaseException) -> Exit:
    code = exit_code(error)
    if code is not Exit.INTERRUPTED:
        print(complaint(explain(error)), file=sys.stderr)
    return code
