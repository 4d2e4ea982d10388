"""What the torrents of one client have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import attrs
import trio

from trio_torrent.address import Address
from trio_torrent.disk.records import Records
from trio_torrent.disk.workers import Workers
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.dial import Connect
from trio_torrent.net.places import Places
from trio_torrent.swarm.mirror import Mirror
from trio_torrent.wire.connection import SCRATCH

from .buckets import Buckets
from .finder import Finder
from .settings import Settings

if TYPE_CHECKING:
    from trio_torrent.net.asking import Asker
    from trio_torrent.net.http_tracker import Getter
    from trio_torrent.net.lane import OpenLane


@attrs.frozen(eq=False)
class Shared:
    """A port, an identity, threads, limits, and the ways out into the world."""

    settings: Settings
    workers: Workers
    http: Getter
    lanes: Callable[[], OpenLane]  # what this and the next take is loaded for the first who asks
    trackers: Callable[[], Asker]
    connect: Connect
    peer_id: bytes
    port: int
    boundary: Boundary
    random: Random
    buckets: Buckets
    dht: Finder | None = None
    places: Places = attrs.field(factory=Places)
    mirror: Mirror = attrs.field(factory=Mirror)  # where others see us
    own: frozenset[Address] = frozenset()  # where we would reach ourselves
    upload_turns: trio.Lock = attrs.field(factory=trio.Lock)  # the line of torrents before the bucket
    records: Records | None = None
    scratch: bytearray = attrs.field(factory=partial(bytearray, SCRATCH), repr=False)  # of all peers' connections
