"""Handshakes over a stream: ours out, theirs in."""

from __future__ import annotations

import trio

from trio_torrent.errors import PeerError, ProtocolError
from trio_torrent.wire.handshake import HANDSHAKE_LENGTH, Handshake, decode_handshake, may_be_handshake

HANDSHAKE_SECONDS = 10.0  # libtorrent's `handshake_timeout`


class LeftError(PeerError):
    """The peer closed the connection instead: so do those who do not know the torrent by the name that we gave."""


async def receive_handshake(stream: trio.abc.ReceiveStream) -> tuple[Handshake, bytes]:
    """Their handshake, and what came behind it. PeerError if they leave, ProtocolError if it is something else."""
    data = b""
    while len(data) < HANDSHAKE_LENGTH:
        chunk = await stream.receive_some()
        if not chunk:
            raise LeftError("closed the connection at the handshake" if data else "closed the connection at once")
        data += chunk
        if not may_be_handshake(data):
            raise ProtocolError("does not speak BitTorrent")
    return decode_handshake(data[:HANDSHAKE_LENGTH]), data[HANDSHAKE_LENGTH:]


async def shake_hands(
    stream: trio.abc.Stream, ours: Handshake, *, upgrade: bytes | None = None
) -> tuple[Handshake, bytes]:
    """Say ours first, as the one who dialled; their handshake and what came behind it.

    They may answer by `upgrade`, the v2 info-hash of the same torrent (BEP 52, "upgrade path"). Raises PeerError or
    ProtocolError, with the reason in words.
    """
    try:
        with trio.fail_after(HANDSHAKE_SECONDS):
            await stream.send_all(bytes(ours))
            theirs, rest = await receive_handshake(stream)
    except trio.TooSlowError:
        raise PeerError("no handshake in time") from None
    except trio.BrokenResourceError:
        raise LeftError("closed the connection at the handshake") from None
    if theirs.info_hash not in (ours.info_hash, upgrade):
        raise ProtocolError("answered for another torrent")
    return theirs, rest
