"""What programs are told of a torrent: the fields of --json's events. Sizes are bytes, rates whole bytes a second."""

from __future__ import annotations

import attrs

from trio_torrent import Magnet, Metainfo, Status

from .lines import ratio, time_left


def figures(status: Status) -> dict[str, object]:
    """Of a progress event."""
    left = time_left(status)
    return {
        "state": status.state.value,
        "done": status.done,
        "total": status.total,
        "downloaded": status.downloaded,
        "uploaded": status.uploaded,
        "wasted": status.wasted,
        "down_rate": round(status.down_rate),
        "up_rate": round(status.up_rate),
        "peers": status.peers,
        "seeds": status.seeds,
        "known": status.known,
        "seconds_left": left and round(left),
        "reason": status.reason,
    }


def identity(found: Metainfo | Magnet) -> dict[str, object]:
    """What a torrent is, as far as it is known."""
    geometry = found.geometry if isinstance(found, Metainfo) else None
    return {
        "name": found.name or None,
        "info_hash_v1": as_hex(found.info_hashes.v1),
        "info_hash_v2": as_hex(found.info_hashes.v2),
        "size": geometry and geometry.size,
        "pieces": geometry and geometry.pieces,
        "piece_length": geometry and geometry.piece_length,
    }


def sources(status: Status) -> dict[str, object]:
    """Who tells of peers, and how that goes. `named` is how many of the known addresses each has named first."""
    return {
        "trackers": [attrs.asdict(tracker) for tracker in status.trackers],
        "dht": status.dht and attrs.asdict(status.dht),
        "web_seeds": [attrs.asdict(seed) for seed in status.web_seeds],
        "named": dict(status.named),
    }


def result(status: Status, seconds: float) -> dict[str, object]:
    """What has come of it, after so many seconds."""
    return {
        "seconds": round(seconds, 3),
        "done": status.done,
        "total": status.total,
        "downloaded": status.downloaded,
        "uploaded": status.uploaded,
        "wasted": status.wasted,
        "ratio": round(ratio(status), 3),
    }


def as_hex(digest: bytes | None) -> str | None:
    """For programs and people."""
    return digest.hex() if digest is not None else None
