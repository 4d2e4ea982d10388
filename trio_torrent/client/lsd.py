"""The neighbours of one client, on the local network (BEP 14): whether it has any, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

import trio

from trio_torrent.address import Address
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.lsd import Torrents, discover, entrances
from trio_torrent.swarm.lsd import SOURCE, Neighbourhood


def look_around(
    nursery: trio.Nursery,
    port: int,
    torrents: Torrents,
    meet: Callable[[str, bytes, Address], None],
    *,
    interface: str | None,
    boundary: Boundary,
    random: Random,
) -> None:
    """Look for neighbours for as long as the nursery is open. `meet` is told where it is known from, of which
    info-hash, and who has it.
    """
    ways = entrances(interface)
    if ways:
        neighbourhood = Neighbourhood(port, random)
        nursery.start_soon(discover, ways, neighbourhood, torrents, partial(meet, SOURCE), boundary)
