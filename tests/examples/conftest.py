"""Examples are for users, who have the whole world; here they have this machine."""

from __future__ import annotations

from functools import partial

import pytest

import trio_torrent
from trio_torrent import Settings
from trio_torrent.client import client


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a program does not say otherwise, its client stays on this machine, at any port."""
    here = partial(Settings, port=0, interface="127.0.0.1", dht=False, lsd=False, stop_seconds=1)
    monkeypatch.setattr(trio_torrent, "Settings", here)
    monkeypatch.setattr(client, "Settings", here)
