"""Whatever operation on whatever file fails: the torrent waits, goes on by itself, and believes nothing wrong."""

from __future__ import annotations

import errno
import gc
import os
from hashlib import sha1
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.faults import ERRORS, failing_disk
from tests.payload import multi, random_bytes, write
from trio_torrent.client.content import SYNC_SECONDS
from trio_torrent.client.events import Checked, Troubled
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.disk.record import Record
from trio_torrent.errors import StorageError

from .test_torrent import honest, swarm

PIECE = 32768
FILES = {"a": random_bytes(PIECE + 100), "empty": b"", "b/c": random_bytes(2 * PIECE, seed=3)}
PAYLOAD = b"".join(FILES.values())
METAINFO = multi(FILES)
NAME = METAINFO.info_hashes.wire.hex()


def is_right(folder: Path, piece: int) -> bool:
    whole = b""
    for name, data in FILES.items():
        path = folder / "folder" / name
        whole += (path.read_bytes() if path.exists() else b"").ljust(len(data), b"?")
    return sha1(whole[piece * PIECE : (piece + 1) * PIECE]).digest() == METAINFO.piece_hash(piece)


def no_false_have(tmp_path: Path) -> None:
    for generation in (tmp_path / "state").glob(f"{NAME}.resume*"):
        record = Record.from_bytes(generation.read_bytes(), METAINFO.geometry.pieces)
        assert all(is_right(tmp_path / "download", piece) for piece in record.have)


async def download(tmp_path: Path, *, seconds: float = 60) -> None:
    settings = Settings(trackers=False, state_folder=tmp_path / "state")
    folder = tmp_path / "download"
    async with swarm(folder, honest, metainfo=METAINFO, payload=PAYLOAD, settings=settings) as (node, _, _):
        with trio.fail_after(seconds):
            await node.torrent.wait_complete()
        assert node.torrent.status.state is State.SEEDING
        await trio.sleep(SYNC_SECONDS + 30)
        no_false_have(tmp_path)
    assert {name: (folder / "folder" / name).read_bytes() for name in FILES} == FILES
    no_false_have(tmp_path)


async def test_how_many_operations_a_download_has(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    with failing_disk(tmp_path) as disk:
        await download(tmp_path)
    assert {"open", "pwrite", "ftruncate", "fdatasync", "fsync", "mkdir"} <= set(disk.done)
    assert 20 < len(disk.done) < 100


@pytest.mark.slow
@pytest.mark.parametrize("code", ERRORS, ids=lambda code: errno.errorcode.get(code, "SHORT"))
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_every_operation_fails_once(tmp_path: Path, code: int, autojump_clock: trio.testing.MockClock):
    gc.collect()
    before, number, last = len(os.listdir("/proc/self/fd")), 0, 1
    while number < last:
        folder = tmp_path / str(number)
        folder.mkdir()
        with failing_disk(folder) as disk:
            disk.fail(number, code)
            await download(folder)
        last = len(disk.done)
        number += 1
        assert len(os.listdir("/proc/self/fd")) == before
    assert last > 20


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
async def test_a_disk_that_does_not_take_anything_for_a_while(
    tmp_path: Path, code: int, autojump_clock: trio.testing.MockClock
):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, events, _):
        with failing_disk(tmp_path) as disk:
            disk.fault = lambda operation: code if operation == "pwrite" else None
            await trio.sleep(35)
            status = node.torrent.status
            assert (status.state, status.done) == (State.WAITING, 0)
            assert os.strerror(code) in (status.reason or "")
        with trio.fail_after(12):
            await node.torrent.wait_complete()
        troubles = [event.error for event in events if isinstance(event, Troubled)]
        assert 3 <= len(troubles) <= 5
        assert all(error.number == code for error in troubles)
    assert (tmp_path / "folder/a").read_bytes() == FILES["a"]


async def test_resume_does_not_wait_for_the_next_try(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, _, _):
        with failing_disk(tmp_path) as disk:
            disk.fault = lambda operation: errno.ENOSPC if operation == "pwrite" else None
            await trio.sleep(2)
            assert node.torrent.status.state is State.WAITING
        node.torrent.resume()
        with trio.fail_after(2):
            await node.torrent.wait_complete()


async def test_a_piece_that_was_had_is_not_doubted_for_anothers_sake(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    """The disk fills up after two pieces: they are still there, and are not fetched again."""
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, events, _):
        with failing_disk(tmp_path) as disk:
            disk.fault = lambda operation: errno.ENOSPC if disk.done.count("pwrite") > 3 else None
            await trio.sleep(5)
        with trio.fail_after(12):
            await node.torrent.wait_complete()
        haves = [event.have for event in events if isinstance(event, Checked)]
        assert haves[0] == 0
        assert haves[1] > 0


async def test_what_cannot_be_helped_fails_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path, {"folder": b"no folder at all"})
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, _, _):
        with trio.fail_after(5), pytest.raises(StorageError, match="Not a directory"):
            await node.torrent.wait_complete()
        assert node.torrent.status.state is State.FAILED
    assert (tmp_path / "folder").read_bytes() == b"no folder at all"


# -- what others do to the files --------------------------------------------------------------------------------------


async def test_a_file_removed_in_mid_download_is_noticed(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """Writes to a removed file go nowhere, without an error."""
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, events, _):
        with trio.fail_after(5):
            await node.torrent.wait_complete()
        (tmp_path / "folder/a").unlink()
        node.torrent.resume()
        await node.torrent.verify()
        with trio.fail_after(15):
            await trio.sleep(1)
            await node.torrent.wait_complete()
        assert (tmp_path / "folder/a").read_bytes() == FILES["a"]
        assert [event.have for event in events if isinstance(event, Checked)] == [0, 2]


async def test_a_folder_that_is_gone_is_waited_for(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """Its disk may have been unplugged; another one is not filled in its place."""
    folder = tmp_path / "disk"
    async with swarm(folder, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, _, _):
        with trio.fail_after(5):
            await node.torrent.wait_complete()
        folder.rename(tmp_path / "unplugged")
        with pytest.raises(StorageError, match="is gone"):
            await node.torrent.verify()
        await trio.sleep(65)
        assert node.torrent.status.state is State.WAITING
        assert not folder.exists()
        (tmp_path / "unplugged").rename(folder)
        await trio.sleep(11)
        assert (node.torrent.status.state, node.torrent.status.done) == (State.SEEDING, len(PAYLOAD))
        assert node.torrent.status.downloaded == len(PAYLOAD)
