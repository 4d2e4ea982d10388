"""Transmission's daemon; its remote control is for links only, which it takes in no other way."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from .programs import LOOPBACK, Job, free_port, running, until

SETTINGS = {
    "rpc-bind-address": LOOPBACK,
    "bind-address-ipv4": LOOPBACK,
    "bind-address-ipv6": "::1",
    "dht-enabled": False,
    "lpd-enabled": False,
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
async def open_transmission(job: Job, *, upload_limit: int = 0, door: Sequence[str] = ()) -> AsyncIterator[None]:
    """It does not dial 127.0.0.0/8, from where no Internet peer can be, so somebody has to dial it.

    `upload_limit` is in bytes a second, 0 for none; `door` leads to the machine on which it is to run.
    """
    # What lies here when it starts, it takes for new: it checks the content first.
    watched = job.work / "watched"
    watched.mkdir(parents=True)
    if not job.link:
        shutil.copy(job.torrent, watched)
    own = {
        "bind-address-ipv6" if ":" in job.host else "bind-address-ipv4": job.host,
        "peer-port": job.port,
        "download-dir": str(job.folder),
        "speed-limit-up-enabled": bool(upload_limit),
        "speed-limit-up": upload_limit // 1000,
        "pex-enabled": job.pex,
        "watch-dir": str(watched),
        "watch-dir-enabled": True,
        "rpc-enabled": bool(job.link),
        "rpc-port": (rpc_port := free_port()),
    }
    (job.work / "settings.json").write_text(json.dumps({**SETTINGS, **own}))
    arguments: list[str | Path] = ["--foreground", "--config-dir", job.work, "--log-debug"]
    async with running(*door, "transmission-daemon", *arguments, log=job.work / "log"):
        if job.link:
            await _add(job.link, f"http://{LOOPBACK}:{rpc_port}/transmission/rpc")
        yield


async def _add(link: str, url: str) -> None:
    """By its remote control, which wants a number of its own in a header (against other people's web pages)."""
    session: dict[str, str] = {}

    async def added() -> bool:
        with suppress(httpx.ConnectError):  # not up yet
            question = {"method": "torrent-add", "arguments": {"filename": link}}
            answer = await http.post(url, json=question, headers=session)
            session["X-Transmission-Session-Id"] = answer.headers.get("X-Transmission-Session-Id", "")
            return answer.status_code == httpx.codes.OK and answer.json()["result"] == "success"
        return False

    async with httpx.AsyncClient(trust_env=False) as http:
        await until(added, "Transmission takes a link")
