"""Coming, going, coming again, and staying without a word."""

from __future__ import annotations

import trio

from trio_torrent.swarm.shares import MOST_PENDING
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode

from .case import INCOMING, Case, Dropped, Have, Ignored
from .scenery import BLOCK, PIECES
from .villain import MOMENT, Villain

GONE = "closed the connection"
SILENT = Dropped("silent for too long", after=120, by=122)


async def leaves_at_once(peer: Villain) -> None:
    await peer.leave()


async def leaves_after_its_bitfield(peer: Villain) -> None:
    await peer.say_all_pieces()
    await peer.leave()


async def leaves_after_its_unchoke(peer: Villain) -> None:
    await peer.tempt()
    await peer.leave()


async def leaves_when_asked(peer: Villain) -> None:
    await peer.tempt()
    await peer.be_asked()
    await peer.leave()


async def leaves_between_the_blocks_of_a_piece(peer: Villain) -> None:
    await peer.tempt()
    await peer.say(peer.block(await peer.be_asked()))
    await peer.leave()


async def leaves_in_mid_header(peer: Villain) -> None:
    await peer.tempt()
    await peer.stream.send_all(encode(peer.block(await peer.be_asked()))[:7])
    await peer.leave()


async def leaves_in_mid_length(peer: Villain) -> None:
    await peer.stream.send_all(b"\0\0")
    await peer.leave()


async def leaves_while_served(peer: Villain) -> None:
    await peer.get_unchoked()
    await peer.flood(wire.Request(piece, 0, BLOCK) for piece in range(PIECES - 1))
    await peer.wait_for(wire.Piece)
    await peer.leave()


async def silent(peer: Villain) -> None:
    await peer.ignore()


async def silent_after_its_bitfield(peer: Villain) -> None:
    await peer.say(wire.Bitfield(bytes(4)))
    await peer.ignore()


async def keeps_alive(peer: Villain) -> None:
    for _ in range(5):
        await peer.listen_for(100)
        await peer.say(wire.KeepAlive())


async def wants_and_waits(peer: Villain) -> None:
    await peer.get_unchoked()
    await peer.listen()


async def comes_a_hundred_times(peer: Villain) -> None:
    for number in range(100):
        other = await peer.visit(b"-AGAIN%03d-" % number)
        await other.leave()


async def comes_twice_as_the_same(peer: Villain) -> None:
    """One of them stays; which one depends on who dialled, so that both sides choose the same."""
    other = await peer.visit()
    await other.listen_for(MOMENT)


async def is_two(peer: Villain) -> None:
    """There may be many peers behind one address."""
    other = await peer.visit(b"-OTHER--")
    await other.say(wire.Interested())
    await other.listen_for(MOMENT)


async def takes_the_honest_name(peer: Villain) -> None:
    """Everyone who was told an id can claim it."""
    await trio.sleep(MOMENT)
    other = await peer.visit(peer.knows.honest_id)
    await other.say_all_pieces()
    await other.listen_for(3)


async def takes_our_name(peer: Villain) -> None:
    await trio.sleep(MOMENT)
    other = await peer.visit(peer.knows.our_id())
    with trio.fail_after(MOMENT):
        await other.listen()


async def takes_every_place(peer: Villain) -> None:
    """There is room for fifty, two of whom are here: the rest is turned away."""
    others = [await peer.visit(b"-CROWD%03d-" % number) for number in range(60)]
    await trio.sleep(MOMENT)
    async with trio.open_nursery() as nursery:
        for other in others:
            nursery.start_soon(other.listen_for, MOMENT)


async def is_told_a_lot_and_reads_nothing(peer: Villain) -> None:
    """Each piece that we get is told to it."""
    await trio.sleep(12)


async def three_hundred_who_say_nothing(peer: Villain) -> None:
    """There is room for 256 of them, for ten seconds; then there is room for others again."""
    async with trio.open_nursery() as nursery:
        for _ in range(300):
            nursery.start_soon((await peer.knows.visit()).ignore)
        await trio.sleep(1)
        assert len(nursery.child_tasks) == MOST_PENDING
    await peer.visit(b"-LATE---")


CASES = [
    Case("gone after the handshake", leaves_at_once, Dropped(GONE)),
    Case("gone after the bitfield", leaves_after_its_bitfield, Dropped(GONE)),
    Case("gone after the unchoke", leaves_after_its_unchoke, Dropped(GONE)),
    Case("gone when asked", leaves_when_asked, Dropped(GONE)),
    Case("gone between two blocks", leaves_between_the_blocks_of_a_piece, Dropped(GONE)),
    Case("gone in mid-header", leaves_in_mid_header, Dropped(GONE)),
    Case("gone in mid-length", leaves_in_mid_length, Dropped(GONE)),
    Case("gone while being served", leaves_while_served, Dropped(GONE), have=Have.ALL),
    Case("silence", silent, SILENT),
    Case("silence after a bitfield", silent_after_its_bitfield, SILENT, have=Have.HALF),
    Case("silence while unchoked", wants_and_waits, SILENT, have=Have.ALL),
    Case("keep-alives and nothing else", keeps_alive, Ignored()),
    Case("a hundred visits", comes_a_hundred_times, Dropped(GONE), ways=INCOMING),
    Case("twice as the same", comes_twice_as_the_same, Dropped("connected twice")),
    Case("two behind one address", is_two, Ignored()),
    Case("the name of the honest one", takes_the_honest_name, Ignored()),
    Case("our own name on a second visit", takes_our_name, Ignored()),
    Case("a crowd that takes every place", takes_every_place, Dropped("made place for another")),
    Case("three hundred who say nothing", three_hundred_who_say_nothing, Ignored()),
    Case("told a lot and reads nothing", is_told_a_lot_and_reads_nothing, Ignored()),
]
