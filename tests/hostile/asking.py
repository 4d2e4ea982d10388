"""What a peer asks for. We have everything, if not said otherwise, and the honest peer takes it from us."""

from __future__ import annotations

import trio

from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode

from .case import FAST, PLAIN, Answered, Case, Dropped, Have, Ignored, Script
from .scenery import BLOCK, LAST_PIECE, PAYLOAD, PIECE, PIECES
from .villain import MOMENT, Villain

UNREAD = "does not read what we say"
NUISANCE = "asks for what is not there"


def block(piece: int, offset: int = 0, length: int = BLOCK) -> wire.Piece:
    """The right block."""
    start = piece * PIECE + offset
    return wire.Piece(piece, offset, PAYLOAD[start : start + length])


def asks(*messages: wire.Message) -> Script:
    """The script that is unchoked, and then says this."""

    async def script(peer: Villain) -> None:
        await peer.get_unchoked()
        await peer.say(*messages)
        await peer.listen_for(MOMENT)

    return script


def refused(name: str, piece: int, offset: int, length: int, *, have: Have = Have.ALL) -> Case:
    """A request that gets its reject, and the proper one behind it that gets its block."""
    script = asks(wire.Request(piece, offset, length), wire.Request(3, BLOCK, BLOCK))
    return Case(name, script, Answered((wire.Reject(piece, offset, length), block(3, BLOCK))), have=have)


def asks_badly(times: int) -> Script:
    """The script that asks so often for what does not exist."""
    return asks(*[wire.Request(PIECES, 0, BLOCK)] * times)


async def asks_for_32_kib(peer: Villain) -> None:
    """Some old clients do; it is answered in one message."""
    await peer.get_unchoked()
    await peer.say(wire.Request(2, 0, PIECE))
    expected, came = encode(block(2, 0, PIECE)), b""
    while len(came) < len(expected):
        came += bytes(await peer.stream.receive_some(len(expected) - len(came)))
    assert came == expected


async def asks_while_choked(peer: Villain) -> None:
    await peer.say(wire.Request(3, 0, BLOCK), wire.Request(4, 0, BLOCK))
    await peer.listen_for(MOMENT)


async def asks_by_the_thousands_while_choked(peer: Villain) -> None:
    for _ in range(5):
        await peer.flood(wire.Request(piece, 0, length) for piece in range(PIECES - 1) for length in range(1, 41))
        await peer.listen_for(MOMENT)
    assert not any(isinstance(message, wire.Piece) for message in peer.heard)


async def asks_ten_thousand_times(peer: Villain) -> None:
    await peer.get_unchoked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.listen_for, 1)
        await peer.flood(wire.Request(piece, 0, length) for piece in range(PIECES - 1) for length in range(1, 418))
    assert sum(isinstance(message, wire.Piece) for message in peer.heard) == 2000


async def asks_ten_thousand_times_and_gets_rejects(peer: Villain) -> None:
    """Each request beyond the two thousand is owed a reject, and those are too many of them."""
    await peer.get_unchoked()
    await peer.flood(wire.Request(piece, 0, length) for piece in range(PIECES - 1) for length in range(1, 418))
    await peer.listen()


async def asks_for_everything_and_reads_nothing(peer: Villain) -> None:
    """For as much at once as we answer."""
    await peer.get_unchoked()
    await peer.flood(wire.Request(piece, 0, PIECE - less) for less in range(84) for piece in range(PIECES - 1))
    await trio.sleep(1)


async def asks_badly_and_reads_nothing(peer: Villain) -> None:
    await peer.flood([wire.Request(PIECES, 0, BLOCK)] * 2000)
    await trio.sleep(MOMENT)


async def loses_interest_while_served(peer: Villain) -> None:
    await peer.get_unchoked()
    await peer.say(wire.NotInterested())
    await peer.wait_for(wire.Choke)
    await peer.say(wire.Request(3, 0, BLOCK))
    await peer.listen_for(MOMENT)


async def cancels_after_the_fact(peer: Villain) -> None:
    await peer.get_unchoked()
    await peer.say(wire.Request(3, 0, BLOCK))
    await peer.wait_for(wire.Piece)
    await peer.say(wire.Cancel(3, 0, BLOCK))
    await peer.listen_for(MOMENT)


async def cancels_by_the_thousands(peer: Villain) -> None:
    await peer.get_unchoked()
    for _ in range(100):
        await peer.flood(wire.Cancel(piece, 0, BLOCK) for piece in range(2 * PIECES))
    await peer.listen_for(MOMENT)


async def asks_and_cancels_by_the_thousands(peer: Villain) -> None:
    await peer.get_unchoked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.listen_for, 3)
        for _ in range(400):
            await peer.say(wire.Request(3, 0, BLOCK), wire.Cancel(3, 0, BLOCK))


