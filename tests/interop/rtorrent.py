"""rTorrent, without its screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .programs import Job, running

SETTINGS = """\
system.daemon.set = true
session.path.set = {work}
directory.default.set = {folder}
network.bind_address.set = {host}
network.port_range.set = {port}-{port}
network.port_random.set = no
protocol.encryption.set = none
protocol.pex.set = no
dht.mode.set = disable
trackers.use_udp.set = no
log.open_file = "log", {work}/events
log.add_output = "info", "log"
load.start = "{torrent}"
"""


@asynccontextmanager
async def open_rtorrent(job: Job) -> AsyncIterator[None]:
    """All of its settings are in its own language."""
    job.work.mkdir()
    settings = job.work / "rtorrent.rc"
    own = {"work": job.work, "folder": job.folder, "host": job.host, "port": job.port, "torrent": job.source}
    settings.write_text(SETTINGS.format(**own))
    environment = {"TERM": "xterm", "HOME": str(job.work)}
    arguments = ["-n", "-o", f"import={settings}"]
    async with running("rtorrent", *arguments, log=job.work / "log", cwd=job.work, environment=environment):
        yield
