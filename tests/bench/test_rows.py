"""The table says what was measured, and whether it is what was wanted."""

from __future__ import annotations

import pytest

from .rows import Goal, Row, ahead, at_least, at_most, below, table


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (at_least(0.9), "≥ 0.9 x libtorrent (0.95): yes"),
        (at_least(1), "≥ 1 x libtorrent (0.95): **no**"),
        (at_most(0.95), "≤ 0.95 x libtorrent (0.95): yes"),
        (at_most(0.9), "≤ 0.9 x libtorrent (0.95): **no**"),
        (ahead(2, ["aria2", "rtorrent", "Transmission"]), "≥ 2 x each other (1.90): **no**"),
        (ahead(2, ["rtorrent", "Transmission"]), "≥ 2 x each other (9.50): yes"),
        (ahead(2, ["Transmission"]), "≥ 2 x each other: nobody to compare with"),
        (at_least(1, "Transmission"), "≥ 1 x Transmission: nobody to compare with"),
        (below(950), "≤ 950: yes"),
        (below(949), "≤ 949: **no**"),
    ],
)
def test_verdicts(goal: Goal, verdict: str):
    figures = {"trio-torrent": 950.0, "libtorrent": 1000.0, "aria2": 500.0, "rtorrent": 100.0}
    assert Row("download", figures, (goal,)).verdict() == verdict


def test_a_table_has_a_column_for_each_client_and_a_line_for_each_row():
    rows = [Row("speed", {"trio-torrent": 950.4, "aria2": 9.123}, (below(1000),)), Row("memory", {"libtorrent": 47.81})]
    assert table(rows).splitlines() == [
        "| | trio-torrent | libtorrent | aria2 | rtorrent | qBittorrent | Transmission | wanted |",
        "|---|---|---|---|---|---|---|---|",
        "| speed | 950 | - | 9.12 | - | - | - | ≤ 1000: yes |",
        "| memory | - | 47.8 | - | - | - | - |  |",
    ]
