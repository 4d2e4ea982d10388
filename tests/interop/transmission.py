"""Transmission's daemon, without its remote control."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .programs import Job, running

SETTINGS = {
    "rpc-enabled": False,
    "bind-address-ipv6": "::1",
    "dht-enabled": False,
    "lpd-enabled": False,
    "pex-enabled": False,
    "utp-enabled": False,
    "port-forwarding-enabled": False,
    "encryption": 0,  # plain text is preferred, and taken
    "peer-port-random-on-start": False,
    "start-added-torrents": True,
    "preallocation": 0,
    "rename-partial-files": False,
    "ratio-limit-enabled": False,
}


@asynccontextmanager
async def open_transmission(job: Job, *, upload_limit: int = 0) -> AsyncIterator[None]:
    """It does not dial 127.0.0.0/8, from where no Internet peer can be, so somebody has to dial it.

    `upload_limit` is in bytes a second, 0 for none.
    """
    # What lies here when it starts, it goes on with; without a record of its progress it checks the content first.
    torrents = job.work / "torrents"
    torrents.mkdir(parents=True)
    shutil.copy(job.torrent, torrents)
    own = {
        "bind-address-ipv4": job.host,
        "peer-port": job.port,
        "download-dir": str(job.folder),
        "speed-limit-up-enabled": bool(upload_limit),
        "speed-limit-up": upload_limit // 1000,
    }
    (job.work / "settings.json").write_text(json.dumps({**SETTINGS, **own}))
    arguments: list[str | Path] = ["--foreground", "--config-dir", job.work, "--log-debug"]
    async with running("transmission-daemon", *arguments, log=job.work / "log"):
        yield
