"""qBittorrent, without its window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .programs import Job, free_port, running

SETTINGS = """\
[LegalNotice]
Accepted=true
[BitTorrent]
Session\\AddTorrentPaused=false
Session\\BTProtocol=TCP
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\Encryption=2
Session\\Port={port}
Session\\InterfaceAddress={host}
Session\\QueueingSystemEnabled=false
Session\\MultiConnectionsPerIp=true
Session\\DefaultSavePath={folder}
Session\\SSRFMitigation=false
[Network]
PortForwardingEnabled=false
[Preferences]
General\\Locale=en
WebUI\\Address=127.0.0.1
WebUI\\Port={web_port}
WebUI\\UseUPnP=false
"""


@asynccontextmanager
async def open_qbittorrent(job: Job) -> AsyncIterator[None]:
    """Its web interface cannot be turned off; nobody uses it."""
    settings = job.work / "qBittorrent" / "config" / "qBittorrent.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS.format(port=job.port, host=job.host, folder=job.folder, web_port=free_port()))
    arguments: list[str | Path] = [f"--profile={job.work}", "--skip-dialog=true", job.source]
    environment = {"HOME": str(job.work)}
    async with running("qbittorrent-nox", *arguments, log=job.work / "log", cwd=job.work, environment=environment):
        yield
