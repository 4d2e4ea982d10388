"""Why nothing comes, in one closed vocabulary: what is missing first, on the way from knowing nobody to data."""

from __future__ import annotations

import enum


class Stall(enum.StrEnum):
    """The reasons, in words for people."""

    RATE_LIMIT = "the rate limit leaves no room"
    DISK_SLOW = "the disk is slower than the network"
    METADATA = "waiting for metadata"
    NO_METADATA = "no connected peer has the metadata"
    NO_PEERS = "no peers known"
    CONNECTING = "connecting"
    UNREACHABLE = "no known peer can be reached"
    NOBODY_HAS = "no connected peer has what is missing"
    CHOKED = "all peers choke us"
    SILENT = "peers let us ask, and send nothing"
    WAITING = "waiting for data"


def why(
    *, known: int, dialling: int, peers: int, interesting: int, giving: int, silent: int, limited: bool, full: bool
) -> Stall:
    """Why nothing comes, if nothing comes.

    `giving` is how many peers have something for us and do not choke us, and `silent` how many of those are late with
    what they owe. `limited` says that a rate limit keeps us from asking, `full` that the disk does.
    """
    if limited:
        return Stall.RATE_LIMIT
    if full:
        return Stall.DISK_SLOW
    if not peers:
        return _without_peers(known=known, dialling=dialling)
    if not interesting:
        return Stall.NOBODY_HAS
    if not giving:
        return Stall.CHOKED
    return Stall.SILENT if silent == giving else Stall.WAITING


def why_no_metadata(*, known: int, dialling: int, peers: int, givers: int) -> Stall:
    """Why it is not yet known what there is to download. `givers` is how many peers say that they know."""
    if not peers:
        return _without_peers(known=known, dialling=dialling)
    return Stall.METADATA if givers else Stall.NO_METADATA


def _without_peers(*, known: int, dialling: int) -> Stall:
    return Stall.CONNECTING if dialling else Stall.UNREACHABLE if known else Stall.NO_PEERS
