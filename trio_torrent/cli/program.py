"""What click is made to do: environment variables for every option, and complaints that name the one at fault."""

from __future__ import annotations

import os
import shlex
from typing import Any

import click
from click.core import ParameterSource

NAME = "trio-torrent"
PREFIX = "TRIO_TORRENT"


class Option(click.Option):
    """An option that environment variables stand for, too, by its long name.

    `get --port` is TRIO_TORRENT_GET_PORT, and TRIO_TORRENT_PORT for all commands that have it. One that is `own` is not
    what others mean by the same word, and has the former only.
    """

    def __init__(self, *arguments: Any, own: bool = False, **attributes: Any) -> None:  # noqa: ANN401 - as click has it
        super().__init__(*arguments, **attributes)
        self.variables: tuple[str, ...] = () if own else (_variable(self.long),)
        self.envvar: tuple[str, ...] = self.variables

    @property
    def long(self) -> str:
        """Its long name, with the dashes."""
        return next(name for name in self.opts if name.startswith("--"))

    def belong(self, *path: str) -> None:
        """It is an option of this command."""
        self.variables = (_variable(*path, self.long), *self.variables)
        self.envvar = self.variables

    def value_from_envvar(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Of a repeatable option, the words as a shell would read them: names of files have blanks in them."""
        text = self.resolve_envvar_value(ctx)
        if text is None or not self.multiple:
            return super().value_from_envvar(ctx)
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            ctx.set_parameter_source(self.name or "", ParameterSource.ENVIRONMENT)
            raise click.BadParameter(f"{text!r}: {str(error).lower()}", ctx, self) from error

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Its names; and where the value has come from, if nobody has typed it."""
        hint = super().get_error_hint(ctx)
        if ctx is not None and ctx.get_parameter_source(self.name or "") is ParameterSource.ENVIRONMENT:
            hint += f" (from {next(name for name in self.variables if os.environ.get(name))})"
        return hint


class Group(click.Group):
    """Commands, whose options it gives their variables. The `outermost` group is not named in them."""

    def __init__(self, *arguments: Any, outermost: bool = False, **attributes: Any) -> None:  # noqa: ANN401
        self._outermost = outermost
        super().__init__(*arguments, **attributes)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are declared, which is that of their use."""
        return [*self.commands]

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Let it be a command."""
        super().add_command(cmd, name)
        for parameter in cmd.params:
            if isinstance(parameter, Option):
                parameter.belong(*([] if self._outermost else [f"{self.name}"]), f"{name or cmd.name}")


def _variable(*words: str) -> str:
    return "_".join([PREFIX, *(word.strip("-").replace("-", "_").upper() for word in words)])
