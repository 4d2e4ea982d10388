"""`nox` runs what CI runs; `nox -s bench` measures."""

import os
import shutil

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests", "interop"]
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = [python for python in ("3.11", "3.12", "3.13") if shutil.which(f"python{python}")]


def install(session, *groups):
    session.install("-q", "-e", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def lint(session):
    """Style, and the import contracts between the rings."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session):
    install(session, "types")
    session.run("mypy")


@nox.session(python=PYTHONS or None)
def tests(session):
    """Everything that needs no other program: pure rings, tasks, swarms in virtual time."""
    install(session, "test")
    session.run("pytest", "--ignore=tests/interop", *session.posargs)


@nox.session
def interop(session):
    """Against the real clients found here; with CI set, a missing one is a failure."""
    install(session, "interop")
    session.run("pytest", "tests/interop", *session.posargs, env={"CI": os.environ.get("CI", "")})


@nox.session
def bench(session):
    """Measure beside libtorrent; `nox -s bench -- --help` lists what."""
    install(session, "interop")
    session.run("python", "-m", "tests.bench", *session.posargs)
