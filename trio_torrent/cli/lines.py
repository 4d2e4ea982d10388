"""A torrent's state in one line. Plain functions of values."""

from __future__ import annotations

import attrs

from trio_torrent import Stall, State, Status

from .words import duration, plural, rate, size

LONGEST = 99 * 86400  # seconds; an estimate beyond it is no estimate


@attrs.frozen
class Row:
    """A torrent as the progress display sees it."""

    name: str
    status: Status

    @property
    def bar(self) -> tuple[int, int]:
        """How much of how much."""
        status = self.status
        if status.state is State.ALLOCATING:
            return status.allocated, status.total
        return (status.done, status.total) if self.in_bytes else (status.checked, status.pieces)

    @property
    def in_bytes(self) -> bool:
        """That was of bytes; otherwise of pieces."""
        return self.status.state not in (State.METADATA, State.CHECKING)

    @property
    def activity(self) -> str:
        """What is going on."""
        return activity(self.status)

    @property
    def troubled(self) -> bool:
        """Somebody should look at it."""
        return self.status.reason is not None and self.status.stall is not Stall.METADATA

    @property
    def steady(self) -> bool:
        """Nothing will change soon."""
        return self.status.state is State.SEEDING


def time_left(status: Status) -> float | None:
    """Seconds until the torrent is complete at the present rate; None if that cannot be said."""
    if status.down_rate <= 0 or status.done >= status.total:
        return None
    seconds = (status.total - status.done) / status.down_rate
    return seconds if seconds < LONGEST else None


def activity(status: Status) -> str:
    """What is going on with it, or why nothing is."""
    match status.state:
        case State.METADATA:
            return status.reason or "waiting for metadata"
        case State.CHECKING:
            return f"checking, {status.checked} of {plural(status.pieces, 'piece')}"
        case State.ALLOCATING:
            return f"setting aside {size(status.total)} of disk"
        case State.PAUSED:
            return "paused"
        case State.WAITING:
            return f"waiting for the disk: {status.reason}"
        case State.DOWNLOADING:
            return status.reason or _downloading(status)
        case State.SEEDING:
            return f"seeding, up {rate(status.up_rate)}, {size(status.uploaded)} in all, {plural(status.peers, 'peer')}"
        case State.FAILED:
            return "failed"
        case State.STOPPED:
            return "stopped"


def _downloading(status: Status) -> str:
    traffic = f"down {rate(status.down_rate)}, up {rate(status.up_rate)}, {plural(status.peers, 'peer')}"
    left = time_left(status)
    return f"{traffic}, {duration(left)} left" if left is not None else traffic


def finished(name: str, status: Status, seconds: float) -> str:
    """The summary of a download that came to its end."""
    average = rate(status.downloaded / seconds) if seconds > 0 else "at once"
    return (
        f"{name}: complete, {size(status.total)} in {duration(seconds)}, "
        f"{average} on average, {size(status.wasted)} wasted"
    )
