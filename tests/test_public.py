"""What is public, that all of it is there, and the shape of the package."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import trio_torrent
from trio_torrent.version import __version__

ROOT = Path(trio_torrent.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
PURE_RINGS = {"metainfo", "wire", "tracker", "swarm"}
PURE_MODULES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in PURE_RINGS]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def named_for_type_checkers() -> dict[str, str]:
    """What `__init__` imports under TYPE_CHECKING: the name and its module."""
    (block,) = [
        node
        for node in tree(ROOT / "__init__.py").body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 1 for node in imports)
    return {alias.name: node.module or "" for node in imports for alias in node.names}


# -- the names -------------------------------------------------------------------------------------------------------


def test_the_list_is_sorted_and_names_nothing_twice():
    assert list(trio_torrent.__all__) == sorted(set(trio_torrent.__all__))


@pytest.mark.parametrize("public", trio_torrent.__all__)
def test_every_name_is_there(public: str):
    assert getattr(trio_torrent, public) is not None


def test_type_checkers_readers_and_the_interpreter_agree():
    assert named_for_type_checkers() == trio_torrent._HOME
    assert {*trio_torrent._HOME, "__version__"} == set(trio_torrent.__all__)


@pytest.mark.parametrize("public", sorted(trio_torrent._HOME))
def test_every_name_says_what_it_is(public: str):
    value = getattr(trio_torrent, public)
    assert value is getattr(importlib.import_module(f"trio_torrent.{trio_torrent._HOME[public]}"), public)
    if isinstance(value, type):
        assert value.__doc__, public


def test_nothing_else_is_shown():
    assert {public for public in dir(trio_torrent) if not public.startswith("_")} == {*trio_torrent._HOME}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'trio_torrent' has no attribute 'nonsense'"):
        _ = trio_torrent.nonsense


def test_a_star_brings_all_of_it():
    found: dict[str, object] = {}
    exec("from trio_torrent import *", found)
    assert set(trio_torrent.__all__) <= set(found)


def test_importing_it_loads_neither_trio_nor_an_http_client():
    code = "import sys, trio_torrent; dir(trio_torrent); print(*{'trio', 'httpx', 'h11', 'ssl'} & {*sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("", "")


# -- the package -----------------------------------------------------------------------------------------------------


def test_it_is_typed():
    assert (ROOT / "py.typed").is_file()


def test_the_version_is_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|a\d+|b\d+|rc\d+)?", __version__)
    assert trio_torrent.__version__ == __version__
    assert trio_torrent.Settings().user_agent == f"trio-torrent/{__version__}"
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert ROOT.parent / project["tool"]["hatch"]["version"]["path"] == ROOT / "version.py"


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 60
    assert {name(path).partition("/")[0] for path in PURE_MODULES} == PURE_RINGS


def test_every_module_says_what_it_is():
    assert [name(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


def test_the_pure_rings_wait_for_nothing():
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [(name(path), node) for path in PURE_MODULES for node in ast.walk(tree(path)) if isinstance(node, waiting)]
    assert found == []


def test_everything_is_caught_at_the_boundary_alone():
    """And where a command ends, which tells of it. Elsewhere it is raised again."""
    assert {name(path) for path in MODULES if any(catches_everything(tree(path)))} == {"net/boundary.py", "cli/app.py"}


def catches_everything(module: ast.Module) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler) and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
            caught = {inner.id for inner in ast.walk(node.type) if isinstance(inner, ast.Name)} if node.type else {""}
            if caught & {"", "Exception", "BaseException"}:
                yield node
