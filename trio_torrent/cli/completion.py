"""How a shell completes what is typed. click knows the commands and options; torrents are found here."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

from .program import NAME

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_TRIO_TORRENT_COMPLETE"  # in which a shell asks, named as click's scripts have it

MOST_NAMES = 1000  # of a folder that are offered: nobody reads more, and shells get slow

_PLAIN = r"[\w@%+=:,./~-]*"  # what no shell would have to quote


def script(shell: str, command: click.Command) -> str:
    """What the shell must read to complete `command`."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"nothing is known of {shell}")
    return kind(command, {}, NAME, VARIABLE).source()


def complete_torrent(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Folders and .torrent files. Names with blanks and the like are left to the shell, which knows how to quote."""
    from click.shell_completion import CompletionItem

    names = _torrents(incomplete)
    if not all(re.fullmatch(_PLAIN, name) for name in names):
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(incomplete, type="dir"), *map(CompletionItem, names)]


def _torrents(incomplete: str) -> list[str]:
    folder, slash, start = incomplete.rpartition("/")
    try:
        names = os.listdir(os.path.expanduser(folder + slash) or ".")
    except OSError:
        return []
    fitting = sorted(name for name in names if name.startswith(start) and name.endswith(".torrent"))
    return [folder + slash + name for name in fitting[:MOST_NAMES]]
