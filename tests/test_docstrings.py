"""What users read of the public names: that there is something, and that it names units and errors."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

import trio_torrent

PACKAGE = trio_torrent.__name__
UNITS = re.compile(r"byte|second|minute|hour|time|number|port|path|piece|how many|unread|digit", re.IGNORECASE)


def public_values() -> dict[str, object]:
    return {name: getattr(trio_torrent, name) for name in trio_torrent.__all__ if not name.startswith("__")}


def members(name: str, value: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties that the package has written, inherited ones included."""
    for base in value.__mro__:
        if not base.__module__.startswith(PACKAGE):
            continue
        for attribute, member in vars(base).items():
            if not attribute.startswith("_") and isinstance(
                member, property | classmethod | staticmethod | type(members)
            ):
                yield f"{name}.{attribute}", member


def function_of(member: Any) -> Callable[..., object]:
    if isinstance(member, property):
        assert member.fget is not None
        return member.fget
    function: Callable[..., object] = getattr(member, "__func__", member)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def everything() -> dict[str, Any]:
    """By the name that users know it by: functions, classes, and what those can do."""
    found: dict[str, Any] = {}
    for name, value in public_values().items():
        if inspect.isroutine(value) or isinstance(value, type):
            found[name] = value
        if isinstance(value, type):
            found |= dict(members(name, value))
    return found


EVERYTHING = everything()
FUNCTIONS = {name: function_of(value) for name, value in EVERYTHING.items() if not isinstance(value, type)}


def test_there_is_much_to_look_at():
    assert len(FUNCTIONS) > 80
    assert {"Torrent.wait_complete", "Client.add", "Metainfo.create", "open_client", "Dht.lookup"} <= {*FUNCTIONS}


@pytest.mark.parametrize("name", EVERYTHING)
def test_everything_public_says_what_it_is(name: str):
    value = EVERYTHING[name]
    said = inspect.getdoc(value) if isinstance(value, type) else FUNCTIONS[name].__doc__
    assert said
    assert said.strip().endswith((".", ":", "`", "?"))
    if isinstance(value, type) and value.__doc__ is not None:
        assert not value.__doc__.startswith(f"{value.__name__}("), (
            "what dataclasses and the like write is no word of ours"
        )


def leaving(node: ast.AST) -> Iterator[ast.expr]:
    """What is raised below, but for what is caught there, to be raised as something else."""
    if isinstance(node, ast.Raise) and node.exc is not None:
        yield node.exc
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Try) and node.handlers and child in node.body):
            yield from leaving(child)


def raised_in(function: Callable[..., object]) -> set[str]:
    """The exceptions that the body itself raises, by their names. An AssertionError is what cannot be."""
    raised = leaving(ast.parse(textwrap.dedent(inspect.getsource(function))))
    called = [node.func if isinstance(node, ast.Call) else node for node in raised]
    names = {node.id for node in called if isinstance(node, ast.Name)}
    return {name for name in names if name.endswith("Error") and name != "AssertionError"}


def test_raises_are_seen_but_for_those_that_are_translated():
    def sample(text: str) -> int:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError(text) from error

    assert raised_in(sample) == {"ValueError"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_it_raises_is_named(name: str):
    unsaid = {error for error in raised_in(FUNCTIONS[name]) if error not in (FUNCTIONS[name].__doc__ or "")}
    assert unsaid == set()


def numbers_of(function: Callable[..., object]) -> list[str]:
    """Parameters that are numbers; truth values and names of things are none."""
    annotations = {name: str(kind) for name, kind in inspect.get_annotations(function).items() if name != "return"}
    return [name for name, kind in annotations.items() if re.search(r"\b(int|float)\b", kind)]


@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if numbers_of(function)])
def test_numbers_have_a_unit(name: str):
    assert UNITS.search(FUNCTIONS[name].__doc__ or ""), numbers_of(FUNCTIONS[name])


VALUES = {name: value for name, value in public_values().items() if isinstance(value, type) and attrs.has(value)}


def source_lines(value: type) -> dict[str, str]:
    """Each field of an attrs class: its line, comment and the text below it, as the source has them."""
    tree = ast.parse(source := textwrap.dedent(inspect.getsource(value)))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    lines = source.splitlines()
    found = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            end = after.end_lineno if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
            found[node.target.id] = "\n".join(lines[node.lineno - 1 : end or node.end_lineno])
    return found


@pytest.mark.parametrize("name", [name for name, value in VALUES.items() if value.__module__.startswith(PACKAGE)])
def test_times_and_rates_have_a_unit(name: str):
    """Where the class does not say it for all of its fields, each one does."""
    value = VALUES[name]
    fields = {field.name: str(field.type) for field in attrs.fields(value)}
    lines, said = source_lines(value), inspect.getdoc(value) or ""
    for field, kind in fields.items():
        if "float" in kind and field in lines:
            assert UNITS.search(lines[field].partition("#")[2] + said) or '"""' in lines[field], field


def test_every_setting_has_its_reason():
    settings = source_lines(trio_torrent.Settings)
    assert {field.name for field in attrs.fields(trio_torrent.Settings)} == {*settings}
    unsaid = [name for name, lines in settings.items() if '"""' not in lines]
    assert unsaid == []
