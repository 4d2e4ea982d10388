"""Handshakes over memory streams, in virtual time."""

from __future__ import annotations

from functools import partial

import pytest
import trio
import trio.testing

from trio_torrent.errors import PeerError, ProtocolError
from trio_torrent.net.handshaking import HANDSHAKE_SECONDS, receive_handshake, shake_hands
from trio_torrent.wire.handshake import FAST, Handshake

OURS = Handshake(b"h" * 20, b"-US0000-............", FAST)
THEIRS = Handshake(b"h" * 20, b"-THEM00-............")


@pytest.fixture
def streams() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    return trio.testing.memory_stream_pair()


async def dribble(stream: trio.abc.Stream, data: bytes) -> None:
    for byte in data:
        await stream.send_all(bytes([byte]))
        await trio.sleep(0.01)


@pytest.mark.parametrize("rest", [b"", b"\0\0\0\x01\x02 and more"])
async def test_in_one_piece(streams, rest: bytes):
    us, them = streams
    await them.send_all(bytes(THEIRS) + rest)
    assert await receive_handshake(us) == (THEIRS, rest)


async def test_byte_by_byte(streams, nursery, autojump_clock):
    us, them = streams
    nursery.start_soon(dribble, them, bytes(THEIRS) + b"more")
    assert await receive_handshake(us) == (THEIRS, b"")


async def test_garbage_is_not_waited_for(streams):
    us, them = streams
    await them.send_all(b"\x13Bitt")
    with pytest.raises(ProtocolError, match="does not speak BitTorrent"):
        await receive_handshake(us)


@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"", "closed the connection at once"), (bytes(THEIRS)[:-1], "closed the connection at the handshake")],
)
async def test_who_leaves(streams, said: bytes, reason: str):
    us, them = streams
    await them.send_all(said)
    await them.aclose()
    with pytest.raises(PeerError) as error:
        await receive_handshake(us)
    assert str(error.value) == reason


async def test_who_dials_speaks_first(streams, nursery):
    us, them = streams

    async def answer() -> None:
        assert (await receive_handshake(them))[0] == OURS
        await them.send_all(bytes(THEIRS) + b"early")

    nursery.start_soon(answer)
    assert await shake_hands(us, OURS) == (THEIRS, b"early")


async def test_an_answer_for_another_torrent(streams):
    us, them = streams
    await them.send_all(bytes(Handshake(b"x" * 20, b"p" * 20)))
    with pytest.raises(ProtocolError, match="answered for another torrent"):
        await shake_hands(us, OURS)


@pytest.mark.parametrize("upgrade", [b"v" * 20, None])
async def test_an_answer_by_the_v2_name_of_the_same_torrent(streams, upgrade: bytes | None):
    us, them = streams
    upgraded = Handshake(b"v" * 20, b"-THEM00-............")
    await them.send_all(bytes(upgraded))
    if upgrade:
        assert await shake_hands(us, OURS, upgrade=upgrade) == (upgraded, b"")
    else:
        with pytest.raises(ProtocolError, match="answered for another torrent"):
            await shake_hands(us, OURS)


@pytest.mark.parametrize("said", [b"", bytes(THEIRS)[:67]])
async def test_silence_is_not_waited_for_longer(streams, said: bytes, autojump_clock):
    us, them = streams
    await them.send_all(said)
    start = trio.current_time()
    with pytest.raises(PeerError, match="no handshake in time"):
        await shake_hands(us, OURS)
    assert trio.current_time() - start == pytest.approx(HANDSHAKE_SECONDS)


async def test_dribbling_is_no_way_around_the_limit(streams, nursery, autojump_clock):
    us, them = streams

    async def slowly() -> None:
        for byte in bytes(THEIRS):
            await them.send_all(bytes([byte]))
            await trio.sleep(1)

    nursery.start_soon(slowly)
    with pytest.raises(PeerError, match="no handshake in time"):
        await shake_hands(us, OURS)
    nursery.cancel_scope.cancel()


async def test_who_does_not_read_ours_is_not_waited_for_either(autojump_clock):
    us, _ = trio.testing.lockstep_stream_pair()
    with pytest.raises(PeerError, match="no handshake in time"):
        await shake_hands(us, OURS)


async def test_a_connection_that_breaks(streams):
    us, them = streams
    us.send_stream.send_all_hook = partial(_break, them)
    with pytest.raises(PeerError, match="closed the connection at the handshake"):
        await shake_hands(us, OURS)


async def _break(stream: trio.abc.Stream) -> None:
    raise trio.BrokenResourceError
