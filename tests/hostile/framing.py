"""Lengths, numbers and bodies: what a message is made of."""

from __future__ import annotations

import trio

from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import MAX_OTHERS

from .case import Case, Dropped, Ignored, Script, floods, sends
from .scenery import BLOCK
from .villain import MOMENT, Villain

LONGEST = MAX_OTHERS  # bytes of a message, where the torrent is not a giant
SILENT = "silent for too long"

# Each number with a body that does not fit it, and the reason that names both.
WRONG_BODIES = [
    ("choke with a body", 0, 1),
    ("unchoke with a body", 1, 4),
    ("interested with a body", 2, 1),
    ("not interested with a body", 3, 4),
    ("have without a piece", 4, 0),
    ("have of three bytes", 4, 3),
    ("have of five bytes", 4, 5),
    ("request of eleven bytes", 6, 11),
    ("request of thirteen bytes", 6, 13),
    ("cancel of nothing", 8, 0),
    ("cancel of eleven bytes", 8, 11),
    ("port of one byte", 9, 1),
    ("port of four bytes", 9, 4),
    ("suggest of three bytes", 13, 3),
    ("have all with a body", 14, 1),
    ("have none with a body", 15, 6),
    ("reject of eleven bytes", 16, 11),
    ("allowed fast of five bytes", 17, 5),
]


def message(number: int, body: int) -> bytes:
    """Any number with a body of so many bytes, all zero."""
    return (1 + body).to_bytes(4) + bytes([number]) + bytes(body)


async def announced_and_never_sent(peer: Villain) -> None:
    await peer.stream.send_all(LONGEST.to_bytes(4) + bytes([99]))
    await peer.listen()


async def message_of_a_byte_a_second(peer: Villain) -> None:
    """Bytes come all the time, and never a message."""
    await peer.drip(message(99, 1000), seconds=1)


async def many_unknown_numbers(peer: Villain) -> None:
    known = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 21, 22, 23}
    await peer.flood(wire.Unknown(number, 10) for number in range(256) if number not in known)
    await trio.sleep(1)


def long(number: int, body: int) -> Script:
    """The script that sends such a message in portions."""

    async def script(peer: Villain) -> None:
        await peer.stream.send_all(message(number, body)[:5])
        await peer.pour(bytes(1024), body // 1024)
        await peer.stream.send_all(bytes(body % 1024))
        await peer.listen_for(MOMENT)

    return script


async def the_longest_of_the_unknown(peer: Villain) -> None:
    for number in range(100, 130):
        await long(number, LONGEST - 1)(peer)


CASES = [
    Case("a length of 4 GiB", sends(b"\xff\xff\xff\xff\x07"), Dropped("a message of 4294967295 bytes")),
    Case("a length of 2 GiB", sends(b"\x80\0\0\0\x07"), Dropped("a message of 2147483648 bytes")),
    Case("a length just over the limit", sends((LONGEST + 1).to_bytes(4)), Dropped("a message of 65539 bytes")),
    Case("a message announced and never sent", announced_and_never_sent, Dropped(SILENT, after=120, by=122)),
    Case("a message of a byte a second", message_of_a_byte_a_second, Dropped(SILENT, after=120, by=122)),
    Case("megabytes of the unknown", the_longest_of_the_unknown, Ignored(), floods=True),
    Case("the longest of extended messages", long(20, LONGEST - 1), Ignored(), floods=True),
    Case("keep-alives by the thousands", floods(wire.KeepAlive(), times=40_000), Ignored(), floods=True),
    Case("unknown numbers", many_unknown_numbers, Ignored()),
    Case("unknown messages by the thousands", floods(wire.Unknown(99, 1), times=15_000), Ignored(), floods=True),
    # There are no hash trees in v1.
    Case("a request for hashes", sends(message(21, 48)), Dropped("an unexpected hashrequest message")),
    Case(
        "hashes that nobody asked for",
        sends(message(22, 48 + 64)),
        Dropped("64 bytes of hashes for 0 nodes and 0 layers"),
    ),
    Case("a refusal of hashes", sends(message(23, 48)), Dropped("an unexpected hashreject message")),
    Case("a block without bytes", sends(message(7, 8)), Dropped("a block of 0 bytes")),
    Case("a block without an offset", sends(message(7, 4)), Dropped("a block of -4 bytes")),
    Case("a block over 16 KiB", sends(message(7, 8 + BLOCK + 1)), Dropped("a block of 16385 bytes")),
    Case("the longest of blocks", long(7, LONGEST - 1), Dropped("a block of 65529 bytes"), floods=True),
    Case(
        "an extended message without a number", sends(message(20, 0)), Dropped("an extended message without a number")
    ),
    *(
        Case(name, sends(message(number, body)), Dropped(f"message {number} with a body of {body} bytes"))
        for name, number, body in WRONG_BODIES
    ),
]
