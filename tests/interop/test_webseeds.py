"""Content from real web servers, alone and beside peers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from trio_torrent import Address, Client, Metainfo, Settings, Torrent, WebSeedState, open_client
from trio_torrent.bencode import decode, encode

from .clients import CLIENTS
from .ours import download
from .programs import LOOPBACK, PATIENCE, Job, free_port, until
from .share import Make, Share, folder_of_files, large_pieces, small_pieces
from .webservers import open_nginx, open_python

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("nginx")]


@asynccontextmanager
async def open_ours() -> AsyncIterator[Client]:
    """A client that may ask this machine."""
    async with open_client(Settings(port=0, trackers=False, allow_local=True)) as client:
        yield client
    assert client.unexpected == 0


def on_the_web(share: Share, port: int) -> Share:
    """The same torrent, with a web seed."""
    fields = decode(share.metainfo.to_bytes(), max_depth=10)
    assert isinstance(fields, dict)
    fields[b"url-list"] = f"http://{LOOPBACK}:{port}/".encode()
    metainfo = Metainfo.from_bytes(encode(fields))
    share.torrent.write_bytes(metainfo.to_bytes())
    return attrs.evolve(share, metainfo=metainfo)


def received(torrent: Torrent) -> int:
    (seed,) = torrent.status.web_seeds
    return seed.received


@pytest.mark.parametrize("make", [folder_of_files, small_pieces, large_pieces])
async def test_nginx_alone(make: Make, share: Share, folder: Path, tmp_path: Path):
    port = free_port()
    async with open_nginx(share.folder, tmp_path / "nginx", port), open_ours() as client:
        torrent = await download(client, on_the_web(share, port), folder)
        assert torrent.status.wasted == 0
        assert received(torrent) == share.metainfo.geometry.size


@pytest.mark.parametrize("make", [large_pieces])
async def test_nginx_is_killed_and_comes_again(make: Make, share: Share, folder: Path, tmp_path: Path):
    port, work = free_port(), tmp_path / "nginx"
    async with open_ours() as client:
        async with open_nginx(share.folder, work, port, rate="2m"):
            torrent = await client.add(on_the_web(share, port).metainfo, save_path=folder)
            await until(lambda: _has(torrent, 4 << 20), "a part has come")
        await until(lambda: _rests(torrent), "it is seen that nginx is gone")
        assert torrent.status.pieces_done < torrent.status.pieces
        async with open_nginx(share.folder, work, port):
            with trio.fail_after(PATIENCE):
                await torrent.wait_complete()
        assert share.is_in(folder)


async def _has(torrent: Torrent, size: int) -> bool:
    return torrent.status.done >= size


async def _rests(torrent: Torrent) -> bool:
    return torrent.status.web_seeds[0].state is WebSeedState.RESTING


@pytest.mark.parametrize("make", [folder_of_files, large_pieces])
async def test_a_server_without_ranges(make: Make, share: Share, folder: Path, tmp_path: Path):
    port = free_port()
    async with open_python(share.folder, tmp_path / "python", port), open_ours() as client:
        torrent = await download(client, on_the_web(share, port), folder)
        assert torrent.status.wasted == 0


@pytest.mark.needs("libtorrent")
@pytest.mark.parametrize("make", [large_pieces])
async def test_nginx_beside_a_peer(make: Make, share: Share, folder: Path, tmp_path: Path):
    port = free_port()
    share = on_the_web(share, port)
    job = Job(share.torrent, share.folder, tmp_path / "libtorrent")
    async with (
        open_nginx(share.folder, tmp_path / "nginx", port, rate="5m"),
        CLIENTS["libtorrent"](job),
        open_ours() as client,
    ):
        torrent = await client.add(share.metainfo, save_path=folder)
        await until(lambda: _has(torrent, 1 << 20), "a part has come")
        torrent.add_peers([Address(job.host, job.port)])
        with trio.fail_after(PATIENCE):
            await torrent.wait_complete()
        assert share.is_in(folder)
        assert 0 < received(torrent) < share.metainfo.geometry.size
