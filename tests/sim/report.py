"""The figures of a run, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median

from .node import Node
from .scenarios import Run

_HEAD = (
    "who",
    "n",
    "done",
    "first",
    "median",
    "last",
    "down MB/s",
    "given x",
    "uplink %",
    "wasted %",
    "why not, or dropped for",
)


def table(run: Run) -> str:
    """A line for each kind of peer: times in seconds since it joined, `given` in copies of the torrent."""
    kinds: dict[str, list[Node]] = {}
    for node in run.world.nodes:
        kinds.setdefault(_kind(node), []).append(node)
    rows = [_HEAD, *(_row(run, kind, nodes) for kind, nodes in kinds.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, _summary(run)])


def _kind(node: Node) -> str:
    role = "seed" if node.finished == node.joined else "leecher"
    return f"{node.habits.name} {role}"


def _row(run: Run, kind: str, nodes: list[Node]) -> tuple[str, ...]:
    times = sorted(node.finished - node.joined for node in nodes if node.finished is not None)
    size = run.world.geometry.size
    down = sum(node.downloaded for node in nodes)
    wasted = sum(node.scheduler.snapshot(run.world.clock.now).wasted for node in nodes)
    seconds = sum(_seconds(run, node) for node in nodes)
    return (
        kind,
        f"{len(nodes)}",
        f"{len(times)}",
        *(f"{time:.1f}" for time in ((times[0], median(times), times[-1]) if times else ())),
        *(() if times else ("", "", "")),
        f"{down / seconds / 1e6:.3f}" if seconds else "",
        f"{sum(node.uploaded for node in nodes) / size:.2f}",
        f"{100 * uplink_use(run, nodes):.0f}",
        f"{100 * wasted / down:.1f}" if down else "",
        _reasons(run, nodes),
    )


def uplink_use(run: Run, nodes: Iterable[Node]) -> float:
    """How much of what these could give while they were there they gave."""
    nodes = list(nodes)
    ends = (run.world.clock.now if node.left is None else node.left for node in nodes)
    could = sum(node.host.up * (end - node.joined) for node, end in zip(nodes, ends, strict=True))
    return sum(node.uploaded for node in nodes) / could


def _seconds(run: Run, node: Node) -> float:
    end = node.finished if node.finished is not None else node.left if node.left is not None else run.world.clock.now
    return end - node.joined


def _reasons(run: Run, nodes: Iterable[Node]) -> str:
    said: Counter[str] = Counter()
    for node in nodes:
        if node.finished is None and node.left is None:
            said[run.world.stall(node) or "it goes on"] += 1
        said.update(f"dropped: {parting.reason}" for parting in node.partings if parting.reason != "left")
    return ", ".join(f"{count} x {reason}" for reason, count in said.most_common(4))


def _summary(run: Run) -> str:
    wrong = sum(liar.habits.honest for _, liar in run.convicted)
    return (
        f"seed {run.world.seed}: {'complete' if run.complete else 'NOT complete'} at {run.world.clock.now:.1f} s, "
        f"last {run.last:.1f} s = {run.last / run.bound:.2f} x bound ({run.bound:.1f} s), "
        f"{len(run.convicted)} convictions ({wrong} of honest peers), {run.world.clock.count} events"
    )
