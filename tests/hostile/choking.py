"""Chokes and interest, back and forth."""

from __future__ import annotations

import trio

from trio_torrent.wire import messages as wire

from .case import EVERY_WAY, Case, Have, Ignored, Script, floods
from .villain import MOMENT, Villain


def tempts_and_says(*messages: wire.Message, times: int) -> Script:
    """The script of one that has everything, and says this over and over, hearing what comes meanwhile."""

    async def script(peer: Villain) -> None:
        await peer.say_all_pieces()
        await peer.wait_for(wire.Interested)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.listen_for, 2)
            for _ in range(times):
                await peer.say(*messages)

    return script


def hears_and_says(*messages: wire.Message, times: int) -> Script:
    """The script that says this over and over, hearing what comes meanwhile."""

    async def script(peer: Villain) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.listen_for, 2)
            for _ in range(times):
                await peer.say(*messages)

    return script


async def flaps_slowly(peer: Villain) -> None:
    """Ten times a second, with a few blocks in between."""
    await peer.say_all_pieces()
    await peer.wait_for(wire.Interested)
    for _ in range(20):
        await peer.say(wire.Unchoke())
        with trio.move_on_after(0.05):
            await peer.say(peer.block(await peer.be_asked()))
        await peer.say(wire.Choke())
        await peer.listen_for(0.05)


async def unchokes_and_is_silent(peer: Villain) -> None:
    await peer.tempt()
    await peer.listen_for(30)


async def chokes_in_mid_block(peer: Villain) -> None:
    """It breaks off in the middle of a piece, and comes back to it."""
    await peer.tempt()
    for _ in range(5):
        await peer.say(peer.block(await peer.be_asked()), wire.Choke())
        await trio.sleep(MOMENT)
        await peer.say(wire.Unchoke())


CHOKE, UNCHOKE = wire.Choke(), wire.Unchoke()
FLAPS = tempts_and_says(UNCHOKE, CHOKE, times=1000)
UNREAD = "does not read what we say"
WANTS, WANTS_NOT = wire.Interested(), wire.NotInterested()

CASES = [
    Case("chokes by the thousands", floods(CHOKE, times=5000), Ignored(), floods=True),
    Case("unchokes by the thousands", tempts_and_says(UNCHOKE, times=1000), Ignored(), floods=True),
    Case("unchokes of one who has nothing", floods(UNCHOKE, times=5000), Ignored()),
    Case("choke and unchoke by the thousands", FLAPS, Ignored(), ways=EVERY_WAY, floods=True),
    Case("choke and unchoke ten times a second", flaps_slowly, Ignored()),
    Case("a choke in mid-piece, again and again", chokes_in_mid_block, Ignored()),
    Case("an unchoke and silence", unchokes_and_is_silent, Ignored(), seconds=40),
    Case("interest by the thousands", floods(WANTS, times=5000), Ignored(), have=Have.ALL, floods=True),
    Case("no interest by the thousands", floods(WANTS_NOT, times=5000), Ignored(), have=Have.ALL, floods=True),
    Case("interest and none", hears_and_says(WANTS, WANTS_NOT, times=1000), Ignored(), have=Have.ALL, floods=True),
    Case("interest in one who has nothing", hears_and_says(WANTS, WANTS_NOT, times=500), Ignored()),
]
