"""Whole clients over real sockets: sharing, leaving, and that nothing is left of them."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import attrs
import pytest
import trio
import trio.testing

from tests.metainfo.making import make_torrent
from tests.payload import multi, random_bytes, single, write
from trio_torrent import (
    Address,
    Client,
    Completed,
    DialRefused,
    IncompleteError,
    InfoHashes,
    Magnet,
    MagnetError,
    MetainfoError,
    PieceDone,
    Settings,
    State,
    StoppedError,
    StorageError,
    Torrent,
    TorrentEvent,
    TrackerError,
    open_client,
    serve_tracker,
)
from trio_torrent import Metainfo as ClientMetainfo
from trio_torrent.bencode import decode, encode
from trio_torrent.disk.record import Record
from trio_torrent.disk.records import Records
from trio_torrent.metainfo.build import Entry, draft
from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.net.handshaking import receive_handshake
from trio_torrent.net.tracker import STOP_SECONDS
from trio_torrent.net.tracker_server import TrackerServer
from trio_torrent.wire.handshake import Handshake

LOCALHOST = "127.0.0.1"
PAYLOAD = random_bytes(3_000_000)
SETTINGS = Settings(port=0, interface=LOCALHOST, stop_seconds=2)


def torrent(announce: str = "") -> Metainfo:
    return single(PAYLOAD, piece_length=65536, announce=announce)


TORRENT = torrent()
DATA = TORRENT.to_bytes()


def where(client: Client) -> Address:
    return Address(LOCALHOST, client.port)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """A folder with the payload."""
    return write(tmp_path / "seed", {"payload.bin": PAYLOAD})


async def share(client: Client, folder: Path, data: bytes = DATA) -> Torrent:
    """Seed it; while files are being checked, peers are shown out."""
    torrent = await client.add(data, save_path=folder)
    await torrent.wait_complete()
    return torrent


@pytest.fixture
async def tracker(nursery: trio.Nursery) -> TrackerServer:
    server: TrackerServer = await nursery.start(serve_tracker)
    return server


@pytest.fixture
def held() -> Callable[[], tuple[int, list[str], int]]:
    """Descriptors, threads at work, and tasks."""

    def tasks(task: trio.lowlevel.Task) -> int:
        return 1 + sum(tasks(child) for nursery in task.child_nurseries for child in nursery.child_tasks)

    def count() -> tuple[int, list[str], int]:
        root = trio.lowlevel.current_root_task()
        assert root is not None
        working = [thread.name for thread in threading.enumerate() if "_work" in thread.name]
        return len(os.listdir("/proc/self/fd")), working, tasks(root)

    return count


async def events_so_far(events: trio.MemoryReceiveChannel[TorrentEvent]) -> AsyncIterator[TorrentEvent]:
    while events.statistics().current_buffer_used:
        yield await events.receive()


# -- sharing ---------------------------------------------------------------------------------------------------------


async def test_one_client_downloads_from_another(seed: Path, tmp_path: Path):
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        with trio.fail_after(10):
            source = await share(one, seed)
            target = await other.add(DATA, save_path=tmp_path, peers=[where(one)])
            async with target.events(buffer=1000) as events:
                await target.wait_complete()
                (completed,) = [event async for event in events_so_far(events) if isinstance(event, Completed)]
        assert (completed.downloaded, completed.wasted) == (len(PAYLOAD), 0)
        assert (tmp_path / "payload.bin").read_bytes() == PAYLOAD
        assert (source.status.uploaded, target.status.downloaded) == (len(PAYLOAD), len(PAYLOAD))
        assert target.status.state is State.SEEDING
        assert one.unexpected == other.unexpected == 0


async def test_a_tracker_brings_them_together(seed: Path, tmp_path: Path, tracker: TrackerServer):
    """Whoever announces second hears of the first. On leaving, both say so."""
    data = torrent(tracker.url).to_bytes()
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        with trio.fail_after(10):
            await one.add(data, save_path=seed)
            target = await other.add(data, save_path=tmp_path)
            await target.wait_complete()
        assert len(tracker.registry.peers(TORRENT.info_hashes.wire)) == 2
        assert (tmp_path / "payload.bin").read_bytes() == PAYLOAD
    assert tracker.registry.peers(TORRENT.info_hashes.wire) == ()


async def test_any_number_of_clients_in_one_program(tmp_path: Path, seed: Path):
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as two, open_client(SETTINGS) as three:
        assert len({client.peer_id for client in (one, two, three)}) == 3
        assert len({client.port for client in (one, two, three)}) == 3
        with trio.fail_after(10):
            await share(one, seed)
            first = await two.add(DATA, save_path=tmp_path / "2", peers=[where(one), where(three)])
            second = await three.add(DATA, save_path=tmp_path / "3", peers=[where(two), where(one)])
            await first.wait_complete()
            await second.wait_complete()
    assert all((tmp_path / str(number) / "payload.bin").read_bytes() == PAYLOAD for number in (2, 3))


async def test_a_stranger_who_asks_for_something_else_is_shown_out(seed: Path):
    async with open_client(SETTINGS) as client:
        await share(client, seed)
        async with await trio.open_tcp_stream(LOCALHOST, client.port) as stream:
            await stream.send_all(bytes(Handshake(b"x" * 20, b"p" * 20)))
            with trio.fail_after(5):
                assert await stream.receive_some() == b""
        async with await trio.open_tcp_stream(LOCALHOST, client.port) as stream:
            await stream.send_all(bytes(Handshake(TORRENT.info_hashes.wire, b"p" * 20)))
            theirs, _ = await receive_handshake(stream)
            assert theirs.peer_id == client.peer_id


@pytest.mark.parametrize("whose", ["client", "torrent", "late"])
async def test_a_limit_holds_until_it_is_lifted(seed: Path, tmp_path: Path, whose: str):
    """At a byte a second there is one block, and the next in hours."""
    settings = attrs.evolve(SETTINGS, limit_up=1) if whose == "client" else SETTINGS
    async with open_client(settings) as one, open_client(SETTINGS) as other:
        with trio.fail_after(10):
            source = await one.add(DATA, save_path=seed, limit_up=1 if whose == "torrent" else None)
            if whose == "late":
                one.set_limits(up=1)
            await source.wait_complete()
            target = await other.add(DATA, save_path=tmp_path, peers=[where(one)])
            async with target.events() as events:
                while target.status.downloaded < BLOCK_SIZE:
                    with trio.move_on_after(0.01):
                        assert not isinstance(await events.receive(), PieceDone)
            assert target.status.downloaded == BLOCK_SIZE
            (source if whose == "torrent" else one).set_limits(up=None)
            await target.wait_complete()


# -- adding ----------------------------------------------------------------------------------------------------------


async def test_the_same_torrent_is_the_same_handle(tmp_path: Path, seed: Path):
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        await share(one, seed)
        target = await other.add(DATA, save_path=tmp_path)
        await target.wait_checked()
        assert await other.add(torrent("http://other.example/announce").to_bytes(), peers=[where(one)]) is target
        assert other.torrents == (target,)
        with trio.fail_after(10):
            await target.wait_complete()
        assert repr(target) == "<Torrent 'payload.bin' seeding 46/46>"
        assert repr(other) == f"<Client on port {other.port} with 1 torrents>"


async def test_sources_that_are_none(tmp_path: Path):
    async with open_client(SETTINGS) as client:
        with pytest.raises(MetainfoError, match="not a torrent"):
            await client.add(b"garbage")
        with pytest.raises(FileNotFoundError):
            await client.add(tmp_path / "missing.torrent")
        with pytest.raises(TrackerError):
            await client.add("http://127.0.0.1:1/a.torrent")
        assert client.torrents == ()


async def test_what_is_only_to_be_served_is_not_downloaded(tmp_path: Path, seed: Path):
    part = write(tmp_path / "part", {"payload.bin": PAYLOAD[:200_000]})
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        await share(one, seed)
        target = await other.add(DATA, save_path=part, peers=[where(one)], download=False)
        with trio.fail_after(10), pytest.raises(IncompleteError, match="3 of 46 pieces are good") as error:
            await target.wait_complete()
        assert error.value.good == 3
        assert (part / "payload.bin").read_bytes() == PAYLOAD[:200_000]


async def test_a_limit_that_makes_no_sense(tmp_path: Path):
    async with open_client(SETTINGS) as client:
        with pytest.raises(ValueError, match="at least 1 byte a second"):
            await client.add(DATA, save_path=tmp_path, limit_down=0)
        assert client.torrents == ()
        with pytest.raises(ValueError, match="at least 1 byte a second"):
            client.set_limits(up=-1)


async def test_a_torrent_that_nothing_can_be_compared_with(seed: Path):
    """Pure v2 without the layers of its file: until peers give them, no piece can be verified, so none is had."""
    plan = draft("payload.bin", [Entry((), len(PAYLOAD))], version="2", piece_length=65536)
    values = decode(plan.to_bytes(v2_layers={0: b"x" * 32 * plan.geometry.pieces}), max_depth=9)
    assert isinstance(values, dict)
    del values[b"piece layers"]
    async with open_client(SETTINGS) as client:
        target = await client.add(encode(values), save_path=seed)
        with trio.fail_after(10):
            await target.wait_checked()
        assert (target.status.state, target.status.pieces_done) == (State.DOWNLOADING, 0)
        assert client.unexpected == 0


async def test_a_hybrid_is_found_by_both_of_its_names(seed: Path):
    hybrid = Metainfo.from_bytes(make_torrent("payload.bin", {(): PAYLOAD}, "hybrid", 65536))
    async with open_client(SETTINGS) as client:
        await client.add(hybrid.to_bytes(), save_path=seed)
        names = hybrid.info_hashes.all_wire
        assert len(names) == 2
        assert None not in [client.find(name) for name in names]
        assert client.find(bytes(20)) is None


async def test_a_torrent_by_url(nursery: trio.Nursery, seed: Path):
    url = await serve_http(nursery, lambda number: answered(DATA))
    async with open_client(SETTINGS) as client:
        with trio.fail_after(10):
            added = await client.add(f"{url}/a.torrent", save_path=seed)
            await added.wait_complete()
        assert added.name == "payload.bin"


async def test_a_torrent_that_fails_leaves_the_others_alone(tmp_path: Path, seed: Path):
    other = random_bytes(100_000, seed=2)
    (tmp_path / "bad" / "other.bin").mkdir(parents=True)
    async with open_client(SETTINGS) as client, open_client(SETTINGS) as source:
        await share(source, seed)
        bad = await client.add(single(other, name="other.bin").to_bytes(), save_path=tmp_path / "bad")
        write(tmp_path / "good", {"other.bin": other})
        await share(source, tmp_path / "good", single(other, name="other.bin").to_bytes())
        bad.add_peers([where(source)])
        good = await client.add(DATA, save_path=tmp_path, peers=[where(source)])
        with trio.fail_after(10):
            with pytest.raises(StorageError, match="Is a directory"):
                await bad.wait_complete()
            await good.wait_complete()
        assert (bad.status.state, good.status.state) == (State.FAILED, State.SEEDING)
        assert isinstance(bad.error, StorageError)
        assert client.unexpected == 0


async def test_peers_for_a_torrent_that_has_failed_are_no_harm(tmp_path: Path, seed: Path):
    (tmp_path / "payload.bin").mkdir()
    async with open_client(SETTINGS) as client, open_client(SETTINGS) as source:
        await share(source, seed)
        failed = await client.add(DATA, save_path=tmp_path, peers=[where(source)])
        with trio.fail_after(10), pytest.raises(StorageError):
            await failed.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
        failed.add_peers([where(source)])


async def test_a_torrent_that_has_failed_may_be_added_again(tmp_path: Path, seed: Path):
    (tmp_path / "payload.bin").mkdir()
    async with open_client(SETTINGS) as client, open_client(SETTINGS) as source:
        await share(source, seed)
        failed = await client.add(DATA, save_path=tmp_path, peers=[where(source)])
        with trio.fail_after(10), pytest.raises(StorageError):
            await failed.wait_complete()
        again = await client.add(DATA, save_path=tmp_path / "elsewhere", peers=[where(source)])
        assert again is not failed
        with trio.fail_after(10):
            await again.wait_complete()


@pytest.mark.parametrize("text", ["magnet:?dn=x", "magnet:?xt=urn:btih:" + "ab" * 19])
async def test_a_link_that_is_none_is_refused_in_words(text: str):
    async with open_client(SETTINGS) as client:
        with pytest.raises(MagnetError, match="not a magnet link: "):
            await client.add(text)


async def test_what_is_there_but_for_an_empty_file_gets_it(tmp_path: Path):
    metainfo = multi({"a": b"content", "b/empty": b""})
    write(tmp_path, {"folder/a": b"content"})
    async with open_client(SETTINGS) as client:
        torrent = await client.add(metainfo.to_bytes(), save_path=tmp_path)
        with trio.fail_after(10):
            await torrent.wait_complete()
    assert (tmp_path / "folder/b/empty").read_bytes() == b""


# -- ports -----------------------------------------------------------------------------------------------------------


async def test_if_the_port_is_taken_another_one_is_used():
    async with open_client(SETTINGS) as one, open_client(Settings(port=one.port, interface=LOCALHOST)) as other:
        assert one.port != other.port != 0


async def test_an_interface_that_is_not_ours():
    with pytest.raises(OSError, match=r"192\.0\.2\.1|assign requested address"):
        async with open_client(Settings(port=0, interface="192.0.2.1")):
            raise AssertionError("there is no such interface")


# -- leaving ---------------------------------------------------------------------------------------------------------


async def serve_http(nursery: trio.Nursery, answer: Callable[[int], Awaitable[bytes]]) -> str:
    """A server that answers its requests, numbered from 0, with such bodies; its URL."""
    (listener,) = await trio.open_tcp_listeners(0, host=LOCALHOST)
    requests = 0

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal requests
        number, requests = requests, requests + 1
        async with stream:
            await stream.receive_some()
            body = await answer(number)
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    nursery.start_soon(trio.serve_listeners, handle, [listener])
    return f"http://{LOCALHOST}:{listener.socket.getsockname()[1]}"


async def answered(body: bytes) -> bytes:
    await trio.lowlevel.checkpoint()
    return body


async def test_a_tracker_that_falls_silent_does_not_keep_us(
    tmp_path: Path, nursery: trio.Nursery, mock_clock: trio.testing.MockClock
):
    """It has answered once, so it is told that we are gone; it has until `stop_seconds` to hear it."""
    mock_clock.rate = 1.0
    stop_seconds = 3.0  # less than any tracker may take
    nobody = encode({b"interval": 1800, b"peers": b"\x7f\0\0\x01\0\x01"})  # 127.0.0.1:1

    async def once(number: int) -> bytes:
        if number:
            mock_clock.jump(stop_seconds)
            await trio.sleep_forever()
        return await answered(nobody)

    url = await serve_http(nursery, once)
    async with open_client(Settings(port=0, interface=LOCALHOST, stop_seconds=stop_seconds)) as client:
        added = await client.add(torrent(f"{url}/announce").to_bytes(), save_path=tmp_path)
        with trio.fail_after(30):
            async with added.events() as events:
                while not isinstance(await events.receive(), DialRefused):
                    pass  # the peer that the tracker named: so its answer has been read
        start = trio.current_time()
    assert stop_seconds <= trio.current_time() - start < STOP_SECONDS
    assert added.status.state is State.STOPPED


async def test_nobody_waits_for_ever_for_a_torrent_that_has_stopped(tmp_path: Path):
    async with open_client(SETTINGS) as client:
        added = await client.add(DATA, save_path=tmp_path)
        await added.wait_checked()
    with trio.fail_after(0.1), pytest.raises(StoppedError):
        await added.wait_complete()


async def test_leaving_leaves_nothing(seed: Path, tmp_path: Path, held):
    before = held()
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        await share(one, seed)
        with trio.fail_after(10):
            await (await other.add(DATA, save_path=tmp_path, peers=[where(one)])).wait_complete()
    assert held() == before


async def test_cancelled_in_the_middle_nothing_is_left(seed: Path, tmp_path: Path, held):
    """And what was told as done is on disk."""
    before = held()
    done: list[int] = []
    with trio.CancelScope() as scope:
        async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
            await share(one, seed)
            target = await other.add(DATA, save_path=tmp_path, peers=[where(one)])
            async with target.events(buffer=1000) as events:
                async for event in events:
                    if isinstance(event, PieceDone):
                        done.append(event.piece)
                        scope.cancel()
    assert scope.cancelled_caught
    assert held() == before
    assert one.unexpected == other.unexpected == 0
    written = (tmp_path / "payload.bin").read_bytes()
    for piece in done:
        assert written[piece * 65536 : (piece + 1) * 65536] == PAYLOAD[piece * 65536 : (piece + 1) * 65536]


@pytest.mark.parametrize("remembers", [False, True])
async def test_cancelled_at_any_step_of_the_start_nothing_is_left(tmp_path: Path, held, remembers: bool):
    """To remember takes a thread. What is closed only when it is collected gives a warning, which is an error here."""
    state = tmp_path / "state" if remembers else None
    settings = attrs.evolve(SETTINGS, state_folder=state, dht_routers=(f"{LOCALHOST}:1",))
    before = held()
    for checkpoints in range(30):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_after, checkpoints, scope)
                async with open_client(settings) as client:
                    await client.add(DATA, save_path=tmp_path)
                    await trio.sleep_forever()
        assert held() == before
    gc.collect()


async def cancel_after(checkpoints: int, scope: trio.CancelScope) -> None:
    for _ in range(checkpoints):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_records_are_saved_one_after_the_other(tmp_path: Path, seed: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever is cancelled while one is saved leaves the job behind, and what is saved on leaving waits for it."""
    saving, most, saved = 0, 0, list[bool]()

    def save(self: Records, info_hash: bytes, record: Record) -> None:
        nonlocal saving, most
        saving += 1
        most = max(most, saving)
        time.sleep(0.05)
        saved.append(record.running)
        saving -= 1

    monkeypatch.setattr(Records, "save", save)
    async with open_client(attrs.evolve(SETTINGS, state_folder=tmp_path / "state")) as client:
        await client.add(DATA, save_path=tmp_path)
        with trio.fail_after(5):
            while not saving:  # a thread tells nobody
                await trio.lowlevel.checkpoint()
    assert most == 1
    assert saved == [True, False]


