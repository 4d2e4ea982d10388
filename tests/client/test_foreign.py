"""Files of others in the places of a torrent's: by no road are they written over, and what is not wanted fails nothing.

Each begins with a diary where `a` should be, of which the first piece of `b` has the end.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.fakepeer import FakePeer, Script
from tests.payload import multi, random_bytes, write
from tests.simnet import InlineWorkers, Node
from trio_torrent.client.content import Content, Rules, Tally
from trio_torrent.client.events import Checked, Troubled
from trio_torrent.client.selection import Priority, Selection
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.disk.parts import Parts
from trio_torrent.disk.records import Records
from trio_torrent.errors import StorageError

from .test_torrent import address, honest, swarm

PIECE = 32768
FILES = {
    "a": random_bytes(3 * PIECE + 100),  # pieces 0 to 3
    "b": random_bytes(50, seed=2),  # 3
    "c": random_bytes(2 * PIECE, seed=3),  # 3 to 5
}
PAYLOAD = b"".join(FILES.values())
METAINFO = multi(FILES)
PARTS = Parts(METAINFO).name
DIARY = b"mine"


@attrs.frozen
class Diary:
    """Where one should be of the torrent's."""

    path: Path

    @property
    def unharmed(self) -> bool:
        return self.path.read_bytes() == DIARY

    def take_away(self) -> None:
        assert self.unharmed
        self.path.unlink()


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    write(tmp_path / "download/folder", {"a": DIARY})
    return Diary(tmp_path / "download/folder/a")


def run(tmp_path: Path, *scripts: Script, **options: Any):
    settings = Settings(trackers=False, state_folder=tmp_path / "state")
    usual = {"metainfo": METAINFO, "payload": PAYLOAD, "settings": settings}
    return swarm(tmp_path / "download", *scripts, **{**usual, **options})


async def done(node: Node, seconds: float = 5) -> None:
    with trio.fail_after(seconds):
        await node.torrent.wait_complete()


def arrived(tmp_path: Path, *names: str) -> bool:
    return all((tmp_path / "download/folder" / name).read_bytes() == FILES[name] for name in names)


async def test_what_is_not_wanted_is_not_touched(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest, select=["b", "c"]) as (node, events, _):
        await done(node)
        await node.torrent.verify()
        await trio.sleep(1)
        assert (node.torrent.state, node.torrent.status.pieces_done) == (State.SEEDING, 3)
        assert not [event for event in events if isinstance(event, Troubled)]
    assert diary.unharmed
    assert arrived(tmp_path, "b", "c")


@pytest.mark.parametrize("there", ["folder", "file for a folder"])
async def test_nor_does_it_matter_what_it_is(tmp_path: Path, there: str, autojump_clock):
    files = {"deep/a": FILES["a"], "b": FILES["b"], "c": FILES["c"]}
    inside = {"deep/a/mine": DIARY} if there == "folder" else {"deep": DIARY}
    write(tmp_path / "download/folder", inside)
    async with run(tmp_path, honest, metainfo=multi(files), select=["b", "c"]) as (node, _, _):
        await done(node)
        reader = node.torrent.files[0].open()
        with trio.fail_after(5), pytest.raises(StorageError, match="directory"):
            await reader.receive_some()
        assert node.torrent.state is State.SEEDING
    assert (tmp_path / "download/folder" / next(iter(inside))).read_bytes() == DIARY


@pytest.mark.parametrize("remembered", ["by a record", "checked", "without a record", "as it was killed"])
async def test_nor_in_another_run(tmp_path: Path, diary: Diary, remembered: str, autojump_clock):
    """What the part file has of it is found again."""
    state = tmp_path / "state" if remembered != "without a record" else None
    options: dict[str, Any] = {"select": "b", "settings": Settings(trackers=False, state_folder=state)}
    async with run(tmp_path, honest, **options) as (node, _, _):
        await done(node)
        if remembered == "as it was killed":
            assert node.engine.subject.known is not None
            node.engine.subject.known.content.keeps = False
    if remembered == "checked":
        options["rules"] = Rules(trust=False)
    async with run(tmp_path, honest, **options) as (node, events, _):
        await done(node)
        await trio.testing.wait_all_tasks_blocked()
        assert [event.have for event in events if isinstance(event, Checked)] == [1]
        assert node.torrent.status.downloaded == 0
        node.torrent.select("b", "c")
        await done(node)
    assert diary.unharmed
    assert arrived(tmp_path, "b", "c")


async def test_who_wants_it_in_another_run_is_told(tmp_path: Path, diary: Diary, autojump_clock):
    """That we have been here before makes it no file of ours."""
    async with run(tmp_path, honest, select=["b", "c"]) as (node, _, _):
        await done(node)
    async with run(tmp_path, honest) as (node, _, _):
        with pytest.raises(StorageError, match="another file is there; move it away, or overwrite it with --force"):
            await done(node)
        assert node.torrent.state is State.FAILED
        await node.torrent.remove(delete_files=True)
    assert diary.unharmed
    assert sorted(path.name for path in (tmp_path / "download").rglob("*")) == ["a", "folder"]


