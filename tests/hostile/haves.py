"""What a peer says that it has."""

from __future__ import annotations

from trio_torrent.wire import messages as wire

from .case import FAST, PLAIN, Case, Dropped, Have, Ignored, floods, says
from .scenery import PIECES
from .villain import MOMENT, Villain

NOTHING = wire.Bitfield(bytes(4))
FIRST = wire.Bitfield(b"\x80" + bytes(3))
ALL = wire.Bitfield(b"\xff" * 3 + b"\x80")


def unexpected(message: wire.Message) -> Dropped:
    """Dropped for a message that may not come, or not now."""
    return Dropped(f"an unexpected {type(message).__name__.lower()} message")


async def gains_every_piece_twice(peer: Villain) -> None:
    for _ in range(2):
        await peer.flood(wire.Have(piece) for piece in range(PIECES))
    await peer.listen_for(MOMENT)


async def becomes_a_seed(peer: Villain) -> None:
    await peer.flood(wire.Have(piece) for piece in range(PIECES))
    await peer.listen()


CASES = [
    Case("no bitfield at all", says(), Ignored(), floods=True),
    Case("a bitfield of nothing", says(NOTHING), Ignored()),
    Case("all pieces and never an unchoke", says(ALL), Ignored()),
    Case("an empty bitfield", says(wire.Bitfield(b"")), Dropped("a bad bitfield: 0 bytes for 25 pieces")),
    Case("a bitfield a byte short", says(wire.Bitfield(bytes(3))), Dropped("a bad bitfield: 3 bytes for 25 pieces")),
    Case("a bitfield a byte long", says(wire.Bitfield(bytes(5))), Dropped("a bad bitfield: 5 bytes for 25 pieces")),
    Case(
        "a bitfield of 60 KiB",
        says(wire.Bitfield(bytes(61_440))),
        Dropped("a bad bitfield: 61440 bytes for 25 pieces"),
    ),
    Case("the first spare bit", says(wire.Bitfield(bytes(3) + b"\x40")), Dropped("a bad bitfield: a spare bit is set")),
    Case("the last spare bit", says(wire.Bitfield(bytes(3) + b"\x01")), Dropped("a bad bitfield: a spare bit is set")),
    Case("a bitfield twice", says(ALL, ALL), Ignored()),
    Case("a bitfield that takes back the first", says(ALL, NOTHING), Ignored()),
    Case("a bitfield after a have", says(wire.Have(5), ALL), Ignored()),
    Case("a bitfield after an unchoke", says(wire.Unchoke(), FIRST), Ignored()),
    Case("bitfields by the thousands", floods(NOTHING, FIRST, ALL, times=1500), Ignored(), floods=True),
    Case("have all, then a bitfield", says(wire.HaveAll(), FIRST), Ignored(), ways=FAST),
    Case("have none, then a bitfield", says(wire.HaveNone(), ALL), Ignored(), ways=FAST),
    Case("a bitfield, then have all", says(FIRST, wire.HaveAll()), Ignored(), ways=FAST),
    Case("have all twice", says(wire.HaveAll(), wire.HaveAll()), Ignored(), ways=FAST),
    Case("have all by the thousands", floods(wire.HaveAll(), times=10_000), Ignored(), ways=FAST, floods=True),
    Case("have none twice", says(wire.HaveNone(), wire.HaveNone()), unexpected(wire.HaveNone()), ways=FAST),
    Case("have all, then none", says(wire.HaveAll(), wire.HaveNone()), unexpected(wire.HaveNone()), ways=FAST),
    Case("a bitfield, then have none", says(ALL, wire.HaveNone()), unexpected(wire.HaveNone()), ways=FAST),
    Case("a have, then have none", says(wire.Have(0), wire.HaveNone()), unexpected(wire.HaveNone()), ways=FAST),
    Case("have all without the extension", says(wire.HaveAll()), unexpected(wire.HaveAll()), ways=PLAIN),
    Case("have none without the extension", says(wire.HaveNone()), unexpected(wire.HaveNone()), ways=PLAIN),
    Case("a suggestion without the extension", says(wire.Suggest(0)), unexpected(wire.Suggest(0)), ways=PLAIN),
    Case("a reject without the extension", says(wire.Reject(0, 0, 9)), unexpected(wire.Reject(0, 0, 9)), ways=PLAIN),
    Case(
        "an allowed fast without the extension",
        says(wire.AllowedFast(0)),
        unexpected(wire.AllowedFast(0)),
        ways=PLAIN,
    ),
    Case("a have just out of range", says(wire.Have(PIECES)), Dropped("piece 25 of 25")),
    Case("a have far out of range", says(wire.Have(2**32 - 1)), Dropped("piece 4294967295 of 25")),
    Case("a suggestion out of range", says(wire.Suggest(PIECES)), Dropped("piece 25 of 25"), ways=FAST),
    Case("an allowed fast out of range", says(wire.AllowedFast(2**31)), Dropped("piece 2147483648 of 25"), ways=FAST),
    Case("a have by the thousands", floods(wire.Have(7), times=10_000), Ignored(), floods=True),
    Case("every have twice", gains_every_piece_twice, Ignored()),
    Case("suggestions by the thousands", floods(wire.Suggest(7), times=10_000), Ignored(), ways=FAST, floods=True),
    Case(
        "allowed fasts by the thousands",
        floods(wire.AllowedFast(7), wire.AllowedFast(8), times=5000),
        Ignored(),
        ways=FAST,
        floods=True,
    ),
    Case("a seed among seeds", says(ALL), Dropped("both have everything"), have=Have.ALL),
    Case("one that becomes a seed among seeds", becomes_a_seed, Dropped("both have everything"), have=Have.ALL),
]
