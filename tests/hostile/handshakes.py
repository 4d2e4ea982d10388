"""The first 68 bytes, and who says them."""

from __future__ import annotations

import attrs
import trio

from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all

from .case import EVERY_WAY, FAST, Case, Dropped, Ignored, Outcome, Refused, Script, Ways, sends
from .villain import MOMENT, Villain

FOREIGN = "does not speak BitTorrent"
LATE = "no handshake in time"
HASTY = "closed the connection at the handshake"


async def half_and_gone(peer: Villain) -> None:
    await peer.stream.send_all(bytes(peer.ours)[:40])
    await peer.leave()


async def half_and_silent(peer: Villain) -> None:
    await peer.stream.send_all(bytes(peer.ours)[:67])


async def gone_without_a_word(peer: Villain) -> None:
    await trio.sleep(MOMENT)
    await peer.leave()


async def silent(peer: Villain) -> None:
    pass


async def byte_by_byte(peer: Villain) -> None:
    await peer.drip(bytes(peer.ours), seconds=0.1)


async def byte_a_second(peer: Villain) -> None:
    await peer.drip(bytes(peer.ours), seconds=1)


async def in_two_parts(peer: Villain) -> None:
    await peer.stream.send_all(bytes(peer.ours)[:20])
    await trio.sleep(MOMENT)
    await peer.stream.send_all(bytes(peer.ours)[20:])


async def other_torrent(peer: Villain) -> None:
    await peer.stream.send_all(bytes(attrs.evolve(peer.ours, info_hash=bytes(20))))


async def our_own_id(peer: Villain) -> None:
    await trio.sleep(MOMENT)
    await peer.stream.send_all(bytes(attrs.evolve(peer.ours, peer_id=peer.knows.our_id())))


async def no_id(peer: Villain) -> None:
    await peer.stream.send_all(bytes(attrs.evolve(peer.ours, peer_id=bytes(20))))


async def every_bit(peer: Villain) -> None:
    await peer.stream.send_all(bytes(attrs.evolve(peer.ours, reserved=(1 << 64) - 1)))
    await peer.say(wire.HaveAll())


async def more_behind_it(peer: Villain) -> None:
    said: list[wire.Message] = [wire.Bitfield(bytes(4)), wire.Have(3), wire.Unchoke()]
    await peer.stream.send_all(bytes(peer.ours) + encode_all(said) + b"\0\0")


async def bomb_behind_it(peer: Villain) -> None:
    await peer.stream.send_all(bytes(peer.ours) + b"\xff" * 5)


async def said_twice(peer: Villain) -> None:
    await peer.stream.send_all(bytes(peer.ours) * 2)


def raw(name: str, script: Script, expected: Outcome, *, ways: Ways = EVERY_WAY) -> Case:
    """A case whose script begins with the very first byte."""
    return Case(name, script, expected, ways=ways, greets=False)


CASES = [
    raw("another protocol", sends(b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"), Refused(FOREIGN)),
    raw("a protocol that differs in its last letter", sends(b"\x13BitTorrent protocoL" + bytes(48)), Refused(FOREIGN)),
    raw("a protocol with a longer name", sends(b"\x14BitTorrent protocol." + bytes(48)), Refused(FOREIGN)),
    raw("an encrypted handshake", sends(bytes(range(100, 196))), Refused(FOREIGN)),
    raw("another torrent", other_torrent, Refused("answered for another torrent")),
    raw("our own id", our_own_id, Refused("that is ourselves")),
    raw("half a handshake and gone", half_and_gone, Refused(HASTY)),
    raw("half a handshake and silent", half_and_silent, Refused(LATE, after=9.9, by=10.1)),
    raw("no handshake", silent, Refused(LATE, after=9.9, by=10.1)),
    raw("gone without a word", gone_without_a_word, Refused("closed the connection at once")),
    raw("a handshake byte by byte", byte_by_byte, Ignored()),
    raw("a handshake of a byte a second", byte_a_second, Refused(LATE, after=9.9, by=10.1)),
    raw("a handshake in two parts", in_two_parts, Ignored()),
    raw("an id of zeros", no_id, Ignored()),
    raw("every reserved bit", every_bit, Ignored(), ways=FAST),
    raw("messages behind the handshake", more_behind_it, Ignored()),
    raw("a bomb behind the handshake", bomb_behind_it, Dropped("a message of 4294967295 bytes")),
    raw("the handshake twice", said_twice, Dropped("a message of 323119476 bytes")),
]
