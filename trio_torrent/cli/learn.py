"""What there is behind a link, asked of peers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs
import trio

from trio_torrent import MetainfoError, Stall

from .wishes import Network
from .words import duration

if TYPE_CHECKING:
    from trio_torrent import Magnet, Metainfo, Status, Torrent

LOOK_SECONDS = 0.1  # between looks at whether there is still hope


@attrs.frozen(kw_only=True)
class Asking:
    """How to ask for what a link does not say, and for how long."""

    network: Network
    seconds: float  # 0: nobody is asked


NOBODY = Asking(network=Network(), seconds=0)


async def learn(magnet: Magnet, asking: Asking) -> tuple[Metainfo | Magnet, str | None]:
    """The torrent behind the link; or the link itself, and why no more is known if it was asked for."""
    network = asking.network
    if not asking.seconds or not (magnet.trackers or magnet.peers or network.peers or network.dht):
        return magnet, None
    from trio_torrent import open_client  # here: most torrents need no client to be shown or made

    reason: str | None = f"no peer has told what there is, within {duration(asking.seconds)}"
    async with open_client(attrs.evolve(network.settings(), port=0)) as client:
        # Nothing is written where nothing is to be downloaded; and what is there is of no interest.
        torrent = await client.add(magnet, save_path=os.devnull, peers=network.peers, download=False)
        with trio.move_on_after(asking.seconds):
            reason = await _wait(torrent)
    return (magnet, reason) if torrent.metainfo is None else (torrent.metainfo, None)


async def _wait(torrent: Torrent) -> str | None:
    """Until it is known what there is, or there is no hope: then why not."""
    while torrent.metainfo is None:
        if isinstance(torrent.error, MetainfoError):
            return str(torrent.error)
        if _is_hopeless(status := torrent.status):
            return f"it cannot be found out what there is: {status.reason}"
        with trio.move_on_after(LOOK_SECONDS):
            await torrent.wait_metadata()
    return None


def _is_hopeless(status: Status) -> bool:
    """Every tracker has failed, the DHT has looked once, and nobody else is left."""
    looks = status.dht is not None and status.dht.last is None
    failed = not looks and all(tracker.error for tracker in status.trackers)
    return failed and status.stall in (Stall.NO_PEERS, Stall.UNREACHABLE)