async def test_an_exception_of_the_block_comes_out(tmp_path: Path, held):
    before = held()
    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="mine"), flatten_subgroups=True):
        async with open_client(SETTINGS) as client:
            await client.add(DATA, save_path=tmp_path)
            raise KeyError("mine")
    assert held() == before


async def test_listeners_hear_the_end(seed: Path):
    async with open_client(SETTINGS) as client:
        added = await client.add(DATA, save_path=seed)
        async with trio.open_nursery() as nursery, added.events() as events:
            nursery.start_soon(client.stop)
            with trio.fail_after(5):
                assert not [event async for event in events if isinstance(event, Completed)]


# -- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["link", "hash", "magnet"])
async def test_from_a_link_to_the_content(written: str, seed: Path, tmp_path: Path):
    magnet = TORRENT.magnet
    texts = {"link": str(magnet), "hash": magnet.info_hashes.wire.hex()}
    source = texts.get(written, magnet)
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        with trio.fail_after(10):
            await share(one, seed)
            torrent = await other.add(source, save_path=tmp_path, peers=[where(one)])
            await torrent.wait_complete()
        assert torrent.metainfo is not None
        assert torrent.metainfo.info_bytes == TORRENT.info_bytes
        assert torrent.info_hashes == TORRENT.info_hashes
        assert (one.unexpected, other.unexpected) == (0, 0)
    assert (tmp_path / "payload.bin").read_bytes() == PAYLOAD


