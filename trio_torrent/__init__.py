"""A BitTorrent client for people and for programs, on trio's structured concurrency.

One task per peer connection; memory channels carry decoded messages to one scheduler per torrent, which decides. There
are three kinds of code and no file mixes them: values (what a thing *is*), decisions (what to do next: synchronous, no
I/O, time and randomness passed in) and tasks (they move bytes and carry out decisions). Imports go down only:

    cli                                    for people; uses what this package exports, nothing else
    client                                 tying it together: the API
    net        disk                        bytes in motion (tasks), bytes at rest (threads)
    swarm                                  deciding: whom to ask, whom to serve
    wire       tracker    dht              protocols, without I/O
    metainfo                               what a torrent is
    bencode  address  bitfield  errors     the ground

A block's way: `net.peer` receives into the buffers that `wire.connection` hands out, sends the messages to the inbox of
`client.session`, whose heart asks `swarm.scheduler` what to do and lets `client.perform` do it; `disk.store` verifies
and writes whole pieces in threads, and its verdict comes back through the same inbox. A web seed
(`net.webseed`) is one more peer.

The names below are the public ones; all else may change. They are imported when first used, so that a command line
that only prints its help does not wait for an HTTP client to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .address import Address
    from .client.client import Client, open_client
    from .client.events import (
        Checked,
        Completed,
        DialRefused,
        Failed,
        FileDone,
        MetadataDone,
        Overflow,
        PeerGone,
        PieceDone,
        TorrentEvent,
        Troubled,
    )
    from .client.files import TorrentFile
    from .client.metainfo import FileVerified, Metainfo, Verified
    from .client.probe import probe
    from .client.reader import FileReader
    from .client.selection import Priority
    from .client.settings import Settings
    from .client.status import State, Status
    from .client.torrent import Torrent
    from .client.tour import Found, Probed, Reached, Step
    from .dht.status import DhtStatus, DiscoveryStatus, NodeStatus, Scrape
    from .errors import (
        BencodeError,
        ChangedError,
        DhtError,
        IncompleteError,
        MagnetError,
        MetainfoError,
        PeerError,
        ProtocolError,
        StoppedError,
        StorageError,
        TorrentError,
        TrackerError,
    )
    from .metainfo.infohash import InfoHashes
    from .metainfo.magnet import Magnet
    from .net.dht import Dht, Finding
    from .net.tracker_server import TrackerServer, serve_tracker
    from .swarm.stall import Stall
    from .swarm.webseeds import WebSeedState, WebSeedStatus
    from .tracker.status import TrackerStatus

_HOMES = {
    "address": ("Address",),
    "client.client": ("Client", "open_client"),
    "client.events": (
        "Checked",
        "Completed",
        "DialRefused",
        "Failed",
        "FileDone",
        "MetadataDone",
        "Overflow",
        "PeerGone",
        "PieceDone",
        "TorrentEvent",
        "Troubled",
    ),
    "client.files": ("TorrentFile",),
    "client.metainfo": ("FileVerified", "Metainfo", "Verified"),
    "client.probe": ("probe",),
    "client.reader": ("FileReader",),
    "client.selection": ("Priority",),
    "client.settings": ("Settings",),
    "client.status": ("State", "Status"),
    "client.torrent": ("Torrent",),
    "client.tour": ("Found", "Probed", "Reached", "Step"),
    "dht.status": ("DhtStatus", "DiscoveryStatus", "NodeStatus", "Scrape"),
    "errors": (
        "BencodeError",
        "DhtError",
        "ChangedError",
        "IncompleteError",
        "MagnetError",
        "MetainfoError",
        "PeerError",
        "ProtocolError",
        "StoppedError",
        "StorageError",
        "TorrentError",
        "TrackerError",
    ),
    "metainfo.infohash": ("InfoHashes",),
    "metainfo.magnet": ("Magnet",),
    "net.dht": ("Dht", "Finding"),
    "net.tracker_server": ("TrackerServer", "serve_tracker"),
    "swarm.stall": ("Stall",),
    "swarm.webseeds": ("WebSeedState", "WebSeedStatus"),
    "tracker.status": ("TrackerStatus",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Address",
    "BencodeError",
    "ChangedError",
    "Checked",
    "Client",
    "Completed",
    "Dht",
    "DhtError",
    "DhtStatus",
    "DialRefused",
    "DiscoveryStatus",
    "Failed",
    "FileDone",
    "FileReader",
    "FileVerified",
    "Finding",
    "Found",
    "IncompleteError",
    "InfoHashes",
    "Magnet",
    "MagnetError",
    "MetadataDone",
    "Metainfo",
    "MetainfoError",
    "NodeStatus",
    "Overflow",
    "PeerError",
    "PeerGone",
    "PieceDone",
    "Priority",
    "Probed",
    "ProtocolError",
    "Reached",
    "Scrape",
    "Settings",
    "Stall",
    "State",
    "Status",
    "Step",
    "StoppedError",
    "StorageError",
    "Torrent",
    "TorrentError",
    "TorrentEvent",
    "TorrentFile",
    "TrackerError",
    "TrackerServer",
    "TrackerStatus",
    "Troubled",
    "Verified",
    "WebSeedState",
    "WebSeedStatus",
    "__version__",
    "open_client",
    "probe",
    "serve_tracker",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]