async def test_what_has_replaced_one_of_ours_since_the_last_run_is_no_file_of_ours(tmp_path: Path, autojump_clock):
    async with run(tmp_path, honest) as (node, _, _):
        await done(node)
    write(tmp_path / "download/folder", {"a": DIARY})
    async with run(tmp_path, honest) as (node, _, _):
        with pytest.raises(StorageError, match="another file is there"):
            await done(node)
    assert (tmp_path / "download/folder/a").read_bytes() == DIARY


async def test_nor_is_what_is_in_another_folder_than_ours_was(tmp_path: Path):
    """Even if the machine was started since, so that a file of ours could have any length."""
    write(tmp_path / "ours/folder", FILES)
    write(tmp_path / "another/folder", {"a": DIARY})
    for root in ("ours", "another"):
        records = Records(tmp_path / "state", InlineWorkers(), InlineWorkers(), "")
        content = Content(METAINFO, tmp_path / root, InlineWorkers(), records, Rules())
        if root == "another":
            with pytest.raises(StorageError, match="another file is there"):
                await content.find(Selection(METAINFO), lambda checked: None)
        else:
            await content.find(Selection(METAINFO), lambda checked: None)
        await content.close(Tally((), 0, 0))


@pytest.mark.parametrize("forced_before", [False, True])
async def test_force_writes_over_it_once_it_is_wanted(
    tmp_path: Path, diary: Diary, forced_before: bool, autojump_clock
):
    async with run(tmp_path, honest, select="b", rules=Rules(overwrite=forced_before)) as (node, _, _):
        await done(node)
        assert diary.unharmed
    async with run(tmp_path, honest, rules=Rules(overwrite=True)) as (node, _, _):
        await done(node)
    assert arrived(tmp_path, *FILES)
    assert not (tmp_path / "download" / PARTS).exists()


@pytest.mark.parametrize("how", ["selected", "read"])
async def test_so_it_does_in_the_same_run(tmp_path: Path, diary: Diary, how: str, autojump_clock):
    async with run(tmp_path, honest, select="b", rules=Rules(overwrite=True)) as (node, _, _):
        await done(node)
        assert diary.unharmed
        async with node.torrent.files[0].open() as reader:
            if how == "read":
                with trio.fail_after(5):
                    assert await reader.receive_some(100) == FILES["a"][:100]
        node.torrent.select("a", "b")
        await done(node)
    assert arrived(tmp_path, "a", "b")


# -- wanted later ----------------------------------------------------------------------------------------------------


def want_by_selection(node: Node) -> None:
    node.torrent.select("*")


def want_by_priority(node: Node) -> None:
    node.torrent.prioritize("a", priority=Priority.LOW)


@pytest.mark.parametrize("want", [want_by_selection, want_by_priority])
@pytest.mark.parametrize("begun", ["while it downloads", "when it has"])
async def test_who_wants_it_later_waits_until_it_is_gone(
    tmp_path: Path, diary: Diary, want, begun: str, autojump_clock
):
    async with run(tmp_path, honest, select=["b", "c"]) as (node, events, _):
        if begun == "when it has":
            await done(node)
        else:
            await node.torrent.wait_checked()
        want(node)
        await trio.sleep(25)
        assert node.torrent.state is State.WAITING
        assert node.torrent.status.reason.startswith(f"{diary.path}: another file is there")
        assert {event.error.number for event in events if isinstance(event, Troubled)} == {errno.EEXIST}
        assert diary.unharmed
        diary.take_away()
        await done(node, 15)
        assert node.torrent.status.downloaded <= len(PAYLOAD), "what was there is not fetched again"
    assert arrived(tmp_path, *FILES)


async def test_who_thinks_better_of_it_goes_on(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest, select="b") as (node, _, _):
        await done(node)
        node.torrent.select("a")
        await trio.sleep(1)
        states = [node.torrent.state]
        node.torrent.select("b", "c")
        node.torrent.resume()
        await trio.sleep(2)
        assert [*states, node.torrent.state] == [State.WAITING, State.SEEDING]
    assert diary.unharmed
    assert arrived(tmp_path, "b", "c")


async def test_so_does_who_gives_the_torrents_file_another_name(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest, select="b") as (node, _, _):
        await done(node)
        node.torrent.select("*")
        await trio.sleep(1)
        await node.torrent.rename(1, "folder/other")
        await done(node, 15)
    assert diary.unharmed
    assert (tmp_path / "download/folder/other").read_bytes() == FILES["a"]


