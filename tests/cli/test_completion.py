"""What a shell is told when somebody presses Tab."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
import trio

from .running import ROOT, command, exit_of, run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("debian.torrent", "dsl.torrent", "dune.iso", "sub/deep.torrent"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def completed(monkeypatch, capfd):
    """The completions of the last of some words."""

    def complete(*words: str) -> list[str]:
        monkeypatch.setenv("_TRIO_TORRENT_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["trio-torrent", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        assert exit_of(*words) == 0
        return [str(line) for line in capfd.readouterr().out.splitlines()]

    return complete


def test_commands_and_options(completed):
    assert completed("ve") == ["plain,verify"]
    assert completed("get", "--seed") == ["plain,--seed-ratio", "plain,--seed-time"]
    assert completed("dht", "lo") == ["plain,lookup"]
    assert completed("completion", "z") == ["plain,zsh"]


@pytest.mark.parametrize("name", ["get", "seed", "info", "magnet", "verify", "probe"])
def test_torrents_and_folders(name, completed, folder):
    assert completed(name, "d") == ["dir,d", "plain,debian.torrent", "plain,dsl.torrent"]
    assert completed(name, "sub/") == ["dir,sub/", "plain,sub/deep.torrent"]
    assert completed(name, "nowhere/") == ["dir,nowhere/"]


def test_below_home(completed, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert completed("get", "~/ds") == ["dir,~/ds", "plain,~/dsl.torrent"]


def test_what_must_be_quoted_is_left_to_the_shell(completed, folder):
    (folder / "a name;rm -r.torrent").touch()
    (folder / "a\nb.torrent").touch()
    assert completed("get", "a") == ["file,a"]
    assert completed("get", "ds") == ["dir,ds", "plain,dsl.torrent"]


def test_folders_are_not_torrents(completed, folder):
    assert completed("seed", "x", "-d", "s") == ["dir,s"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "check"), [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])]
)
async def test_the_script(shell, check):
    done = await run("completion", shell)
    assert done.returncode == 0
    assert b"_TRIO_TORRENT_COMPLETE" in done.stdout
    assert b"trio-torrent" in done.stdout
    if shutil.which(shell) is not None:
        await trio.run_process(check, stdin=done.stdout)


@pytest.mark.slow
def test_bash_completes(folder):
    """As bash does it, with the script read."""
    program = folder / "trio-torrent"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    program.chmod(0o700)
    lines = """
        eval "$(trio-torrent completion bash)"
        COMP_WORDS=(trio-torrent get ds) COMP_CWORD=2
        compopt() { :; }
        _trio_torrent_completion trio-torrent
        echo "${COMPREPLY[@]}"
    """
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "dsl.torrent\n", done.stderr
