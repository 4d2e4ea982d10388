"""Ctrl-C and SIGTERM, on the program in a process of its own."""

import json
import signal
from functools import partial

import pytest
import trio

from tests.payload import random_bytes, single, write
from trio_torrent.address import Address, pack
from trio_torrent.bencode import encode
from trio_torrent.net.http import make_http
from trio_torrent.net.http_tracker import announce
from trio_torrent.net.tracker_server import serve_tracker
from trio_torrent.tracker.announce import Announce, AnnounceEvent

from .running import EASY, start

DATA = random_bytes(100_000)
PROMPT = 2.0  # seconds in which it has to be over


def port_of(listener: trio.SocketListener) -> int:
    port: int = listener.socket.getsockname()[1]
    return port


async def until(condition) -> None:
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - another process changes it
            await trio.sleep(0.01)


@pytest.fixture
async def swarm(nursery, tmp_path):
    """A tracker that knows one peer, which accepts connections and says nothing; and the torrent."""

    async def silent(stream):
        await trio.sleep_forever()

    tracker = await nursery.start(serve_tracker)
    (listener,) = await nursery.start(partial(trio.serve_tcp, silent, 0, host="127.0.0.1"))
    metainfo = single(DATA, announce=tracker.url)
    said = Announce(
        info_hash=metainfo.info_hashes.wire,
        peer_id=b"silent".ljust(20, b"-"),
        port=port_of(listener),
        uploaded=0,
        downloaded=0,
        left=0,
        event=AnnounceEvent.STARTED,
        key=0,
        numwant=0,
        tracker_id=None,
    )
    http = make_http(user_agent="test/1")
    await announce(http, tracker.url, said)
    write(tmp_path, {"x.torrent": metainfo.to_bytes(), "full/payload.bin": DATA})
    yield partial(tracker.registry.peers, metainfo.info_hashes.wire)
    nursery.cancel_scope.cancel()


async def interrupted(process: trio.Process, number: int) -> tuple[int, float]:
    """The exit code, and the seconds that it took."""
    began = trio.current_time()
    process.send_signal(number)
    with trio.fail_after(10):
        code = await process.wait()
    return code, trio.current_time() - began


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_download_is_interrupted(number, swarm, nursery, tmp_path):
    process = await nursery.start(start("get", tmp_path / "x.torrent", "-o", tmp_path / "out", "--json", *EASY))
    await until(lambda: len(swarm()) == 2)  # it has announced
    code, seconds = await interrupted(process, number)
    assert code == 130
    assert seconds < PROMPT
    assert len(swarm()) == 1  # it has said that it is gone
    lines = (await process.stdout.receive_some()).splitlines()
    assert json.loads(lines[0])["event"] == "added"
    assert b"Traceback" not in await process.stderr.receive_some()


@pytest.mark.slow
async def test_a_seeder_is_interrupted(swarm, nursery, tmp_path):
    process = await nursery.start(start("seed", tmp_path / "x.torrent", "-d", tmp_path / "full", *EASY))
    await until(lambda: any(peer.seeder and peer.peer_id.startswith(b"-TT") for peer in swarm()))
    code, seconds = await interrupted(process, signal.SIGTERM)
    assert code == 130
    assert seconds < PROMPT
    assert len(swarm()) == 1


@pytest.mark.slow
async def test_the_second_one_leaves_at_once(nursery, tmp_path):
    """The tracker answers `started` and then never again, so that stopping would take its time."""
    heard, dialled = [], []

    async def accept(stream):
        dialled.append(stream)  # so the answer that names this peer has been read
        await trio.sleep_forever()

    async def slow(stream):
        heard.append(await stream.receive_some(4096))
        if len(heard) > 1:
            await trio.sleep_forever()
        body = encode({b"interval": 900, b"peers": b"".join(pack([Address("127.0.0.1", port_of(peer))]))})
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await stream.aclose()

    (peer,) = await nursery.start(partial(trio.serve_tcp, accept, 0, host="127.0.0.1"))
    (tracker,) = await nursery.start(partial(trio.serve_tcp, slow, 0, host="127.0.0.1"))
    metainfo = single(DATA, announce=f"http://127.0.0.1:{port_of(tracker)}/announce")
    write(tmp_path, {"x.torrent": metainfo.to_bytes()})
    process = await nursery.start(start("get", tmp_path / "x.torrent", "-o", tmp_path / "out", *EASY))
    await until(lambda: dialled)
    process.send_signal(signal.SIGINT)
    await until(lambda: len(heard) == 2)
    assert b"event=stopped" in heard[1]
    code, seconds = await interrupted(process, signal.SIGINT)
    assert code == 130
    assert seconds < 0.5
    nursery.cancel_scope.cancel()
