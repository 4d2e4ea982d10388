"""Two machines on one wire, as far as they can tell: network namespaces of Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import attrs
import pytest

ROOT = Path(__file__).parents[2]


@attrs.frozen
class Machine:
    """One end of the wire. Each has an address of each family there, and nothing else."""

    namespace: str
    ipv4: str
    ipv6: str

    @contextmanager
    def running(self, code: str, *arguments: str | Path) -> Iterator[IO[str]]:
        """Python code on this machine: its stdout. When the block ends, so does its stdin, and it must end well."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def open_wire() -> Iterator[tuple[Machine, Machine]]:
    """The two machines; the test is skipped where they cannot be made."""
    if sys.platform != "linux" or os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need Linux, root and iproute2")
    machines = [Machine(f"tt{os.getpid()}-{end}", f"10.213.0.{end}", f"fd00:213::{end}") for end in (1, 2)]
    one, other = machines
    try:
        try:
            for machine in machines:
                _ip("netns", "add", machine.namespace)
            _ip("-n", one.namespace, "link", "add", "wire", "type", "veth", "peer", "wire", "netns", other.namespace)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        for machine in machines:
            _ip("-n", machine.namespace, "address", "add", f"{machine.ipv4}/24", "dev", "wire")
            _ip("-n", machine.namespace, "address", "add", f"{machine.ipv6}/64", "dev", "wire", "nodad")
            for device in ("lo", "wire"):
                _ip("-n", machine.namespace, "link", "set", device, "up")
        yield one, other
    finally:
        for machine in machines:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", machine.namespace)
