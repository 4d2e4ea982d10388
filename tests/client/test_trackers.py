"""Whole clients and their trackers, over real sockets of the loopback interface."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.payload import random_bytes, single, write
from tests.udptracker import ANNOUNCE, CONNECT, udp_tracker
from trio_torrent import InfoHashes, Magnet, Metainfo, Settings, Torrent, TrackerServer, open_client, serve_tracker
from trio_torrent.bencode import decode, encode

PAYLOAD = random_bytes(200_000)
SETTINGS = Settings(port=0, dht=False, lsd=False, stop_seconds=2)


def torrent(*tiers: str) -> Metainfo:
    whole = decode(single(PAYLOAD).to_bytes(), max_depth=10)
    assert isinstance(whole, dict)
    whole[b"announce-list"] = [[url.encode()] for url in tiers]
    return Metainfo.from_bytes(encode(whole))


async def until(look: Callable[[], object]) -> None:
    with trio.fail_after(10):
        while not look():  # noqa: ASYNC110 - what a tracker has heard is told to nobody
            await trio.sleep(0.01)


def working(torrent: Torrent) -> Callable[[], bool]:
    return lambda: all(tracker.state == "working" for tracker in torrent.status.trackers)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_peers_find_each_other_by_udp(nursery, tmp_path, host):
    server: TrackerServer = await nursery.start(partial(serve_tracker, host=host))
    assert server.udp_url is not None
    metainfo = torrent(server.udp_url)
    async with open_client(SETTINGS) as seeder, open_client(SETTINGS) as leecher:
        seeding = await seeder.add(metainfo, save_path=write(tmp_path / "seed", {"payload.bin": PAYLOAD}))
        await until(working(seeding))
        getting = await leecher.add(metainfo, save_path=tmp_path / "get")
        with trio.fail_after(10):
            await getting.wait_complete()
        await until(lambda: server.registry.count(metainfo.info_hashes.wire, trio.current_time()).downloaded)
        await getting.scrape()
        (told,) = getting.status.trackers
        assert (told.seeders, told.leechers, told.downloaded) == (2, 0, 1)
    assert not server.registry.peers(metainfo.info_hashes.wire)
    assert (seeder.unexpected, leecher.unexpected) == (0, 0)


@pytest.mark.parametrize("by", ["http", "udp"])
async def test_a_tracker_hears_both_names_of_a_hybrid(nursery, tmp_path, by):
    server: TrackerServer = await nursery.start(serve_tracker)
    url = server.url if by == "http" else server.udp_url
    folder = write(tmp_path / "seed", {"payload.bin": PAYLOAD})
    hybrid = await Metainfo.create(folder / "payload.bin", trackers=[[str(url)]])
    names = hybrid.info_hashes.all_wire
    async with open_client(SETTINGS) as seeder, open_client(SETTINGS) as leecher:
        await seeder.add(hybrid, save_path=folder)
        await until(lambda: {*server.registry.torrents} == {*names})
        by_the_other = Magnet(InfoHashes(v2=hybrid.info_hashes.v2), trackers=(str(url),))
        getting = await leecher.add(by_the_other, save_path=tmp_path / "get")
        with trio.fail_after(10):
            await getting.wait_complete()
        assert getting.info_hashes == hybrid.info_hashes
        await until(lambda: [len(server.registry.peers(name)) for name in names] == [2, 2])
        await until(working(getting))
    assert not server.registry.torrents
    assert (seeder.unexpected, leecher.unexpected) == (0, 0)


async def test_reannouncing_waits_until_the_tracker_allows_it(tmp_path):
    async with udp_tracker() as tracker, open_client(SETTINGS) as client:
        getting = await client.add(torrent(tracker.url()), save_path=tmp_path)
        await until(working(getting))
        heard = trio.current_time()
        getting.reannounce()
        getting.reannounce()
        assert getting.status.trackers[0].next_announce == pytest.approx(60 - (trio.current_time() - heard), abs=1)
        assert tracker.actions == [CONNECT, ANNOUNCE]


@pytest.mark.parametrize("strict", [False, True])
async def test_tiers_are_asked_at_once_unless_they_are_to_be_strict(tmp_path, strict):
    settings = Settings(port=0, dht=False, lsd=False, strict_tiers=strict)
    async with udp_tracker() as first, udp_tracker() as second, open_client(settings) as client:
        getting = await client.add(torrent(first.url(), second.url()), save_path=tmp_path)
        await until(lambda: getting.status.trackers[0].state == "working")
        await until(lambda: strict or second.heard)
        states = [tracker.state for tracker in getting.status.trackers]
    assert bool(second.heard) is not strict
    assert (states[1] == "in reserve") is strict


async def test_with_a_proxy_http_goes_through_it_and_udp_nowhere(nursery, tmp_path):
    asked: list[bytes] = []

    async def proxy(stream: trio.SocketStream) -> None:
        asked.append(bytes(await stream.receive_some()))
        body = encode({b"interval": 900, b"peers": b""})
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    (listener,) = await nursery.start(partial(trio.serve_tcp, proxy, 0, host="127.0.0.1"))
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with udp_tracker() as tracker, open_client(Settings(port=0, lsd=False, stop_seconds=1, proxy=url)) as client:
        metainfo = torrent("http://tracker.example/announce", tracker.url())
        getting = await client.add(metainfo, save_path=tmp_path)
        await until(lambda: asked)
        assert getting.status.trackers[1].state == "not asked: UDP does not go through the proxy"
    assert asked[0].startswith(b"GET http://tracker.example/announce?info_hash=")
    assert tracker.heard == []


async def test_a_torrent_is_fetched_through_the_proxy(nursery, tmp_path: Path):
    data = torrent().to_bytes()

    async def proxy(stream: trio.SocketStream) -> None:
        assert (await stream.receive_some()).startswith(b"GET http://files.example/x.torrent HTTP/1.1")
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    (listener,) = await nursery.start(partial(trio.serve_tcp, proxy, 0, host="127.0.0.1"))
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    fetched = await Metainfo.fetch("http://files.example/x.torrent", proxy=url)
    assert fetched.to_bytes() == data
    async with open_client(Settings(port=0, lsd=False, proxy=url)) as client:
        added = await client.add("http://files.example/x.torrent", save_path=tmp_path)
        assert added.metainfo is not None
        assert added.metainfo.to_bytes() == data
