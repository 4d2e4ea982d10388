"""Every client that we meet, in one table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from .aria2 import open_aria2
from .libtorrent_node import open_libtorrent
from .programs import Job
from .qbittorrent import open_qbittorrent
from .rtorrent import open_rtorrent
from .transmission import open_transmission

Open = Callable[[Job], AbstractAsyncContextManager[object]]

CLIENTS: dict[str, Open] = {
    "aria2": open_aria2,
    "libtorrent": open_libtorrent,
    "qbittorrent": open_qbittorrent,
    "rtorrent": open_rtorrent,
    "transmission": open_transmission,
}

ALL = [pytest.param(name, marks=pytest.mark.needs(name)) for name in CLIENTS]

# Transmission needs to be dialled; the rest dial those that a tracker names.
DIALLING = [pytest.param(name, marks=pytest.mark.needs(name)) for name in CLIENTS if name != "transmission"]
