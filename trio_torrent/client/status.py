"""Snapshots of a torrent, for users."""

from __future__ import annotations

import enum

import attrs

from trio_torrent.swarm.scheduler import Swarm
from trio_torrent.tracker.tiers import TrackerStatus


class State(enum.Enum):
    """What a torrent is doing."""

    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    FAILED = "failed"
    STOPPED = "stopped"


@attrs.frozen
class Status:
    """How a torrent stands, as of one moment. Sizes in bytes, rates in bytes a second."""

    state: State
    done: int  # verified
    total: int
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
    reason: str | None  # why nothing comes, in words, while downloading
    trackers: tuple[TrackerStatus, ...]


def why_nothing_comes(swarm: Swarm, trackers: tuple[TrackerStatus, ...]) -> str | None:
    """The first thing that is missing on the way from knowing nobody to receiving; None if data comes."""
    if swarm.down_rate:
        return None
    if not swarm.known and not swarm.peers:
        errors = [f"{tracker.error}" for tracker in trackers if tracker.error]
        return f"no peers known ({errors[0]})" if errors else "no peers known"
    if not swarm.peers:
        return f"none of {swarm.known} known peers can be reached"
    if not swarm.interesting:
        return "no connected peer has what is missing"
    if not swarm.unchoked_by:
        return "all peers choke us"
    return "waiting for data"
