"""aria2, from its command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .programs import Job, running

OPTIONS = (
    "--no-conf=true",
    "--enable-dht=false",
    "--enable-dht6=false",
    "--bt-enable-lpd=false",
    "--async-dns=false",
    "--file-allocation=none",
    "--check-integrity=true",
    "--seed-ratio=0.0",  # for ever
    "--auto-save-interval=0",
    "--summary-interval=0",
    "--show-console-readout=false",
)


@asynccontextmanager
async def open_aria2(job: Job) -> AsyncIterator[None]:
    """It can be told of peers by its tracker only."""
    job.work.mkdir()
    own = [f"--dir={job.folder}", f"--listen-port={job.port}", f"--interface={job.host}"]
    own.append(f"--disable-ipv6={str(':' not in job.host).lower()}")
    own.append(f"--enable-peer-exchange={str(job.pex).lower()}")
    async with running("aria2c", *OPTIONS, *own, job.source, log=job.work / "log", cwd=job.work):
        yield
