"""Snapshots of a torrent, for users."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from trio_torrent.swarm.stall import Stall

if TYPE_CHECKING:
    from trio_torrent.dht.status import DiscoveryStatus
    from trio_torrent.swarm.webseeds import WebSeedStatus
    from trio_torrent.tracker.status import TrackerStatus


class State(enum.Enum):
    """What a torrent is doing."""

    METADATA = "metadata"  # it is not yet known what there is
    CHECKING = "checking"
    ALLOCATING = "allocating"  # the disk sets aside what the files will need
    DOWNLOADING = "downloading"
    SEEDING = "seeding"  # all that is wanted is there
    PAUSED = "paused"
    WAITING = "waiting"  # the disk has failed, and is tried again every few seconds; `Status.reason` says how
    FAILED = "failed"
    STOPPED = "stopped"


@attrs.frozen
class Status:
    """How a torrent stands, as of one moment. Sizes in bytes, rates in bytes a second."""

    state: State
    done: int  # verified, of what is wanted
    total: int  # of what is wanted
    pieces_done: int
    pieces: int
    checked: int  # pieces looked at, while checking
    downloaded: int  # of blocks, in this session
    uploaded: int
    wasted: int  # downloaded and of no use
    down_rate: float
    up_rate: float
    peers: int
    seeds: int
    known: int  # addresses
    stall: Stall | None  # why nothing comes, while downloading, or for who reads a file that is not wanted
    reason: str | None  # the same in words, with details
    trackers: tuple[TrackerStatus, ...]
    web_seeds: tuple[WebSeedStatus, ...] = ()
    dht: DiscoveryStatus | None = None  # what it does for this torrent; None if it is off, or not for this one
    allocated: int = 0  # while the disk sets aside what the files will need
    ever_downloaded: int = 0  # in all sessions that a resume record tells of, and this one
    ever_uploaded: int = 0
    named: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    """Of the known addresses, how many were named first by "pex" (peers), "lsd" (the local network), "dht", "the user"
    (`add_peers` and links), and each "tracker ..."."""


def in_words(
    stall: Stall | None,
    trackers: tuple[TrackerStatus, ...],
    dht: DiscoveryStatus | None = None,
    web_seeds: tuple[WebSeedStatus, ...] = (),
) -> str | None:
    """The reason, with what a web seed or a tracker, and the DHT, say where that is the reason for the reason."""
    if stall is not Stall.NO_PEERS:
        return stall and str(stall)
    errors = [seed.error for seed in web_seeds if seed.error] + [f"{said.error}" for said in trackers if said.error]
    reasons = errors[:1]
    if dht is not None:
        reasons.append(f"DHT: {dht}")
    return f"{stall} ({'; '.join(reasons)})" if reasons else str(stall)
