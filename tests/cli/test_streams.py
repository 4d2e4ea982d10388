"""Streams that are closed, full, or no longer read, and terminals of all kinds. In processes of their own."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from tests.payload import random_bytes, single, write
from trio_torrent import Metainfo

from .running import ROOT, events

DATA = random_bytes(100_000)


@pytest.fixture
def shell(tmp_path):
    """Runs a line of shell, in which `$T` is the program, in a folder that has a torrent and its data."""
    write(tmp_path, {"x.torrent": single(DATA).to_bytes(), "payload.bin": DATA})

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **environment}
        program = f"{shlex.quote(sys.executable)} -m trio_torrent"
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line.replace('$T', program)}"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=30,
        )

    return run


EASY = "--interface 127.0.0.1 --port 0 --no-dht"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "output", "errors"),
    [
        ("$T info - <&-", 3, "", "trio-torrent: stdin: is empty, and no torrent\n"),
        ("$T info - </dev/null", 3, "", "trio-torrent: stdin: is empty, and no torrent\n"),
        ("$T info nope 2>&-", 3, "", ""),  # and not on stdout
        ("$T nonsense 2>&-", 2, "", ""),
        ("$T info x.torrent >&-", 0, "", ""),
        ("$T info x.torrent >/dev/full", 5, "", "trio-torrent: No space left on device\n"),
        (f"$T get x.torrent -q {EASY} >&- 2>&- <&-", 0, "", ""),
        ("$T info nope 2>/dev/full", 3, "", ""),  # a full disk under the log is no reason to stop
        (f"$T get x.torrent {EASY} 2>/dev/full", 0, "", ""),
        ("$T create payload.bin -q -o - >&-", 0, "", ""),
        ("$T magnet x.torrent | true", 130, "", ""),
        ("$T get --help | true", 130, "", ""),
        ("$T completion bash | true", 130, "", ""),
        (f"$T get x.torrent --json -q {EASY} | true", 130, "", ""),
        (f"$T get x.torrent {EASY} 2>&1 | true", 130, "", ""),
    ],
)
def test_streams_that_are_not_there(line, code, output, errors, shell):
    done = shell(line)
    assert (done.returncode, done.stdout, done.stderr) == (code, output, errors)


@pytest.mark.slow
def test_nothing_is_printed_into_a_file_of_ours(shell, tmp_path):
    """The first descriptors are closed, so that files would get them."""
    done = shell("$T create payload.bin -o made.torrent --json >&- 2>&- <&-")
    assert done.returncode == 0
    assert Metainfo.from_file(tmp_path / "made.torrent").name == "payload.bin"
    assert (tmp_path / "payload.bin").read_bytes() == DATA


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"TERM": "dumb"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"COLUMNS": "1", "LINES": "1", "TTY_COMPATIBLE": "1"},
    ],
)
def test_whatever_the_terminal(environment, shell, tmp_path):
    name = "größe漢字"
    write(tmp_path / "names", {name: DATA})
    (tmp_path / "y.torrent").write_bytes(single(DATA, name=name).to_bytes())
    done = shell(f"$T info y.torrent; $T get y.torrent -o names --json {EASY}", **environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert events("\n".join(lines))[-1]["event"] == "complete"
