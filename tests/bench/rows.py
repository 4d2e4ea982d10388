"""A table of figures: a line for each thing measured, a column for each client, and what was wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from .clients import BASE, NAMES, OUR_NAME

Figures = Mapping[str, float]


@attrs.frozen
class Goal:
    """What is wanted of our figure. `holds` is told all of them; its ratio to another one is shown, if there is one."""

    text: str
    holds: Callable[[Figures], bool]
    ratio: Callable[[Figures], float] | None = None


def _times(base: str) -> Callable[[Figures], float]:
    return lambda figures: figures[OUR_NAME] / figures[base]


def at_least(factor: float, base: str = BASE) -> Goal:
    """So much of what another client has."""
    ratio = _times(base)
    return Goal(f"≥ {factor:g} x {base}", lambda figures: ratio(figures) >= factor, ratio)


def at_most(factor: float, base: str = BASE) -> Goal:
    """So much of what another client has."""
    ratio = _times(base)
    return Goal(f"≤ {factor:g} x {base}", lambda figures: ratio(figures) <= factor, ratio)


def ahead(factor: float, others: Iterable[str]) -> Goal:
    """So much of what each of these has, at least."""
    names = tuple(others)

    def ratio(figures: Figures) -> float:
        return figures[OUR_NAME] / max(figures[name] for name in names if name in figures)

    return Goal(f"≥ {factor:g} x each other", lambda figures: ratio(figures) >= factor, ratio)


def below(limit: float) -> Goal:
    """No more than this."""
    return Goal(f"≤ {limit:g}", lambda figures: figures[OUR_NAME] <= limit)


@attrs.frozen
class Row:
    """One thing that was measured, by client. A client that is not in `figures` was not there."""

    what: str
    figures: Figures
    goals: tuple[Goal, ...] = ()

    def verdict(self) -> str:
        """Whether it is what was wanted."""
        return "; ".join(_verdict(goal, self.figures) for goal in self.goals)


def _verdict(goal: Goal, figures: Figures) -> str:
    try:
        ratio = f" ({goal.ratio(figures):.2f})" if goal.ratio is not None else ""
        return goal.text + ratio + (": yes" if goal.holds(figures) else ": **no**")
    except (KeyError, ValueError):
        return f"{goal.text}: nobody to compare with"


def table(rows: Iterable[Row]) -> str:
    """In Markdown."""
    lines = [f"| | {' | '.join(NAMES)} | wanted |", "|---" * (len(NAMES) + 2) + "|"]
    for row in rows:
        figures = " | ".join(_figure(row.figures.get(name)) for name in NAMES)
        lines.append(f"| {row.what} | {figures} | {row.verdict()} |")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
