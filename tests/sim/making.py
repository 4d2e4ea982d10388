"""What every run is held to, and how to see one that failed."""

from __future__ import annotations

from statistics import median

from .node import Node
from .report import table
from .scenarios import SCENARIOS, Run


def run(name: str, seed: int) -> Run:
    """Run a scenario. Nobody honest was taken for a liar, and its figures are there if anything else is wrong."""
    done = SCENARIOS[name](seed)
    explain(done, name)
    assert not [liar for _, liar in done.convicted if liar.habits.honest], "an honest peer was convicted"
    return done


def complete(name: str, seed: int, *, within: float) -> Run:
    """The same, and those who are watched became complete within so many times the bound."""
    done = run(name, seed)
    assert done.complete
    assert done.last <= within * done.bound, f"{done.last / done.bound:.2f} times the bound"
    return done


def explain(done: Run, name: str) -> None:
    """What pytest shows of a test that fails."""
    print(f"python -m tests.sim {name} --seed {done.world.seed}\n{table(done)}")


def honest_leechers(done: Run) -> list[Node]:
    """Those who came with less than everything, and give what they get."""
    return [node for node in done.world.nodes if node.habits.name == "honest" and node.finished != node.joined]


def waste(done: Run) -> float:
    """The share of what the watched received that was of no use."""
    wasted = sum(node.scheduler.snapshot(done.world.clock.now).wasted for node in done.watched)
    return wasted / sum(node.downloaded for node in done.watched)


def times(nodes: list[Node]) -> list[float]:
    """When these were complete, in seconds since they joined."""
    return [node.finished - node.joined for node in nodes if node.finished is not None]


def least_share(amounts: list[int]) -> float:
    """The least of these, over the median."""
    return min(amounts) / median(amounts)
