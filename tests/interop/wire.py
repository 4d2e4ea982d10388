"""Machines of our own, as far as programs can tell: network namespaces of Linux.

There are two on one wire, for what depends on a local network, and one of which no address is in 127.0.0.0/8, for
programs that believe in no peer from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import attrs
import pytest

ROOT = Path(__file__).parents[2]

LOOKS, LOOK_SECONDS = 100, 0.05  # at a wire that is to come up: five seconds


@attrs.frozen
class House:
    """A machine on which everybody has an address of his own."""

    namespace: str

    def address(self, number: int) -> str:
        """One of them, by a number from 1 to 254."""
        return f"10.213.1.{number}"

    @property
    def door(self) -> tuple[str, ...]:
        """What a command begins with, to be run there."""
        return "ip", "netns", "exec", self.namespace


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


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def _await_multicast(machine: Machine) -> None:
    """A wire is up a moment after it was told to be, and who joins a group of IPv6 before that is turned away."""
    for _ in range(LOOKS):
        if "ff00::/8 dev wire" in _ip("-n", machine.namespace, "-6", "route", "show", "table", "local"):
            return
        time.sleep(LOOK_SECONDS)
    pytest.fail("the wire does not come up")


def _need_namespaces() -> None:
    if sys.platform != "linux" or os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need Linux, root and iproute2")


@contextmanager
def _namespaces(names: Sequence[str]) -> Iterator[None]:
    """They are there while the block lasts; the test is skipped where they cannot be made."""
    _need_namespaces()
    try:
        try:
            for name in names:
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield
    finally:
        for name in names:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)


@contextmanager
def open_house() -> Iterator[House]:
    """One machine, alone."""
    house = House(f"tt{os.getpid()}-house")
    with _namespaces([house.namespace]):
        _ip("-n", house.namespace, "address", "add", f"{house.address(1)}/24", "dev", "lo")  # and all others of the /24
        yield house


@contextmanager
def open_wire() -> Iterator[tuple[Machine, Machine]]:
    """The two machines."""
    machines = [Machine(f"tt{os.getpid()}-{end}", f"10.213.0.{end}", f"fd00:213::{end}") for end in (1, 2)]
    one, other = machines
    with _namespaces([machine.namespace for machine in machines]):
        try:
            _ip("-n", one.namespace, "link", "add", "wire", "type", "veth", "peer", "wire", "netns", other.namespace)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no pair of network devices here: {error.stderr.strip()}")
        for machine in machines:
            _ip("-n", machine.namespace, "address", "add", f"{machine.ipv4}/24", "dev", "wire")
            _ip("-n", machine.namespace, "address", "add", f"{machine.ipv6}/64", "dev", "wire", "nodad")
            _ip("-n", machine.namespace, "link", "set", "wire", "up")
        for machine in machines:
            _await_multicast(machine)
        yield one, other
