"""What a run leaves for the next, what others do in between, and what is not written over."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from tests.fakepeer import FakePeer
from tests.payload import multi, random_bytes, write
from tests.simnet import Node
from trio_torrent.client.content import Rules
from trio_torrent.client.events import Checked
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.errors import IncompleteError, StorageError
from trio_torrent.wire import messages as wire

from .test_torrent import address, honest, swarm

PIECE = 32768
FILES = {"a": random_bytes(PIECE + 100), "empty": b"", "b/c": random_bytes(3 * PIECE, seed=3)}
PAYLOAD = b"".join(FILES.values())
METAINFO = multi(FILES)


def run(tmp_path: Path, *scripts, settings: Settings | None = None, **options):
    settings = settings or Settings(trackers=False, state_folder=tmp_path / "state")
    folder = options.pop("folder", tmp_path / "download")
    return swarm(folder, *scripts, metainfo=METAINFO, payload=PAYLOAD, settings=settings, **options)


async def done(node: Node, seconds: float = 5) -> None:
    with trio.fail_after(seconds):
        await node.torrent.wait_complete()


def found(events) -> list[int]:
    return [event.have for event in events if isinstance(event, Checked)]


async def twice(tmp_path: Path, between, **options) -> list[int]:
    """A whole download, something in between, and another run: how many pieces were known, and how many good."""
    async with run(tmp_path, honest) as (node, _, _):
        await done(node)
    between(tmp_path / "download" / "folder")
    async with run(tmp_path, honest, **options) as (node, events, _):
        await done(node)
        checked = node.torrent.status.checked
        assert {name: (tmp_path / "download/folder" / name).read_bytes() for name in FILES} == FILES
        await trio.testing.wait_all_tasks_blocked()
        return [checked, *found(events)]


async def test_nothing_is_checked_that_nobody_has_touched(tmp_path: Path, autojump_clock):
    assert await twice(tmp_path, lambda folder: None) == [0, 5]


async def test_unless_that_is_wished(tmp_path: Path, autojump_clock):
    assert await twice(tmp_path, lambda folder: None, rules=Rules(trust=False)) == [5, 5]


async def test_what_was_touched_is_checked(tmp_path: Path, autojump_clock):
    assert await twice(tmp_path, lambda folder: os.utime(folder / "a", ns=(5, 5))) == [5, 5]


async def test_what_was_written_over_is_fetched_again(tmp_path: Path, autojump_clock):
    def overwrite(folder: Path) -> None:
        (folder / "a").write_bytes(bytes(len(FILES["a"])))

    assert await twice(tmp_path, overwrite) == [5, 3]


async def test_what_was_removed_is_fetched_again(tmp_path: Path, autojump_clock):
    assert await twice(tmp_path, lambda folder: (folder / "b/c").unlink()) == [0, 1]


async def test_a_file_without_bytes_that_was_removed_is_made_again(tmp_path: Path, autojump_clock):
    assert await twice(tmp_path, lambda folder: (folder / "empty").unlink()) == [0, 5]


async def test_without_a_state_folder_nothing_is_remembered(tmp_path: Path, autojump_clock):
    settings = Settings(trackers=False)
    for _ in range(2):
        async with run(tmp_path, honest, settings=settings) as (node, _, _):
            await done(node)
    assert node.torrent.status.checked == 5
    assert os.listdir(tmp_path) == ["download"]


async def test_peers_and_totals_are_remembered(tmp_path: Path, autojump_clock):
    async with run(tmp_path, honest) as (node, _, _):
        await done(node)
    (tmp_path / "download/folder/a").unlink()
    async with run(tmp_path, honest, named=False) as (node, _, _):
        await done(node)
        status = node.torrent.status
    assert (status.downloaded, status.ever_downloaded) == (2 * PIECE, len(PAYLOAD) + 2 * PIECE)


async def test_a_state_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, autojump_clock, caplog):
    write(tmp_path, {"state": b"a file"})
    async with run(tmp_path, honest) as (node, _, _):
        await done(node)
        await trio.sleep(20)
    assert [record.message for record in caplog.records] == [
        f"folder: no record can be kept: [Errno {errno.EEXIST}] File exists: '{tmp_path / 'state'}'"
    ]


# -- files of others -------------------------------------------------------------------------------------------------


async def test_another_file_is_not_written_over(tmp_path: Path, autojump_clock):
    write(tmp_path / "download/folder", {"a": b"somebody's diary"})
    async with run(tmp_path, honest) as (node, _, _):
        with pytest.raises(StorageError, match="another file is there; move it away, or overwrite it with --force"):
            await done(node)
        assert node.torrent.status.state is State.FAILED
    assert (tmp_path / "download/folder/a").read_bytes() == b"somebody's diary"


async def test_unless_that_is_wished_too(tmp_path: Path, autojump_clock):
    write(tmp_path / "download/folder", {"a": b"somebody's diary"})
    async with run(tmp_path, honest, rules=Rules(overwrite=True)) as (node, _, _):
        await done(node)
    assert (tmp_path / "download/folder/a").read_bytes() == FILES["a"]


async def test_one_that_is_not_wanted_is_in_nobodys_way(tmp_path: Path, autojump_clock):
    write(tmp_path / "download/folder", {"a": b"somebody's diary"})
    async with run(tmp_path, honest, select="empty") as (node, _, _):
        await done(node)
    assert (tmp_path / "download/folder/a").read_bytes() == b"somebody's diary"


@pytest.mark.parametrize("there", [FILES["b/c"][: 2 * PIECE], b"", bytes(3 * PIECE), FILES["b/c"] + b"and more"])
async def test_what_is_of_the_torrent_or_could_be_is_adopted(tmp_path: Path, there: bytes, autojump_clock):
    write(tmp_path / "download/folder", {"b/c": there})
    async with run(tmp_path, honest) as (node, _, _):
        await done(node)
    assert (tmp_path / "download/folder/b/c").read_bytes()[: 3 * PIECE] == FILES["b/c"]


# -- room ------------------------------------------------------------------------------------------------------------


async def test_without_room_nothing_is_begun(tmp_path: Path, autojump_clock, monkeypatch: pytest.MonkeyPatch):
    usage = attrs.make_class("Usage", ["total", "used", "free"])
    free = 1000
    monkeypatch.setattr("trio_torrent.disk.space.shutil.disk_usage", lambda folder: usage(1 << 40, 0, free))
    async with run(tmp_path, honest) as (node, _, _):
        await trio.sleep(25)
        status = node.torrent.status
        assert (status.state, status.downloaded) == (State.WAITING, 0)
        assert status.reason == f"{tmp_path / 'download'}: 0.1 MiB more are needed, and 0.0 MiB are left"
        assert not (tmp_path / "download/folder").exists()
        free = 1 << 30
        await done(node, 11)


async def test_full_files_are_taken_before_a_byte_comes(tmp_path: Path, autojump_clock):
    async with run(tmp_path, rules=Rules(allocation="full")) as (node, _, _):
        with trio.fail_after(5):
            await node.torrent.wait_checked()
        status = (tmp_path / "download/folder/b/c").stat()
        assert (status.st_size, status.st_blocks * 512 >= 3 * PIECE) == (3 * PIECE, True)
        assert node.torrent.status.allocated == len(PAYLOAD)


async def test_sparse_files_are_not(tmp_path: Path, autojump_clock):
    async with run(tmp_path) as (node, _, _):
        with trio.fail_after(5):
            await node.torrent.wait_checked()
    assert not (tmp_path / "download/folder/b").exists()


# -- while it runs ---------------------------------------------------------------------------------------------------


async def test_what_others_write_over_is_never_sent(tmp_path: Path, autojump_clock):
    """The bytes are the same length, and only the time says that they are others."""
    write(tmp_path / "download/folder", FILES)
    sent: list[wire.Message] = []
    damaged = trio.Event()

    async def asks(peer: FakePeer) -> None:
        await peer.say(wire.Interested())
        await peer.wait_for(wire.Unchoke)
        await peer.say(wire.Request(0, 0, 16384))
        await peer.wait_for(wire.Piece)
        (tmp_path / "download/folder/b/c").write_bytes(bytes(3 * PIECE))
        damaged.set()
        await peer.say(wire.Request(2, 0, 16384))
        sent.extend([message async for message in peer])

    async def gives(peer: FakePeer) -> None:
        await damaged.wait()
        await honest(peer)

    async with run(tmp_path, asks, gives) as (node, events, _):
        with trio.fail_after(5):
            await damaged.wait()
        node.torrent.add_peers([address(1)])
        await trio.sleep(5)
        assert not [message for message in sent if isinstance(message, wire.Piece)]
        assert found(events) == [5, 1]
        await done(node)
    assert (tmp_path / "download/folder/b/c").read_bytes() == FILES["b/c"]


async def test_a_seed_whose_data_is_damaged_says_so_and_ends(tmp_path: Path, autojump_clock):
    write(tmp_path / "download/folder", FILES)
    async with run(tmp_path, rules=Rules(download=False)) as (node, _, _):
        await done(node)
        (tmp_path / "download/folder/b/c").write_bytes(b"")
        await node.torrent.verify()
        await trio.sleep(1)
        with pytest.raises(IncompleteError, match="1 of 5 pieces are good"):
            await node.torrent.wait_complete()
    assert (tmp_path / "download/folder/b/c").read_bytes() == b""


async def test_verifying_finds_what_no_time_tells(tmp_path: Path, autojump_clock):
    async with run(tmp_path, honest) as (node, events, _):
        await done(node)
        path = tmp_path / "download/folder/b/c"
        seen = path.stat()
        path.write_bytes(bytes(3 * PIECE))
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        await node.torrent.verify()
        assert node.torrent.status.checked == 5
        await trio.sleep(3)
        await done(node)
        assert found(events) == [0, 1]
        assert path.read_bytes() == FILES["b/c"]


async def test_a_check_that_is_cancelled_changes_nothing(tmp_path: Path, autojump_clock):
    async with run(tmp_path, honest) as (node, _, _):
        await done(node)
        with trio.CancelScope() as scope:
            scope.cancel()
            await node.torrent.verify()
        await trio.sleep(1)
        assert node.torrent.status.state is State.SEEDING
        assert node.torrent.status.pieces_done == 5


async def test_pausing(tmp_path: Path, autojump_clock):
    async with run(tmp_path, honest) as (node, _, _):
        node.torrent.pause()
        await trio.sleep(100)
        assert (node.torrent.status.state, node.torrent.status.downloaded) == (State.PAUSED, 0)
        node.torrent.resume()
        await done(node)
        node.torrent.pause()
        await trio.sleep(1)
        assert node.engine.welcome() is not None
        assert node.torrent.status.peers == 0
        node.torrent.resume()
        await trio.sleep(1)
        assert node.torrent.status.state is State.SEEDING
