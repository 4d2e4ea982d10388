"""Which error leads to which exit code, and how it is said."""

import errno

import click
import pytest

from trio_torrent import MagnetError, MetainfoError, PeerError, ProtocolError, StorageError, TrackerError
from trio_torrent.cli.exits import CommandError, Exit, complaint, exit_code, explain, leaves


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MetainfoError("x"), 3),
        (MagnetError("x"), 3),
        (TrackerError("x"), 4),
        (PeerError("x"), 4),
        (ProtocolError("x"), 4),
        (StorageError("x"), 5),
        (PermissionError(errno.EACCES, "x"), 5),
        (click.UsageError("x"), 2),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 130),
        (CommandError(Exit.UNVERIFIED, "x"), 6),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_codes(error, code):
    assert exit_code(error) == code


def test_errors_in_words():
    assert explain(StorageError("the disk is full")) == "the disk is full"
    assert explain(PermissionError(errno.EACCES, "Permission denied", "/x")) == "/x: Permission denied"
    assert explain(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert explain(click.UsageError("no")) == "no"
    assert explain(KeyError("x")).startswith("this is a bug in trio-torrent: KeyError: 'x'")


def test_a_complaint_is_one_clean_line():
    assert complaint("a\n  b\x1b[31m") == "trio-torrent: a b\ufffd[31m"


def test_every_error_of_a_group_is_found():
    first, second = ValueError(), KeyError()
    assert [*leaves(ExceptionGroup("", [ExceptionGroup("", [first]), second]))] == [first, second]
    assert [*leaves(first)] == [first]
