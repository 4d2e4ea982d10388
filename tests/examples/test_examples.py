"""Each example does what it says, in a swarm on this machine."""

from __future__ import annotations

import functools
import http.server
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.elsewhere import PAYLOAD, with_trackers
from tests.payload import random_bytes, write
from trio_torrent import Magnet, Metainfo, Settings, Torrent, TrackerServer, open_client, serve_tracker

from . import cluster, download, seed, service, stream, watch

SETTINGS = Settings(port=0, interface="127.0.0.1", dht=False, lsd=False, stop_seconds=1)


@pytest.fixture
async def tracker(nursery: trio.Nursery) -> TrackerServer:
    server: TrackerServer = await nursery.start(serve_tracker)
    return server


@pytest.fixture
async def published(nursery: trio.Nursery, tmp_path: Path, tracker: TrackerServer) -> Path:
    """A .torrent that somebody serves."""
    data = with_trackers(PAYLOAD, tracker.url)

    async def serve(task_status: trio.TaskStatus[Torrent]) -> None:
        async with open_client(SETTINGS) as client:
            torrent = await client.add(data, save_path=write(tmp_path / "there", {"payload.bin": PAYLOAD}))
            await torrent.wait_complete()
            task_status.started(torrent)
            await trio.sleep_forever()

    await nursery.start(serve)
    return write(tmp_path, {"payload.torrent": data}) / "payload.torrent"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


async def test_download(published: Path, here: Path, capsys: pytest.CaptureFixture[str]):
    with trio.fail_after(10):
        await download.main(str(published), str(here))
    assert (here / "payload.bin").read_bytes() == PAYLOAD
    assert capsys.readouterr().out == f"payload.bin: {len(PAYLOAD)} bytes in {here}\n"


async def test_seed(nursery: trio.Nursery, tracker: TrackerServer, tmp_path: Path, here: Path, capsys):
    folder = write(tmp_path / "album", {"a": PAYLOAD, "b/c": random_bytes(1000)})
    nursery.start_soon(seed.main, str(folder), [tracker.url])
    with trio.fail_after(10):
        while not tracker.registry.torrents:  # noqa: ASYNC110 - it tells nobody what it has heard
            await trio.sleep(0.01)
        link = capsys.readouterr().out.strip()
        assert Magnet.parse(link).info_hashes == Metainfo.from_file(tmp_path / "album.torrent").info_hashes
        await download.main(link, str(here))
    assert (here / "album" / "b" / "c").read_bytes() == random_bytes(1000)


async def test_watch(published: Path, here: Path, capsys: pytest.CaptureFixture[str]):
    await watch.main(str(published), str(here), 10)
    first, *_, done, last = capsys.readouterr().out.splitlines()
    assert first == f"0 of {-(-len(PAYLOAD) // 32768)} pieces were there already"
    assert done == "payload.bin is complete"
    assert last.startswith(f"complete: {len(PAYLOAD)} bytes in ")
    with pytest.RaisesGroup(trio.TooSlowError, flatten_subgroups=True):
        await watch.main("00" * 20, str(here), 0.01)


async def test_service(nursery: trio.Nursery, published: Path, here: Path):
    port = await nursery.start(service.main, 0, str(here))

    async def ask(method: str, body: bytes = b"") -> tuple[str, Any]:
        async with await trio.open_tcp_stream("localhost", port) as stream:
            head = f"{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            await stream.send_all(head.encode() + body)
            answer = b"".join([bytes(chunk) async for chunk in stream])
        first, _, rest = answer.partition(b"\r\n")
        return first.decode(), json.loads(rest.partition(b"\r\n\r\n")[2])

    assert await ask("GET") == ("HTTP/1.1 200 ", [])
    status, error = await ask("POST", b"/etc/passwd")
    assert (status, list(error)) == ("HTTP/1.1 400 ", ["error"])
    _, found = await ask("POST", await trio.Path(published).read_bytes())
    with trio.fail_after(10):
        while found[0]["state"] != "seeding":
            _, found = await ask("GET")
    total = len(PAYLOAD)
    assert found == [{"name": "payload.bin", "state": "seeding", "done": total, "total": total}]
    async with await trio.open_tcp_stream("localhost", port) as stream:
        await stream.send_all(b"\xff\xff\r\n\r\n")
        assert await stream.receive_some() == b""
    nursery.cancel_scope.cancel()


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """The one of the standard library; it knows nothing of ranges."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.slow
async def test_cluster(tmp_path: Path):
    """Two get it from the machine that has it; a third one comes when only the web server is left."""
    files = {"data/part-1": PAYLOAD, "data/part-2": random_bytes(300_000, seed=2)}
    write(tmp_path / "store", files)
    file = tmp_path / "data.torrent"
    with web_server(tmp_path / "store") as url, trio.fail_after(30):
        async with trio.open_nursery() as first:
            await first.start(cluster.publish, str(tmp_path / "store" / "data"), str(file), "127.0.0.1", [url])
            async with trio.open_nursery() as others:
                for number in range(2):
                    others.start_soon(cluster.fetch, str(file), str(tmp_path / str(number)), 0.0)
            first.cancel_scope.cancel()
        await cluster.fetch(str(file), str(tmp_path / "2"), 0.0)
    assert Metainfo.from_file(file).private
    for number in range(3):
        assert {path: (tmp_path / str(number) / path).read_bytes() for path in files} == files


async def test_a_copy_that_was_damaged_meanwhile_is_noticed(tmp_path: Path, here: Path):
    write(here, {"data": PAYLOAD})
    metainfo = await Metainfo.create(here / "data")
    write(tmp_path, {"data.torrent": metainfo.to_bytes()})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(damage, here / "data")
        with pytest.raises(SystemExit, match="1 pieces are bad, 0 are missing"):
            await cluster.fetch(str(tmp_path / "data.torrent"), str(here), 0.2)


async def damage(path: Path) -> None:
    await trio.sleep(0.1)
    with path.open("r+b") as file:
        file.write(b"\0")


@pytest.mark.parametrize("by", ["torrent", "link"])
async def test_stream(published: Path, here: Path, by: str, capsys: pytest.CaptureFixture[str]):
    source = str(published) if by == "torrent" else str(Metainfo.from_file(published).magnet)
    out = io.BytesIO()
    with trio.fail_after(10):
        await stream.main(source, 1, str(here), out)
    assert out.getvalue() == PAYLOAD
    assert capsys.readouterr().err.splitlines() == [
        "payload.bin: 65536 bytes at the end are there",
        f"{len(PAYLOAD)} of {len(PAYLOAD)} bytes are there",
    ]
