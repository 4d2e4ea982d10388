"""The standard streams, which a caller may have closed, and a reader may leave."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Have all three, and let no character be an error.

    A closed descriptor would be taken by the next file or socket that is opened, and what is then printed, by us or by
    a program that we start, would be written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False, errors="backslashreplace"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: a name must not be an error in any locale


def finish_streams() -> None:
    """What cannot be written, as its reader has gone or the disk is full, has been an error before.

    Without this, the interpreter would try once more, and end with a code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