async def asks_for_the_same_over_and_over(peer: Villain) -> None:
    """Each time it is sent again; the honest peer gets its share all the same."""
    await peer.get_unchoked()
    for _ in range(200):
        await peer.say(wire.Request(3, 0, BLOCK))
        await peer.wait_for(wire.Piece)


CASES = [
    refused("a request for no bytes", 3, 0, 0),
    refused("a request just over 32 KiB", 3, 0, PIECE + 1),
    refused("a request for 128 KiB", 3, 0, 1 << 17),
    refused("a request for 2 GiB", 3, 0, 1 << 31),
    refused("a request for 4 GiB", 3, 0, 2**32 - 1),
    refused("a request across the end of a piece", 3, BLOCK + 1, BLOCK),
    refused("a request at the end of a piece", 3, PIECE, BLOCK),
    refused("a request from 4 GiB on", 3, 2**32 - 1, BLOCK),
    refused("a request that wraps around", 3, 2**32 - BLOCK, BLOCK),
    refused("a whole block of the short last piece", PIECES - 1, 0, BLOCK),
    refused("a byte more than the last piece", PIECES - 1, 0, LAST_PIECE + 1),
    refused("a request just out of range", PIECES, 0, BLOCK),
    refused("a request far out of range", 2**32 - 1, 0, BLOCK),
    refused("a request for what we lack", PIECES - 2, 0, BLOCK, have=Have.HALF),
    Case("a request for a byte", asks(wire.Request(3, 5, 1)), Answered((block(3, 5, 1),)), have=Have.ALL),
    Case("a request askew", asks(wire.Request(3, 77, 999)), Answered((block(3, 77, 999),)), have=Have.ALL),
    Case("a request for 32 KiB", asks_for_32_kib, Ignored(), have=Have.ALL),
    Case(
        "requests while choked",
        asks_while_choked,
        Answered((wire.Reject(3, 0, BLOCK), wire.Reject(4, 0, BLOCK))),
        have=Have.ALL,
    ),
    Case(
        "requests by the thousands while choked",
        asks_by_the_thousands_while_choked,
        Ignored(),
        have=Have.ALL,
        floods=True,
    ),
    Case(
        "requests after losing interest",
        loses_interest_while_served,
        Answered((wire.Reject(3, 0, BLOCK),)),
        have=Have.ALL,
    ),
    Case(
        "a request said a hundred times", asks(*[wire.Request(3, 0, BLOCK)] * 100), Answered((block(3),)), have=Have.ALL
    ),
    Case("the same block two hundred times", asks_for_the_same_over_and_over, Ignored(), have=Have.ALL),
    Case("ten thousand requests", asks_ten_thousand_times, Ignored(), have=Have.ALL, ways=PLAIN, floods=True),
    Case(
        "ten thousand requests, fast",
        asks_ten_thousand_times_and_gets_rejects,
        Dropped(UNREAD),
        have=Have.ALL,
        ways=FAST,
        floods=True,
    ),
    Case(
        "everything asked for and nothing read",
        asks_for_everything_and_reads_nothing,
        Ignored(),
        have=Have.ALL,
        floods=True,
    ),
    Case("three hundred bad requests", asks_badly(300), Ignored(), have=Have.ALL),
    Case("one bad request more", asks_badly(301), Dropped(NUISANCE), have=Have.ALL),
    Case("bad requests and nothing read", asks_badly_and_reads_nothing, Dropped(NUISANCE), have=Have.ALL, floods=True),
    Case("requests of one who has nothing either", asks_badly(301), Dropped(NUISANCE), have=Have.HALF),
    Case("a cancel of nothing", asks(wire.Cancel(3, 0, BLOCK)), Answered(()), have=Have.ALL),
    Case("a cancel far out of range", asks(wire.Cancel(2**32 - 1, 2**32 - 1, 2**32 - 1)), Answered(()), have=Have.ALL),
    Case(
        "a cancel in time",
        asks(wire.Request(3, 0, BLOCK), wire.Cancel(3, 0, BLOCK)),
        Answered((wire.Reject(3, 0, BLOCK),)),
        have=Have.ALL,
    ),
    Case(
        "a cancel of another length",
        asks(wire.Request(3, 0, BLOCK), wire.Cancel(3, 0, BLOCK - 1)),
        Answered((block(3),)),
        have=Have.ALL,
    ),
    Case("a cancel after the fact", cancels_after_the_fact, Answered((block(3),)), have=Have.ALL),
    Case("cancels by the thousands", cancels_by_the_thousands, Answered(()), have=Have.ALL, floods=True),
    Case(
        "requests cancelled by the thousands", asks_and_cancels_by_the_thousands, Ignored(), have=Have.ALL, floods=True
    ),
]
