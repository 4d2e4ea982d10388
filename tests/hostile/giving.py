"""The blocks that a peer sends, and those that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode

from .case import FAST, Banned, Case, Dropped, Have, Ignored, Script, floods, says
from .scenery import BLOCK, PIECES
from .villain import MOMENT, Villain, block_of

Reply = Callable[[Villain, wire.Request], Iterable[wire.Message]]
REFUSES = "refuses everything"
SILENT = "silent for too long"
UNASKED = "sends what nobody asked for"


def answers(reply: Reply, seconds: float = 2.0) -> Script:
    """The script of one that answers each request like this for a while."""

    async def script(peer: Villain) -> None:
        await peer.tempt()
        with trio.move_on_after(seconds):
            await peer.answer(lambda request: reply(peer, request))

    return script


def reject(request: wire.Request) -> wire.Reject:
    """What the fast extension says for no."""
    return wire.Reject(request.piece, request.offset, request.length)


def shorter(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [block_of(request.piece, request.offset, request.length - 1)]


def askew(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [block_of(request.piece, request.offset + 1)]


def of_another_piece(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [block_of((request.piece + 1) % PIECES, request.offset)]


def twice(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [peer.block(request), peer.block(request)]


def refused_and_sent(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [reject(request), peer.block(request)]


def sent_and_refused(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [peer.block(request), reject(request)]


def refused(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [reject(request)]


def refused_in_other_words(peer: Villain, request: wire.Request) -> list[wire.Message]:
    return [wire.Reject(request.piece, request.offset, request.length + 1), wire.Reject(request.piece, 1, 5)]


async def one_short_block(peer: Villain) -> None:
    """Once is no crime: it may have been asked by another."""
    await peer.tempt()
    await peer.say(*shorter(peer, await peer.be_asked()))
    await peer.listen_for(MOMENT)


async def wrong_lengths_only(peer: Villain) -> None:
    await peer.tempt()
    await peer.answer(lambda request: shorter(peer, request))


async def a_whole_block_for_the_short_one(peer: Villain) -> None:
    """It has nothing but the last piece."""
    await peer.say(wire.Have(PIECES - 1), wire.Unchoke())
    await peer.answer(lambda request: [block_of(request.piece)])


async def rejects_only(peer: Villain) -> None:
    await peer.tempt()
    await peer.answer(lambda request: [reject(request)])


async def unasked_for_all_pieces(peer: Villain) -> None:
    await peer.say_all_pieces()
    await peer.say(*[block_of(piece) for piece in range(PIECES - 1)])
    await peer.listen_for(MOMENT)


async def after_the_choke(peer: Villain) -> None:
    """Without the fast extension it is nobody's any more; with it, it is the answer that was still owed."""
    await peer.tempt()
    requests = [await peer.be_asked() for _ in range(4)]
    await peer.say(wire.Choke())
    await trio.sleep(MOMENT)
    await peer.say(*map(peer.block, requests))
    await peer.listen_for(MOMENT)


async def after_the_cancel(peer: Villain) -> None:
    """What it owes comes from the honest one in the end; then it sends it all the same."""
    await peer.tempt()
    cancel = await peer.wait_for(wire.Cancel)
    assert isinstance(cancel, wire.Cancel)
    await peer.say(peer.block(wire.Request(cancel.piece, cancel.offset, cancel.length)))


async def nothing_but_keep_alives(peer: Villain) -> None:
    await peer.tempt()
    for _ in range(9):
        await peer.say(wire.KeepAlive())
        await peer.listen_for(1)


async def half_a_block(peer: Villain) -> None:
    await peer.tempt()
    await peer.stream.send_all(encode(peer.block(await peer.be_asked()))[:5000])
    await peer.ignore()


async def half_a_block_and_gone(peer: Villain) -> None:
    await peer.tempt()
    await peer.stream.send_all(encode(peer.block(await peer.be_asked()))[:5000])
    await peer.leave()


async def a_block_of_a_byte_a_second(peer: Villain) -> None:
    await peer.tempt()
    await peer.drip(encode(peer.block(await peer.be_asked())), seconds=1)


async def backwards(peer: Villain) -> None:
    await peer.tempt()
    requests = [await peer.be_asked() for _ in range(4)]
    await peer.say(*map(peer.block, reversed(requests)))
    await peer.listen_for(MOMENT)


async def one_block_in_four_seconds(peer: Villain) -> None:
    """Always within what is thought late."""
    await peer.tempt()
    await peer.trickle(every=4, lasts=30)


def withholds(piece: int) -> Script:
    """The script of one that gives all but the blocks of one piece, quickly."""

    async def script(peer: Villain) -> None:
        await peer.tempt()
        with trio.move_on_after(5):
            await peer.answer(lambda request: [] if request.piece == piece else [peer.block(request)])

    return script


CASES = [
    Case("a block that nobody asked for", says(block_of(3)), Ignored()),
    Case("a block of every piece, unasked", unasked_for_all_pieces, Ignored()),
    Case("a block far out of range", says(block_of(2**32 - 1)), Ignored()),
    Case("a block just out of range", says(block_of(PIECES)), Ignored()),
    Case("a block far beyond its piece", says(block_of(3, 2**32 - 1)), Ignored()),
    Case("a block for one who has everything", says(block_of(3)), Ignored(), have=Have.ALL),
    Case("blocks by the hundreds, unasked", floods(block_of(3), times=500), Dropped(UNASKED), floods=True),
    Case("a few blocks, unasked", floods(block_of(3), times=60), Ignored()),
    Case("a block of a byte, by the thousands", floods(block_of(3, 0, 1), times=10_000), Ignored(), floods=True),
    Case("a block a byte short", one_short_block, Ignored()),
    Case("blocks a byte short, always", wrong_lengths_only, Dropped(REFUSES, by=30)),
    Case("a whole block for the short one", a_whole_block_for_the_short_one, Dropped(SILENT, after=120, by=122)),
    Case("blocks askew", answers(askew), Ignored()),
    Case("blocks of another piece", answers(of_another_piece), Banned()),
    Case("each block twice", answers(twice), Ignored()),
    Case("blocks backwards", backwards, Ignored()),
    Case("blocks after a choke", after_the_choke, Ignored()),
    Case("a block after its cancel", after_the_cancel, Ignored()),
    Case("a reject of what was not asked", says(wire.Reject(3, 0, BLOCK)), Ignored(), ways=FAST),
    Case("a reject far out of range", says(wire.Reject(2**32 - 1, 2**32 - 1, 0)), Ignored(), ways=FAST),
    Case(
        "rejects by the thousands",
        floods(wire.Reject(3, 0, BLOCK), times=10_000),
        Ignored(),
        ways=FAST,
        floods=True,
    ),
    Case("nothing but rejects", rejects_only, Dropped(REFUSES, by=8), ways=FAST),
    Case("rejects in other words", answers(refused_in_other_words), Ignored(), ways=FAST),
    Case("each block rejected and sent", answers(refused_and_sent), Ignored(), ways=FAST),
    Case("each block sent and rejected", answers(sent_and_refused), Ignored(), ways=FAST),
    Case("keep-alives instead of blocks", nothing_but_keep_alives, Ignored()),
    Case("half a block and silence", half_a_block, Dropped(SILENT, after=120, by=123)),
    Case("half a block and gone", half_a_block_and_gone, Dropped("closed the connection")),
    Case("a block of a byte a second", a_block_of_a_byte_a_second, Dropped(SILENT, after=120, by=123)),
    Case("a block every four seconds", one_block_in_four_seconds, Ignored()),
    Case("all but one piece", withholds(7), Ignored()),
]
