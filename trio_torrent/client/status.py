"""Snapshots of a torrent, for users."""

from __future__ import annotations

import enum

import attrs

from trio_torrent.swarm.stall import Stall
from trio_torrent.tracker.status import TrackerStatus


class State(enum.Enum):
    """What a torrent is doing."""

    METADATA = "metadata"  # it is not yet known what there is
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
    stall: Stall | None  # why nothing comes, while downloading
    reason: str | None  # the same in words, with details
    trackers: tuple[TrackerStatus, ...]


def in_words(stall: Stall | None, trackers: tuple[TrackerStatus, ...]) -> str | None:
    """The reason, with what a tracker says where that is the reason for the reason."""
    errors = [f"{tracker.error}" for tracker in trackers if tracker.error]
    return f"{stall} ({errors[0]})" if stall is Stall.NO_PEERS and errors else stall and str(stall)
