"""README's table of options is what the program has."""

from __future__ import annotations

import click

from .running import ROOT, exit_of
from .test_program import leaves, options

HEAD = "| option | of | |\n|---|---|---|\n"


def first_sentence(text: str) -> str:
    sentence, dot, _ = text.partition(". ")
    return sentence + dot.strip()


def rows() -> list[str]:
    """An option a row, in the order of the commands that have it."""
    commands: dict[tuple[str, str], list[str]] = {}
    for command, option in options():
        record = option.get_help_record(click.Context(click.Command(command)))
        assert record is not None
        assert option.help is not None
        owners = commands.setdefault((record[0], first_sentence(option.help)), [])
        owner = command.split()[0]  # those of `dht` have all the same
        if owner not in owners:
            owners.append(owner)
    return [
        f"| `{names}` | {', '.join(owners)} | {text} |".replace("[sparse|full]", r"[sparse\|full]")
        for (names, text), owners in commands.items()
    ]


def test_the_table_of_options():
    readme = (ROOT / "README.md").read_text()
    assert readme.count(HEAD) == 1
    table = readme.partition(HEAD)[2].partition("\n\n")[0]
    assert table.splitlines() == rows()


def test_every_command_is_shown():
    readme = (ROOT / "README.md").read_text()
    assert [name for name, _ in leaves() if f"trio-torrent {name} " not in readme] == []


def test_help_has_the_same_words(capsys):
    for command, parameters in leaves():
        assert exit_of(*command.split(), "--help") == 0
        text = "".join(capsys.readouterr().out.split())  # click breaks lines, also at hyphens
        for option in parameters.params:
            if isinstance(option, click.Option):
                assert first_sentence(option.help or "").replace(" ", "") in text, (command, option.opts)