async def test_what_comes_into_the_way_while_it_runs_is_waited_for(tmp_path: Path, autojump_clock):
    checked = trio.Event()

    async def late(peer: FakePeer) -> None:
        await checked.wait()
        await honest(peer)

    async with run(tmp_path, late) as (node, _, _):
        await node.torrent.wait_checked()
        write(tmp_path / "download/folder", {"a": DIARY})
        checked.set()
        await trio.sleep(25)
        assert node.torrent.state is State.WAITING
        assert (tmp_path / "download/folder/a").read_bytes() == DIARY
        (tmp_path / "download/folder/a").unlink()
        await done(node, 15)
    assert arrived(tmp_path, *FILES)


async def test_a_file_without_bytes_may_have_another_in_its_place_until_it_is_wanted(tmp_path: Path, autojump_clock):
    files = {"empty": b"", "b": FILES["b"]}
    write(tmp_path / "download/folder", {"empty": DIARY})
    async with run(tmp_path, honest, metainfo=multi(files), payload=FILES["b"], select="b") as (node, _, _):
        await done(node)
        node.torrent.select("*")
        await trio.sleep(1)
        assert node.torrent.status.reason.endswith("another file is there; move it away, or overwrite it with --force")
    assert (tmp_path / "download/folder/empty").read_bytes() == DIARY


async def test_what_comes_into_the_way_and_is_no_longer_wanted_is_left_alone(tmp_path: Path, autojump_clock):
    chosen = trio.Event()

    async def late(peer: FakePeer) -> None:
        await chosen.wait()
        await honest(peer)

    async with run(tmp_path, late) as (node, events, _):
        await node.torrent.wait_checked()
        write(tmp_path / "download/folder", {"a": DIARY})
        node.torrent.select("b", "c")
        await trio.sleep(1)
        chosen.set()
        await done(node)
        assert not [event for event in events if isinstance(event, Troubled)]
    assert (tmp_path / "download/folder/a").read_bytes() == DIARY
    assert arrived(tmp_path, "b", "c")


# -- read ------------------------------------------------------------------------------------------------------------


async def test_a_reader_is_told_and_nothing_else_is_disturbed(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest, select=["b", "c"]) as (node, events, _):
        async with node.torrent.files[0].open() as reader, node.torrent.files[2].open() as other:
            with trio.fail_after(5):
                for _ in range(2):
                    with pytest.raises(StorageError, match="another file is there"):
                        await reader.receive_some()
                assert await other.receive_some(100) == FILES["c"][:100]
                await done(node)
                await reader.seek(3 * PIECE)
                assert await reader.receive_some() == FILES["a"][3 * PIECE :], "which came with the piece of the others"
        assert not [event for event in events if isinstance(event, Troubled)]
        assert node.torrent.status.pieces_done == 3
    assert diary.unharmed


async def test_once_it_is_gone_it_is_read(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest, select="b") as (node, _, _), node.torrent.files[0].open() as reader:
        with trio.fail_after(5), pytest.raises(StorageError, match="another file is there"):
            await reader.receive_some()
        diary.take_away()
        with trio.fail_after(5):
            assert await reader.receive_some(100) == FILES["a"][:100]


async def test_what_comes_into_the_way_of_a_reader_fails_nobody_else(tmp_path: Path, autojump_clock):
    there = trio.Event()

    async def late(peer: FakePeer) -> None:
        await there.wait()
        await honest(peer)

    async with run(tmp_path, late, select=["b", "c"]) as (node, _, _), node.torrent.files[0].open() as reader:
        await trio.sleep(1)
        write(tmp_path / "download/folder", {"a": DIARY})
        await node.torrent.verify()
        there.set()
        with trio.fail_after(5), pytest.raises(StorageError, match="another file is there"):
            await reader.receive_some()
        node.torrent.add_peers([address(0)])
        await done(node, 90)
        assert node.torrent.status.pieces_done == 3
    assert (tmp_path / "download/folder/a").read_bytes() == DIARY
    assert arrived(tmp_path, "b", "c")


# -- moved, renamed, removed -----------------------------------------------------------------------------------------


async def test_it_is_neither_moved_nor_renamed_nor_removed(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest, select=["b", "c"]) as (node, _, _):
        await done(node)
        await node.torrent.rename(1, "folder/other")
        await node.torrent.rename(1, "folder/another")
        await node.torrent.move(tmp_path / "new")
        assert diary.unharmed
        write(tmp_path / "new/folder", {"another": DIARY})
        await trio.sleep(1)
        assert node.torrent.state is State.SEEDING
        await node.torrent.remove(delete_files=True)
    assert diary.unharmed
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["folder", "another"]


async def test_one_that_was_in_the_way_from_the_start_is_not_removed(tmp_path: Path, diary: Diary, autojump_clock):
    async with run(tmp_path, honest) as (node, _, _):
        with pytest.raises(StorageError, match="another file is there"):
            await done(node)
        await node.torrent.remove(delete_files=True)
    assert diary.unharmed
