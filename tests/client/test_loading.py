"""A part of us that cannot be loaded just now, as there are no descriptors left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

from tests.payload import random_bytes, single
from trio_torrent import Magnet, Metainfo, Settings, StorageError, Troubled, open_client
from trio_torrent.client.loading import loading

SETTINGS = Settings(port=0, interface="127.0.0.1", dht=False, lsd=False, stop_seconds=1)
PLAIN = single(random_bytes(100_000))


async def made(folder: Path, **given: object) -> Metainfo:
    (folder / "x").write_bytes(b"x" * 100_000)
    return await Metainfo.create(folder / "x", **given)  # type: ignore[arg-type]


def test_what_cannot_be_read_is_a_failure_of_the_disk_that_passes():
    with pytest.raises(StorageError, match="Too many open files") as caught, loading():
        raise ImportError("libx.so: cannot open shared object file: Too many open files")
    assert not caught.value.lasting


async def test_a_link_waits_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "trio_torrent.client.metadata", None)  # as Python says that it cannot be had
    async with open_client(SETTINGS) as client:
        torrent = await client.add(Magnet.parse("magnet:?xt=urn:btih:" + "ab" * 20), save_path=tmp_path)
        async with torrent.events() as events:
            assert isinstance(await events.receive(), Troubled)
        assert torrent.state.value == "waiting"
        monkeypatch.undo()
        torrent.resume()
        with trio.fail_after(5):
            while torrent.state.value != "metadata":  # noqa: ASYNC110  # nobody tells
                await trio.sleep(0.01)
        assert client.unexpected == 0


@pytest.mark.parametrize(
    ("module", "given"),
    [
        ("trio_torrent.client.webseed", {"web_seeds": ["http://127.0.0.1:1/"]}),
        ("trio_torrent.net.tracker", {"trackers": [["http://127.0.0.1:1/announce"]]}),
    ],
)
async def test_a_torrent_cannot_be_added_now(
    module: str, given: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    metainfo = await made(tmp_path, **given)
    async with open_client(SETTINGS) as client:
        with monkeypatch.context() as short:
            short.setitem(sys.modules, module, None)
            with pytest.raises(StorageError, match=module):
                await client.add(metainfo, save_path=tmp_path)
            await client.add(PLAIN, save_path=tmp_path)  # that needs nothing of the kind
        assert len(client.torrents) == 1
        await (await client.add(metainfo, save_path=tmp_path)).wait_complete()
        assert client.unexpected == 0
