"""Blocks that are not what the torrent says. Who lied is found out exactly, and nobody else is blamed."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import trio

from trio_torrent.wire import messages as wire

from .case import INCOMING, Banned, Case, Dropped, Script
from .scenery import BLOCK, PIECE, PIECES
from .villain import Villain, block_of

BIG_PIECE = 16 * BLOCK  # shared by all who give at the same time


def lies(about: Callable[[wire.Request], bool]) -> Script:
    """The script that changes a byte of those blocks, and gives the others as they are."""

    async def script(peer: Villain) -> None:
        await peer.tempt()
        await peer.answer(lambda request: [peer.wrong_block(request) if about(request) else peer.block(request)])

    return script


def lies_after(blocks: int) -> Script:
    """The script that gives so many right blocks before it starts to lie."""

    async def script(peer: Villain) -> None:
        await peer.tempt()
        for _ in range(blocks):
            await peer.say(peer.block(await peer.be_asked()))
        await peer.answer(lambda request: [peer.wrong_block(request)])

    return script


async def zeros(peer: Villain) -> None:
    await peer.tempt()
    await peer.answer(lambda request: [block_of(request.piece, request.offset, request.length)])


async def in_the_endgame(peer: Villain) -> None:
    """It keeps what it owes until the end is near, and lies then."""
    await peer.tempt()
    owed = [await peer.be_asked() for _ in range(4)]
    await trio.sleep(6.5)
    await peer.say(*map(peer.wrong_block, owed))
    await peer.answer(lambda request: [peer.wrong_block(request)])


async def swaps_the_blocks_of_a_piece(peer: Villain) -> None:
    await peer.tempt()
    async for message in peer:
        if isinstance(message, wire.Request) and message.length == BLOCK:
            other = wire.Request(message.piece, BLOCK - message.offset, BLOCK)
            await peer.say(wire.Piece(message.piece, message.offset, peer.block(other).data))


async def lies_and_falls_silent(peer: Villain) -> None:
    """What it was asked for alone must come from another."""
    await peer.tempt()
    for _ in range(4):
        await peer.say(peer.wrong_block(await peer.be_asked()))
    await peer.ignore()


async def lies_and_trickles(peer: Villain) -> None:
    """Once it is suspected it is asked for a whole piece alone, and takes its time with that."""
    await peer.tempt()
    for _ in range(4):
        await peer.say(peer.wrong_block(await peer.be_asked()))
    await peer.trickle(every=4, lasts=math.inf)


async def about_the_last_piece(peer: Villain) -> None:
    """A single block, and shorter than the others."""
    await peer.say(wire.Have(PIECES - 1), wire.Unchoke())
    await peer.answer(lambda request: [peer.wrong_block(request)])


async def two_who_share(peer: Villain) -> None:
    """Each could have been the one, so each has to be found out."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lie_to_the_end, await peer.visit(b"-OTHER--"))
        nursery.start_soon(lie_to_the_end, peer)


async def lies_under_many_names(peer: Villain) -> None:
    """Each time from another port, which makes it somebody else."""
    async with trio.open_nursery() as nursery:
        for number in range(10):
            other = await peer.visit(b"-LIAR%02d-" % number)
            nursery.start_soon(lie_to_the_end, other)


async def lie_to_the_end(peer: Villain) -> None:
    with suppress(trio.BrokenResourceError, EOFError):  # when it is found out
        await zeros(peer)


CASES = [
    Case("a wrong byte in every block", lies(lambda request: True), Banned()),
    Case("zeros", zeros, Banned()),
    Case("right first, wrong later", lies_after(10), Banned()),
    Case("a wrong byte in the last block of a piece", lies(lambda request: request.offset == PIECE - BLOCK), Banned()),
    Case("the blocks of a piece swapped", swaps_the_blocks_of_a_piece, Banned()),
    Case("a wrong byte in shared pieces", lies(lambda request: True), Banned(), piece_length=BIG_PIECE),
    Case(
        "one wrong block in shared pieces",
        lies(lambda request: request.offset == 5 * BLOCK),
        Banned(),
        piece_length=BIG_PIECE,
    ),
    Case("right first, wrong later, in shared pieces", lies_after(20), Banned(), piece_length=BIG_PIECE),
    Case("wrong in the endgame", in_the_endgame, Banned()),
    Case("wrong in the endgame of shared pieces", in_the_endgame, Banned(), piece_length=BIG_PIECE),
    Case("a liar that falls silent", lies_and_falls_silent, Banned(by=40), piece_length=BIG_PIECE, seconds=40),
    Case("a liar that trickles when suspected", lies_and_trickles, Banned(by=40), piece_length=BIG_PIECE, seconds=40),
    Case("wrong in the last piece", about_the_last_piece, Banned()),
    Case("two liars who share pieces", two_who_share, Banned(), piece_length=BIG_PIECE),
    Case("a liar of many names", lies_under_many_names, Dropped("sent a wrong block"), ways=INCOMING),
]
