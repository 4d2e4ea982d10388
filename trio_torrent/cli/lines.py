"""A torrent's state in one line. Plain functions of values."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from trio_torrent import Stall, State, Status

from .origins import Origin, origins
from .words import duration, percent, plural, rate, size

LONGEST = 99 * 86400  # seconds; an estimate beyond it is no estimate

# Who looks for peers in vain wants to know where they have been looked for.
NOBODY = frozenset({Stall.NO_PEERS, Stall.UNREACHABLE, Stall.NO_METADATA})


@attrs.frozen
class Row:
    """A torrent as the progress display sees it."""

    name: str
    status: Status
    verbose: bool = False

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
    def brief(self) -> str:
        """The same in about 30 characters."""
        return brief(self.status)

    @property
    def origins(self) -> Sequence[Origin]:
        """Where its peers should come from."""
        return [*origins(self.status)] if self.verbose or self.status.stall in NOBODY else []

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


def brief(status: Status) -> str:
    """What is going on, the most important thing first."""
    match status.state:
        case State.CHECKING | State.ALLOCATING:
            return f"{status.state.value}"
        case State.DOWNLOADING if status.reason is None:
            left = time_left(status)
            rest = [duration(left)] if left is not None else []
            return ", ".join([rate(status.down_rate), *rest, plural(status.peers, "peer")])
        case State.SEEDING:
            return f"seeding, up {rate(status.up_rate)}"
        case _:
            return activity(status)


def _downloading(status: Status) -> str:
    seeds = f" ({plural(status.seeds, 'seed')})" if status.seeds else ""
    traffic = f"down {rate(status.down_rate)}, up {rate(status.up_rate)}, {plural(status.peers, 'peer')}{seeds}"
    left = time_left(status)
    return f"{traffic}, {duration(left)} left" if left is not None else traffic


def together(statuses: Sequence[Status], complete: str) -> str:
    """All torrents in a line: how many are complete, and what those that go on do."""
    down, up = sum(status.down_rate for status in statuses), sum(status.up_rate for status in statuses)
    return f"{complete}, down {rate(down)}, up {rate(up)}"


def finished(name: str, status: Status, seconds: float) -> str:
    """The summary of a download that came to its end."""
    return f"{name}: complete, {size(status.total)} in {_result(status, seconds)}"


def unfinished(name: str, status: Status, seconds: float) -> str:
    """The summary of one that did not."""
    if not status.total:
        return f"{name}: nothing is known of it yet, after {duration(seconds)}"
    return f"{name}: {percent(status.done, status.total)} of {size(status.total)} in {_result(status, seconds)}"


def seeded(name: str, status: Status, seconds: float) -> str:
    """The summary of having been there for others."""
    return f"{name}: {size(status.uploaded)} uploaded in {duration(seconds)} of seeding, ratio {ratio(status):.2f}"


def in_all(statuses: Sequence[Status], complete: str, seconds: float) -> str:
    """The summary of several."""
    done, downloaded = sum(status.done for status in statuses), sum(status.downloaded for status in statuses)
    return f"{complete}, {size(done)} in {duration(seconds)}{_average(downloaded, seconds)}"


def ratio(status: Status) -> float:
    """What was given, to what there is."""
    return status.uploaded / status.total if status.total else 0.0


def _result(status: Status, seconds: float) -> str:
    figures = f"{size(status.wasted)} wasted, ratio {ratio(status):.2f}"
    return f"{duration(seconds)}{_average(status.downloaded, seconds)}, {figures}"


def _average(downloaded: int, seconds: float) -> str:
    return f", {rate(downloaded / seconds)} on average" if downloaded and seconds > 0 else ""
