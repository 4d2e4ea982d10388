"""Options and the environment variables that stand for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from trio_torrent.cli.commands import commands
from trio_torrent.cli.hook import PREFIX_DONE
from trio_torrent.cli.program import Group, Option

from .running import exit_of


def leaves(group: click.Group = commands, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command, by how it is typed."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield " ".join([*path, name]), command


def options() -> Iterator[tuple[str, Option]]:
    """With the command that each is of."""
    for name, command in leaves():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert isinstance(parameter, Option), parameter.opts
                yield name, parameter


def test_every_option_has_its_variable():
    seen = 0
    for command, option in options():
        long = option.long.removeprefix("--").replace("-", "_").upper()
        own, *shared = option.variables
        assert own == f"TRIO_TORRENT_{command.replace(' ', '_').upper()}_{long}"
        assert shared in ([f"TRIO_TORRENT_{long}"], [])
        seen += 1
    assert seen > 100


def test_no_variable_means_two_things():
    meanings = defaultdict(set)
    for _, option in options():
        for variable in option.variables:
            meanings[variable].add((*option.opts, option.multiple, option.is_flag))
    assert {variable: found for variable, found in meanings.items() if len(found) > 1} == {}


def test_what_only_one_command_means():
    assert {f"{command} {option.long}" for command, option in options() if len(option.variables) == 1} == {
        "info --list",
        "create --output",
        "create --force",
    }


def test_what_a_hook_is_told_is_no_option():
    assert not [option for _, option in options() if any(name.startswith(PREFIX_DONE) for name in option.variables)]


@pytest.fixture
def said(monkeypatch):
    """What a program with two commands, one of them in a group, has read."""
    heard = {}

    def command(**values):
        heard.update(values)

    program = Group("program", outermost=True)
    inner = Group("inner")
    program.add_command(inner)
    for group in (program, inner):
        parameters: list[click.Parameter] = [
            Option(["--port"], type=int),
            Option(["--force"], own=True, is_flag=True),
            Option(["--x-y", "odd"]),
        ]
        group.add_command(click.Command("go", params=parameters, callback=command))

    def run(*arguments, **environment):
        heard.clear()
        for name, value in environment.items():
            monkeypatch.setenv(f"TRIO_TORRENT_{name}", value)
        program.main([*arguments], standalone_mode=False)
        return dict(heard)

    return run


def test_one_for_all_and_one_for_each(said):
    assert said("go", PORT="1", GO_PORT="2", X_Y="z") == {"port": 2, "force": False, "odd": "z"}
    assert said("inner", "go") == {"port": 1, "force": False, "odd": "z"}
    assert said("inner", "go", INNER_GO_PORT="3")["port"] == 3
    assert said("go", "--port", "4")["port"] == 4  # what is typed counts


def test_an_own_option_has_no_common_variable(said):
    assert not said("go", FORCE="1")["force"]
    assert said("go", GO_FORCE="1")["force"]
    assert not said("inner", "go")["force"]


def test_empty_is_unset(said):
    assert said("go", PORT="", GO_PORT="")["port"] is None


def test_a_flag_can_be_turned_off(said):
    assert not said("go", GO_FORCE="0")["force"]


def test_whoever_is_wrong_is_told_where(said):
    with pytest.raises(click.BadParameter) as caught:
        said("go", GO_PORT="x")
    assert "'--port' (from TRIO_TORRENT_GO_PORT)" in caught.value.format_message()
    with pytest.raises(click.BadParameter) as caught:
        said("go", "--port", "y")
    assert "(from" not in caught.value.format_message()


def test_commands_are_listed_in_the_order_of_their_use(capsys):
    assert exit_of("--help") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.partition("Commands:\n")[2].splitlines()[:3]]
    assert listed == ["get", "seed", "probe"]
