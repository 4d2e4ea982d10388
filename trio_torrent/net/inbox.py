"""How events reach the inbox of a torrent: the one channel that all its tasks share."""

from __future__ import annotations

import trio

from trio_torrent.swarm.events import Event


async def post(inbox: trio.MemorySendChannel[Event], event: Event) -> None:
    """Wait for room, if there is none. Else others do not have their turn here: whoever calls this lets them have it by
    receiving or sending something, and one more round of the event loop for each event is spared.
    """
    try:
        inbox.send_nowait(event)
    except trio.WouldBlock:
        await inbox.send(event)
