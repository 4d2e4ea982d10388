"""Which run of the machine it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trio_torrent.disk import boot
from trio_torrent.disk.boot import boot_id, run_of


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_it_stays_the_same():
    assert boot_id() == boot_id() != ""


def test_where_nobody_tells_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(boot, "_LINUX", tmp_path / "no such file")
    assert boot_id() == ""
    assert run_of("", tmp_path) == ""


def test_each_disk_has_its_own(tmp_path: Path):
    assert run_of("today", tmp_path) == f"today {tmp_path.stat().st_dev}"
    assert run_of("today", tmp_path / "gone") == ""
