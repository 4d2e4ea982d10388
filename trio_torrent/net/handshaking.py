"""Handshakes over a stream: ours out, theirs in."""

from __future__ import annotations

import trio

from trio_torrent.errors import PeerError, ProtocolError
from trio_torrent.wire.handshake import HANDSHAKE_LENGTH, Handshake, decode_handshake, may_be_handshake

HANDSHAKE_SECONDS = 10.0  # libtorrent's `handshake_timeout`


async def receive_handshake(stream: trio.abc.ReceiveStream) -> tuple[Handshake, bytes]:
    """Their handshake, and what came behind it. PeerError if they leave, ProtocolError if it is something else."""
    data = b""
    while len(data) < HANDSHAKE_LENGTH:
        chunk = await stream.receive_some()
        if not chunk:
            raise PeerError("closed the connection at the handshake" if data else "closed the connection at once")
        data += chunk
        if not may_be_handshake(data):
            raise ProtocolError("does not speak BitTorrent")
    return decode_handshake(data[:HANDSHAKE_LENGTH]), data[HANDSHAKE_LENGTH:]


async def shake_hands(stream: trio.abc.Stream, ours: Handshake) -> tuple[Handshake, bytes]:
    """Say ours first, as the one who dialled; their handshake and what came behind it.

    Raises PeerError or ProtocolError, with the reason in words.
    """
    try:
        with trio.fail_after(HANDSHAKE_SECONDS):
            await stream.send_all(bytes(ours))
            theirs, rest = await receive_handshake(stream)
    except trio.TooSlowError:
        raise PeerError("no handshake in time") from None
    except trio.BrokenResourceError:
        raise PeerError("closed the connection at the handshake") from None
    if theirs.info_hash != ours.info_hash:
        raise ProtocolError("answered for another torrent")
    return theirs, rest
