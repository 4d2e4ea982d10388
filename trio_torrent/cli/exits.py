"""Exit codes, and which error leads to which."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import click

from trio_torrent import (
    BencodeError,
    DhtError,
    MagnetError,
    MetainfoError,
    PeerError,
    ProtocolError,
    StorageError,
    TorrentError,
    TrackerError,
)

from .words import clean


class Exit(enum.IntEnum):
    """What the shell is told."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INVALID = 3  # the torrent or magnet cannot be used, or not be read
    STALLED = 4  # timed out, no usable peer
    DISK = 5  # the disk or a file failed
    UNVERIFIED = 6  # data does not match the torrent
    INTERRUPTED = 130  # as shells say of SIGINT: 128 + 2


class CommandError(Exception):
    """A command cannot go on: one line that says what was wrong and what to do, and the exit code."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


_CODES: dict[type[BaseException], Exit] = {
    click.ClickException: Exit.USAGE,
    click.Abort: Exit.INTERRUPTED,
    KeyboardInterrupt: Exit.INTERRUPTED,
    BrokenPipeError: Exit.INTERRUPTED,  # whoever read our output has gone
    MetainfoError: Exit.INVALID,
    MagnetError: Exit.INVALID,
    BencodeError: Exit.INVALID,
    TrackerError: Exit.STALLED,
    DhtError: Exit.STALLED,
    PeerError: Exit.STALLED,
    ProtocolError: Exit.STALLED,
    StorageError: Exit.DISK,
    OSError: Exit.DISK,
}


def exit_code(error: BaseException) -> Exit:
    """The code for an error that is not a group; BUG for what nobody foresaw."""
    if isinstance(error, CommandError):
        return error.code
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), Exit.BUG)


def explain(error: BaseException) -> str:
    """What was wrong, and what to do where that is known."""
    match error:
        case click.UsageError(ctx=click.Context() as context):
            return f"{error.format_message()} (see {context.command_path} --help)"
        case click.ClickException():
            return error.format_message()
        case CommandError() | TorrentError():
            return str(error)
        case OSError(strerror=str() as reason, filename=name):
            return f"{name}: {reason}" if name else reason
        case _:
            return f"this is a bug in trio-torrent: {type(error).__name__}: {error} (--debug shows where)"


def complaint(message: str) -> str:
    """An error as it is printed: always one line, and safe for a terminal."""
    return f"trio-torrent: {clean(' '.join(message.split()))}"


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, of whatever depth; an error that is no group is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
