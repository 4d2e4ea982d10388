"""Torrents that are moved, renamed and removed while they run, over real sockets and threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from tests.payload import multi, random_bytes, write
from trio_torrent import Address, Client, Settings, State, StoppedError, StorageError, Torrent, open_client

FILES = {"a": random_bytes(400_000), "b": random_bytes(900_000, seed=2), "empty": b""}
METAINFO = multi(FILES, piece_length=65536)
SLOW = 500_000  # bytes a second


def settings(tmp_path: Path, *, limit_up: int | None = None) -> Settings:
    return Settings(port=0, interface="127.0.0.1", stop_seconds=2, limit_up=limit_up, state_folder=tmp_path / "state")


async def seed(client: Client, folder: Path) -> Torrent:
    write(folder / "folder", FILES)
    torrent = await client.add(METAINFO, save_path=folder)
    await torrent.wait_complete()
    return torrent


def where(client: Client) -> Address:
    return Address("127.0.0.1", client.port)


def arrived(folder: Path) -> bool:
    return {name: (folder / "folder" / name).read_bytes() for name in FILES} == FILES


@pytest.mark.slow
async def test_moved_in_mid_download(tmp_path: Path):
    async with open_client(settings(tmp_path, limit_up=SLOW)) as one, open_client(settings(tmp_path / "2")) as other:
        with trio.fail_after(20):
            await seed(one, tmp_path / "seed")
            torrent = await other.add(METAINFO, save_path=tmp_path / "here", peers=[where(one)])
            while torrent.status.done < 300_000:  # noqa: ASYNC110
                await trio.sleep(0.01)
            done = torrent.status.done
            await torrent.move(tmp_path / "there")
            assert torrent.save_path == tmp_path / "there"
            await torrent.wait_complete()
            assert torrent.status.done >= done
        assert one.unexpected == other.unexpected == 0
    assert arrived(tmp_path / "there")
    assert list((tmp_path / "here").iterdir()) == []


async def test_moved_while_it_is_served_and_known_there_in_the_next_run(tmp_path: Path):
    with trio.fail_after(20):
        async with open_client(settings(tmp_path)) as client:
            torrent = await seed(client, tmp_path / "here")
            await torrent.move(tmp_path / "there")
            await torrent.rename(2, "folder/other/name")
            assert client.unexpected == 0
        async with open_client(settings(tmp_path)) as client:
            torrent = await client.add(METAINFO, save_path=tmp_path / "there")
            await torrent.wait_complete()
            assert torrent.status.checked == 0
    assert (tmp_path / "there/folder/other/name").read_bytes() == FILES["b"]
    assert not (tmp_path / "there/folder/b").exists()


async def test_what_is_in_the_way_of_a_move_changes_nothing(tmp_path: Path):
    write(tmp_path / "there/folder", {"a": b"mine"})
    async with open_client(settings(tmp_path)) as client:
        with trio.fail_after(20):
            torrent = await seed(client, tmp_path / "here")
            with pytest.raises(StorageError, match="is there already"):
                await torrent.move(tmp_path / "there")
            await torrent.wait_complete()
            assert torrent.save_path == tmp_path / "here"
    assert arrived(tmp_path / "here")


async def test_a_name_leads_nowhere_but_below_the_save_path(tmp_path: Path):
    async with open_client(settings(tmp_path)) as client:
        with trio.fail_after(20):
            torrent = await seed(client, tmp_path / "here")
            await torrent.rename(1, "../../x/../etc/passwd")
            with pytest.raises(ValueError, match="has files 1 to 3, not 7"):
                await torrent.rename(7, "x")
    assert (tmp_path / "here/_/_/x/_/etc/passwd").read_bytes() == FILES["a"]
    assert set(os.listdir(tmp_path)) == {"here", "state"}


@pytest.mark.parametrize("delete_files", [False, True])
async def test_removed(tmp_path: Path, delete_files: bool):
    async with open_client(settings(tmp_path)) as client:
        with trio.fail_after(20):
            torrent = await seed(client, tmp_path / "here")
            await torrent.remove(delete_files=delete_files)
            assert client.torrents == ()
            assert torrent.status.state is State.STOPPED
            assert list((tmp_path / "state").iterdir()) == []
            assert (tmp_path / "here/folder").exists() is not delete_files
            with pytest.raises(StoppedError):
                await torrent.verify()
            again = await client.add(METAINFO, save_path=tmp_path / "here")
            assert again is not torrent
    assert (tmp_path / "here").exists()


async def test_verified_while_it_is_served(tmp_path: Path):
    async with open_client(settings(tmp_path)) as client:
        with trio.fail_after(20):
            torrent = await seed(client, tmp_path / "here")
            (tmp_path / "here/folder/b").write_bytes(b"x" * 900_000)
            await torrent.verify()
            await torrent.wait_checked()
            while torrent.status.state is not State.DOWNLOADING:  # noqa: ASYNC110
                await trio.sleep(0.01)
            assert [file.complete for file in torrent.files] == [False, False, True]
        assert client.unexpected == 0
