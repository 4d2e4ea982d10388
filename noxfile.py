"""`nox` runs what CI runs; `nox -s bench` measures, `nox -s fuzz` looks for trouble."""

import os
import subprocess

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests", "interop"]
nox.options.reuse_existing_virtualenvs = True

PYPROJECT = nox.project.load_toml("pyproject.toml")


def runs(python: str) -> bool:
    """A version manager may have a stand-in on the path for a version that it does not give us."""
    try:
        return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def install(session: nox.Session, *groups: str) -> None:
    session.install("-q", "-e", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the import contracts between the rings."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """That we keep our own types, and that users see all of them."""
    install(session, "types")
    session.run("mypy")
    session.run("pyright", "--verifytypes", "trio_torrent", "--ignoreexternal")


PYTHONS = [python for python in ("3.11", "3.12", "3.13") if runs(f"python{python}")]


@nox.session(python=PYTHONS or None)
def tests(session: nox.Session) -> None:
    """Everything that needs no other program; the slow part (swarms in virtual time, mostly) on one Python only."""
    install(session, "test")
    quick = () if not PYTHONS or session.python == PYTHONS[0] else ("-m", "not slow")
    session.run("pytest", "--ignore=tests/interop", *quick, *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Against the real clients found here; with CI set in the environment, a missing one is a failure."""
    install(session, "interop")
    session.run("pytest", "tests/interop", *session.posargs, env={"CI": os.environ.get("CI", "")})


@nox.session
def fuzz(session: nox.Session) -> None:
    """A million mutated inputs to every parser: `nox -s fuzz -- 1000000`."""
    install(session, "test")
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["1000000"]))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside libtorrent; `nox -s bench -- --help` lists what."""
    install(session, "interop")
    session.run("python", "-m", "tests.bench", *session.posargs)
