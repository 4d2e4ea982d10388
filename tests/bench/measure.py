"""What one run of a program costs."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 0.005  # between looks at a program
PATIENCE_SECONDS = 180.0  # Transmission takes 20 s for what others do in one
READY_SECONDS = 60.0  # until a server listens
REST_SECONDS = 0.3  # without a tick of the processor's clock: a program that checks files takes thirty
GRACE_SECONDS = 10.0  # to end by itself


class Cost(NamedTuple):
    """Of one run."""

    seconds: float
    cpu: float  # seconds
    rss: float  # MiB, the most


def median(costs: Iterable[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


class Program:
    """One that runs, and is watched. It has no children that matter."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        pipes: bool = False,
    ) -> None:
        self.command = [str(word) for word in command]
        self.started = time.perf_counter()
        with open(log or os.devnull, "wb") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=None if pipes else output,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self._peak = 0.0
        self._cpu: float | None = None  # once it has ended

    @property
    def cpu(self) -> float:
        """Seconds of processor that it has taken, its threads' included."""
        if self._cpu is not None:
            return self._cpu
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak(self) -> float:
        """MiB that were resident at most, as of the last look. (`ru_maxrss` counts what we had when it was forked.)"""
        self._peak = max(self._peak, self._memory("VmHWM"))
        return self._peak

    @property
    def resident(self) -> float:
        """MiB, now."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> float:
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith(name):
                    return int(line.split()[1]) / 1024
        return 0.0

    def ended(self) -> bool:
        """Whether it has. RuntimeError if it should not have ended so."""
        _ = self.peak
        if self._cpu is None:
            pid, status, used = os.wait4(self.process.pid, os.WNOHANG)
            if not pid:
                return False
            self._cpu = used.ru_utime + used.ru_stime
            self.process.returncode = os.waitstatus_to_exitcode(status)
            if self.process.returncode:
                raise RuntimeError(f"{self.command} ended with {self.process.returncode}")
        return True

    def say(self, line: str) -> None:
        """To its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line of its standard output. RuntimeError if there is none."""
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise RuntimeError(f"{self.command} has nothing to say")
        return line.decode().strip()

    def end(self) -> None:
        """Let there be nothing left of it."""
        if self._cpu is None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    pipes: bool = False,
) -> Iterator[Program]:
    """A program, until the end of the block."""
    program = Program(command, cwd=cwd, environment=environment, log=log, pipes=pipes)
    try:
        yield program
    finally:
        program.end()


def watch(
    program: Program,
    *,
    is_done: Callable[[], bool] | None = None,
    began: Callable[[], float | None] = lambda: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Cost:
    """What it costs until it ends, or until it is done. It begins when it is started, unless `began` says otherwise."""
    is_done = is_done or program.ended
    while not is_done():
        if time.perf_counter() - program.started > PATIENCE_SECONDS:
            raise RuntimeError(f"{program.command} is not done after {PATIENCE_SECONDS:g} s")
        _ = program.peak
        meanwhile()
        time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - (began() or program.started)
    return Cost(seconds, program.cpu, program.peak)


def spent(command: Sequence[str | Path]) -> Cost:
    """What a program costs that ends by itself, and has to succeed."""
    with running(command) as program:
        return watch(program)


def wait_for_rest(program: Program) -> None:
    """Until it takes no more processor: what it does before it is ready, such as checking files."""
    before = -1.0
    while program.cpu > before:
        before = program.cpu
        time.sleep(REST_SECONDS)


def wait_for_port(program: Program, port: int) -> None:
    """Until it takes connections. RuntimeError if it does not."""
    deadline = time.perf_counter() + READY_SECONDS
    while time.perf_counter() < deadline and not program.ended():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody on port {port}")
