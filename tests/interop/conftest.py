"""A tracker, and something to share."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .opentracker import Tracker, open_tracker, plan
from .programs import need
from .share import Make, Share, folder_of_files, make_share


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(client): skipped where the client is missing, failed if CI is set")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        need(*marker.args)


@pytest.fixture
def make() -> Make:
    """What is shared; tests have it parametrized where it matters."""
    return folder_of_files


@pytest.fixture
def share(tmp_path: Path, make: Make) -> Iterator[Share]:
    """Complete, on disk, with a torrent that names a tracker to come."""
    yield make_share(tmp_path, make, f"{plan()}/announce")
    shutil.rmtree(tmp_path / "content")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where downloads go. Afterwards they go away: those of all tests would fill a small disk."""
    folder = tmp_path / "download"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def tracker(tmp_path: Path, share: Share) -> AsyncIterator[Tracker]:
    """The one that the torrent names."""
    base = share.metainfo.trackers[0][0].removesuffix("/announce")
    async with open_tracker(base, tmp_path / "opentracker", share.info_hash) as tracker:
        yield tracker
