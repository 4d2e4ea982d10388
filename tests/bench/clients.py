"""The clients that are measured, as downloaders: each is told of a torrent, whose tracker names the peers.

All speak plain TCP and look for nobody else. What a client keeps open for more (sockets, files, memory) is given to it
as generously as its options allow.
"""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

NODE: list[str | Path] = [sys.executable, "-m", f"{__package__}.libtorrent_node"]
OURS: list[str | Path] = [sys.executable, "-m", "trio_torrent"]

HOST = "127.0.0.1"
CACHE_MIB = 64


def free_port() -> int:
    """One that nobody has just now."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


@attrs.frozen
class Job:
    """What to download, and where to. `work` is for settings and logs."""

    torrent: Path
    out: Path
    work: Path
    port: int = attrs.field(factory=free_port)

    @property
    def mark(self) -> Path:
        """Appears when a client that does not end by itself is done."""
        return self.work / "done"

    def hook(self) -> Path:
        """A program that makes the mark."""
        hook = self.work / "hook"
        hook.write_text(f"#!/bin/sh\n: > {shlex.quote(str(self.mark))}\n")
        hook.chmod(0o755)
        return hook


@attrs.frozen(eq=False)
class Client:
    """How a client is run. It ends when it is done, unless it `stays`."""

    name: str
    program: str
    command: Callable[[Job], Sequence[str | Path]]
    stays: bool = False
    is_daemon: bool = False  # its time counts from its first announce, not from the start of its process
    is_dialled: bool = False  # dials nobody on this machine
    environment: Mapping[str, str] = {}

    @property
    def is_here(self) -> bool:
        """It is installed."""
        return shutil.which(self.program) is not None


def _ours(job: Job) -> Sequence[str | Path]:
    options = ["--port", str(job.port), "--no-dht", "--no-lsd", "--no-pex", "--quiet"]
    return [*OURS, "get", job.torrent, "-o", job.out, "--state", job.work / "state", *options]


def _libtorrent(job: Job) -> Sequence[str | Path]:
    return [*NODE, "leech", job.torrent, job.out]


def _aria2(job: Job) -> Sequence[str | Path]:
    switched_off = ("enable-dht", "enable-dht6", "bt-enable-lpd", "enable-peer-exchange", "async-dns")
    options = [
        "--no-conf=true",
        *[f"--{name}=false" for name in switched_off],
        "--disable-ipv6=true",
        f"--interface={HOST}",
        f"--listen-port={job.port}",
        f"--dir={job.out}",
        "--seed-time=0",
        "--file-allocation=none",
        f"--disk-cache={CACHE_MIB}M",
        "--bt-max-peers=0",
        "--bt-max-open-files=4000",
        "--bt-request-peer-speed-limit=100M",
        "--auto-save-interval=0",
        "--summary-interval=0",
        "--show-console-readout=false",
    ]
    return ["aria2c", *options, job.torrent]


RTORRENT = """\
system.daemon.set = true
session.path.set = {work}
directory.default.set = {out}
network.bind_address.set = {host}
network.port_range.set = {port}-{port}
network.port_random.set = no
network.max_open_files.set = 4000
network.max_open_sockets.set = 1000
network.receive_buffer.size.set = 4M
protocol.encryption.set = none
protocol.pex.set = no
dht.mode.set = disable
trackers.use_udp.set = no
throttle.max_peers.normal.set = 500
throttle.min_peers.normal.set = 100
pieces.hash.on_completion.set = no
pieces.memory.max.set = 4096M
method.set_key = event.download.finished,bench,"execute.nothrow={{{hook}}}"
load.start = "{torrent}"
"""


def _rtorrent(job: Job) -> Sequence[str | Path]:
    own = {"work": job.work, "out": job.out, "host": HOST, "port": job.port}
    settings = job.work / "rtorrent.rc"
    settings.write_text(RTORRENT.format(**own, hook=job.hook(), torrent=job.torrent))
    return ["rtorrent", "-n", "-o", f"import={settings}"]


QBITTORRENT = """\
[LegalNotice]
Accepted=true
[AutoRun]
enabled=true
program={hook}
[BitTorrent]
Session\\AddTorrentPaused=false
Session\\BTProtocol=TCP
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\Encryption=2
Session\\Port={port}
Session\\Interface=lo
Session\\InterfaceAddress={host}
Session\\QueueingSystemEnabled=false
Session\\MultiConnectionsPerIp=true
Session\\MaxConnections=-1
Session\\MaxConnectionsPerTorrent=-1
Session\\DefaultSavePath={out}
Session\\SSRFMitigation=false
Session\\Preallocation=false
[Network]
PortForwardingEnabled=false
[Preferences]
General\\Locale=en
WebUI\\Address={host}
WebUI\\Port={web_port}
WebUI\\UseUPnP=false
"""


def _qbittorrent(job: Job) -> Sequence[str | Path]:
    settings = job.work / "qBittorrent" / "config" / "qBittorrent.conf"
    settings.parent.mkdir(parents=True)
    own = {"hook": job.hook(), "port": job.port, "host": HOST, "out": job.out, "web_port": free_port()}
    settings.write_text(QBITTORRENT.format(**own))
    return ["qbittorrent-nox", f"--profile={job.work}", "--skip-dialog=true", job.torrent]


TRANSMISSION = {
    "bind-address-ipv4": HOST,
    "bind-address-ipv6": "::1",
    "rpc-enabled": False,
    "dht-enabled": False,
    "lpd-enabled": False,
    "pex-enabled": False,
    "utp-enabled": False,
    "port-forwarding-enabled": False,
    "encryption": 0,  # plain text is preferred, and taken
    "peer-port-random-on-start": False,
    "peer-limit-global": 1000,
    "peer-limit-per-torrent": 500,
    "cache-size-mb": CACHE_MIB,
    "start-added-torrents": True,
    "preallocation": 0,
    "rename-partial-files": False,
    "watch-dir-enabled": True,
    "script-torrent-done-enabled": True,
}


def _transmission(job: Job) -> Sequence[str | Path]:
    watched = job.work / "watched"
    watched.mkdir()
    shutil.copy(job.torrent, watched)
    own = {"peer-port": job.port, "download-dir": str(job.out), "watch-dir": str(watched)}
    hook = {"script-torrent-done-filename": str(job.hook())}
    (job.work / "settings.json").write_text(json.dumps({**TRANSMISSION, **own, **hook}))
    return ["transmission-daemon", "--foreground", "--config-dir", job.work]


OUR_NAME, BASE = "trio-torrent", "libtorrent"

CLIENTS = (
    Client(OUR_NAME, sys.executable, _ours),
    Client(BASE, sys.executable, _libtorrent),
    Client("aria2", "aria2c", _aria2),
    Client("rtorrent", "rtorrent", _rtorrent, stays=True, environment={"TERM": "xterm"}),
    Client("qBittorrent", "qbittorrent-nox", _qbittorrent, stays=True, is_daemon=True),
    Client("Transmission", "transmission-daemon", _transmission, stays=True, is_daemon=True, is_dialled=True),
)
NAMES = tuple(client.name for client in CLIENTS)
