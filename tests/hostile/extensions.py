"""The extension protocol's messages, and others that ask for nothing and give nothing (BEP 5, 6, 10)."""

from __future__ import annotations

from trio_torrent.bencode import Value, encode
from trio_torrent.wire import messages as wire

from .case import Case, Have, Ignored, Script, floods, says
from .giving import answers
from .villain import MOMENT, Villain

DEEP = 60_000


def greeting(fields: dict[bytes, Value]) -> wire.Extended:
    """An extended handshake with these fields."""
    return wire.Extended(0, encode(fields))


def raw(payload: bytes) -> Script:
    """The script that says this as its extended handshake."""
    return says(wire.Extended(0, payload))


def still_useful(*said: wire.Message) -> Script:
    """The script that says this and then gives blocks like anybody else."""

    async def script(peer: Villain) -> None:
        await peer.say(*said)
        await answers(lambda peer, request: [peer.block(request)], 1)(peer)
        assert any(isinstance(message, wire.Request) for message in peer.heard)

    return script


async def every_number(peer: Villain) -> None:
    """None of which we have offered."""
    await peer.flood(wire.Extended(number, b"d8:msg_typei0e5:piecei0ee") for number in range(1, 256))
    await peer.listen_for(MOMENT)


def reqq(value: Value) -> Script:
    """The script that claims to queue so many requests, and gives blocks."""
    return still_useful(greeting({b"reqq": value}))


CASES = [
    Case("an extended handshake without a byte", raw(b""), Ignored()),
    Case("an extended handshake that is no bencode", raw(b"\xff" * 100), Ignored()),
    Case("an extended handshake that is a number", raw(b"i5e"), Ignored()),
    Case("an extended handshake that is a list", raw(b"le"), Ignored()),
    Case("an extended handshake that is cut off", raw(b"d1:md6:ut_pexi1e"), Ignored()),
    Case("an extended handshake with a negative length", raw(b"d-5:aaaaai1ee"), Ignored()),
    Case("an extended handshake with an endless length", raw(b"d99999999999999999999:a"), Ignored()),
    Case("an extended handshake with an endless number", raw(b"d4:reqqi" + b"9" * 5000 + b"ee"), Ignored()),
    Case("an extended handshake with more behind it", raw(b"de" + bytes(500)), Ignored()),
    Case("an extended handshake with keys out of order", still_useful(wire.Extended(0, b"d1:v1:x1:mdee")), Ignored()),
    Case("an extended handshake of lists in lists", raw(b"l" * DEEP), Ignored(), floods=True),
    Case("an extended handshake of closed lists in lists", raw(b"l" * 30_000 + b"e" * 30_000), Ignored(), floods=True),
    Case("an extended handshake of dictionaries in each other", raw(b"d1:a" * 15_000), Ignored(), floods=True),
    Case("an extended handshake of empty lists", raw(b"l" + b"le" * 30_000 + b"e"), Ignored(), floods=True),
    Case("an extended handshake of 64 KiB", says(greeting({b"v": bytes(65_000)})), Ignored(), floods=True),
    Case(
        "an extended handshake with thousands of extensions",
        says(greeting({b"m": {b"x%05d" % number: 1 + number % 255 for number in range(4000)}})),
        Ignored(),
        floods=True,
    ),
    Case(
        "an extended handshake with numbers that are none",
        says(greeting({b"m": {b"a": -1, b"b": 256, b"c": 2**70, b"d": b"x", b"e": []}})),
        Ignored(),
    ),
    Case(
        "an extended handshake with every field wrong",
        still_useful(
            greeting({b"m": 1, b"p": 70_000, b"v": [], b"reqq": b"many", b"metadata_size": -1, b"yourip": b""})
        ),
        Ignored(),
    ),
    Case("the extended handshake a thousand times", floods(greeting({b"v": b"x"}), times=1000), Ignored(), floods=True),
    Case("a queue of no requests", reqq(0), Ignored()),
    Case("a queue of minus one request", reqq(-1), Ignored()),
    Case("a queue of one request", reqq(1), Ignored()),
    Case("a queue of 2^40 requests", reqq(1 << 40), Ignored()),
    Case("a queue of as many requests as we believe", reqq(1 << 20), Ignored()),
    Case("extension numbers that we did not offer", every_number, Ignored()),
    Case(
        "an unasked peer exchange", floods(wire.Extended(1, b"d5:added600:" + bytes(600) + b"e"), times=500), Ignored()
    ),
    Case(
        "an unasked piece of metadata", says(wire.Extended(2, b"d8:msg_typei1e5:piecei0ee" + bytes(16_384))), Ignored()
    ),
    Case("a request for metadata", says(wire.Extended(2, b"d8:msg_typei0e5:piecei99999ee")), Ignored()),
    Case("ports by the thousands", floods(wire.Port(6881), wire.Port(0), times=5000), Ignored(), floods=True),
    Case("ports for one who has everything", floods(wire.Port(65535), times=1000), Ignored(), have=Have.ALL),
]