async def test_a_link_and_its_torrent_are_the_same(seed: Path):
    async with open_client(SETTINGS) as client:
        torrent = await share(client, seed)
        assert await client.add(str(TORRENT.magnet)) is torrent
        (only,) = client.torrents
        assert only is torrent


async def test_whoever_comes_by_the_other_name_of_a_hybrid_finds_it_once_it_is_known(tmp_path: Path):
    data = random_bytes(100_000)
    hybrid = await ClientMetainfo.create(write(tmp_path / "seed", {"x": data}) / "x", version="hybrid")
    hashes = hybrid.info_hashes
    link = Magnet(InfoHashes(v1=hashes.v1))
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        with trio.fail_after(10):
            source = await one.add(hybrid, save_path=tmp_path / "seed")
            await source.wait_complete()
            torrent = await other.add(link, save_path=tmp_path, peers=[where(one)])
            assert torrent.info_hashes == link.info_hashes
            await torrent.wait_complete()
        assert torrent.info_hashes == hashes
        assert hashes.v2 is not None
        assert await other.add(Magnet(InfoHashes(v2=hashes.v2))) is torrent
        assert (one.unexpected, other.unexpected) == (0, 0)
    assert (tmp_path / "x").read_bytes() == data


@pytest.mark.parametrize("version", ["2", "hybrid"])
async def test_a_v2_link(version: Literal["2", "hybrid"], tmp_path: Path):
    """The piece layers come from peers, too."""
    files = {"x/a": random_bytes(300_000), "x/b": random_bytes(50)}
    torrent = await ClientMetainfo.create(write(tmp_path / "seed", files) / "x", version=version, piece_length=16384)
    assert torrent.info_hashes.v2 is not None
    link = str(Magnet(InfoHashes(v2=torrent.info_hashes.v2)))
    async with open_client(SETTINGS) as one, open_client(SETTINGS) as other:
        with trio.fail_after(20):
            await (await one.add(torrent, save_path=tmp_path / "seed")).wait_complete()
            learned = await other.add(link, save_path=tmp_path / "leech", peers=[where(one)])
            await learned.wait_complete()
            assert learned.metainfo is not None
            while learned.metainfo.piece_layers != torrent.piece_layers:  # noqa: ASYNC110  # complete before, if hybrid
                await trio.sleep(0.01)
        assert (one.unexpected, other.unexpected) == (0, 0)
    assert {path: (tmp_path / "leech" / path).read_bytes() for path in files} == files


@pytest.mark.parametrize(("private", "names"), [(False, 1), (True, 0)])
async def test_neighbours_hear_nothing_of_private_torrents(private: bool, names: int, seed: Path):
    info = decode(TORRENT.info_bytes, max_depth=5)
    assert isinstance(info, dict)
    async with open_client(SETTINGS) as client:
        torrent = await share(client, seed, encode({b"info": {**info, b"private": int(private)}}))
        assert len(client.names()) == names
        client.meet("lsd", torrent.info_hashes.wire, Address(LOCALHOST, 1))
        client.meet("lsd", b"nobody knows it yet.", Address(LOCALHOST, 1))
        await trio.testing.wait_all_tasks_blocked()
        assert torrent.status.known == names
