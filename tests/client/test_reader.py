"""Reading files while they are downloaded, and after."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Set
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.fakepeer import FakePeer, Script
from tests.faults import failing_disk
from tests.metainfo.making import Contents, make_torrent
from tests.payload import multi, random_bytes, write
from tests.simnet import Host, Network, join
from trio_torrent.client.content import Content
from trio_torrent.client.events import Completed, Troubled
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.reader import MOST_READ, USUAL_READ, FileReader
from trio_torrent.client.session import Session
from trio_torrent.client.status import State
from trio_torrent.errors import ChangedError, StoppedError, StorageError
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.swarm.events import Awaited
from trio_torrent.swarm.stall import Stall
from trio_torrent.wire import messages as wire

from .test_torrent import address, swarm

PIECE = 32768
FILES = {"a": random_bytes(3 * PIECE + 100), "empty": b"", "b": random_bytes(20 * PIECE, seed=2)}
BOTH = multi(FILES)
WHOLE = b"".join(FILES.values())
folder = partial(swarm, metainfo=BOTH, payload=WHOLE)


async def everything(reader: FileReader) -> bytes:
    with trio.fail_after(60):
        return b"".join([data async for data in reader])


def slow(seconds: float, asked: list[int] | None = None) -> Script:
    """A peer that has everything, takes so long for a block, and answers one after the other unless it is cancelled."""

    async def script(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        waiting: dict[wire.Request, None] = {}
        news = trio.Event()

        async def answer() -> None:
            nonlocal news
            while True:
                if not waiting:
                    news = trio.Event()
                    await news.wait()
                request = next(iter(waiting))
                await trio.sleep(seconds)
                if waiting.pop(request, 0) is None:
                    await peer.say(peer.block(request))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            async for message in peer:
                match message:
                    case wire.Request(piece):
                        waiting[message] = None
                        if asked is not None:
                            asked.append(piece)
                        news.set()
                    case wire.Cancel(piece, offset, length):
                        waiting.pop(wire.Request(piece, offset, length), None)
                    case _:
                        pass
            nursery.cancel_scope.cancel()

    return script


# -- what is read ----------------------------------------------------------------------------------------------------


async def test_a_file_is_read_while_it_comes(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with folder(tmp_path, slow(0.01)) as (node, _, _), node.torrent.files[2].open() as reader:
        assert (reader.size, reader.tell()) == (20 * PIECE, 0)
        first = await reader.receive_some()
        assert node.torrent.state is State.DOWNLOADING
        assert reader.tell() == len(first)
        assert first + await everything(reader) == FILES["b"]
        assert await reader.receive_some() == b"" == await reader.receive_some()


async def test_of_what_is_all_there_any_part_is_read_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path / "folder", FILES)
    async with folder(tmp_path) as (node, _, _):
        await node.torrent.wait_complete()
        async with node.torrent.files[0].open() as one, node.torrent.files[1].open() as empty:
            assert await everything(one) == FILES["a"]
            assert await empty.receive_some() == b""
            assert node.engine.reading.awaited.reading is False


async def test_a_read_is_as_long_as_it_is_asked_to_be_within_bounds(tmp_path: Path, autojump_clock):
    long = random_bytes(2 * MOST_READ)
    write(tmp_path / "folder", {"x": long})
    async with swarm(tmp_path, metainfo=multi({"x": long}), payload=long) as (node, _, _):
        await node.torrent.wait_complete()
        async with node.torrent.files[0].open() as reader:
            assert [len(await reader.receive_some(n)) for n in (1, None, 1 << 40)] == [1, USUAL_READ, MOST_READ]
            assert reader.tell() == 1 + USUAL_READ + MOST_READ


async def test_it_is_read_from_wherever_one_likes(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path / "folder", FILES)
    content = FILES["b"]
    async with folder(tmp_path) as (node, _, _):
        await node.torrent.wait_complete()
        async with node.torrent.files[2].open() as reader:
            assert await reader.seek(5 * PIECE + 7) == reader.tell() == 5 * PIECE + 7
            assert await reader.receive_some(10) == content[5 * PIECE + 7 :][:10]
            assert await reader.seek(-7, io.SEEK_CUR) == 5 * PIECE + 10
            assert await reader.seek(-5, io.SEEK_END) == len(content) - 5
            assert await everything(reader) == content[-5:]
            assert await reader.seek(3, io.SEEK_END) == len(content) + 3
            assert await reader.receive_some() == b""
            for offset, whence in ((-1, io.SEEK_SET), (-len(content) - 4, io.SEEK_CUR), (0, 3)):
                with pytest.raises(ValueError, match=r"before its start|whence"):
                    await reader.seek(offset, whence)
            assert reader.tell() == len(content) + 3


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
async def test_files_that_begin_anywhere(tmp_path: Path, version, autojump_clock: trio.testing.MockClock):
    contents: Contents = {("x",): random_bytes(20_000), ("y",): random_bytes(70_000, seed=2)}
    metainfo = Metainfo.from_bytes(make_torrent("folder", contents, version))
    write(tmp_path / "one/folder", {"/".join(path): data for path, data in contents.items()})
    hosts = [Host(address(number)) for number in (1, 2)]
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        join(network, nursery, hosts[0], metainfo, tmp_path / "one")
        node = join(network, nursery, hosts[1], metainfo, tmp_path / "two", peers=[hosts[0].address])
        for file, data in zip(node.torrent.files, contents.values(), strict=True):
            async with file.open() as reader:
                assert await everything(reader) == data
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


async def test_of_a_link_what_it_turned_out_to_be(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path / "one/folder", FILES)
    hosts = [Host(address(number)) for number in (1, 2)]
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        join(network, nursery, hosts[0], BOTH, tmp_path / "one")
        magnet = Magnet(BOTH.info_hashes)
        node = join(network, nursery, hosts[1], magnet, tmp_path / "two", peers=[hosts[0].address])
        with trio.fail_after(30):
            await node.torrent.wait_metadata()
        async with node.torrent.files[0].open() as reader:  # before what is there was looked at
            assert await everything(reader) == FILES["a"]
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


async def test_nothing_that_is_not_verified_is_read(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async def liar(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        async for message in peer:
            if isinstance(message, wire.Request):
                await peer.say(wire.Piece(message.piece, message.offset, bytes(message.length)))

    async with folder(tmp_path, liar, slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        assert await everything(reader) == FILES["b"]
        assert node.torrent.status.wasted >= PIECE


# -- what is fetched for it ------------------------------------------------------------------------------------------


async def test_what_is_read_comes_first(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    asked: list[int] = []
    async with folder(tmp_path, slow(0.02, asked)) as (node, _, _), node.torrent.files[2].open() as reader:
        await trio.sleep(0.2)
        before = len(asked)
        await reader.seek(12 * PIECE)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.02)
        first = 3 + 12  # pieces of the file before it
        assert asked[before:][:4] == [first, first, first + 1, first + 1]
        with trio.fail_after(0.2):
            assert await reader.receive_some(10) == FILES["b"][12 * PIECE :][:10]


async def test_several_readers_are_all_served(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    content, starts = FILES["b"], (0, 7 * PIECE, 14 * PIECE)

    async def read(reader: FileReader, start: int) -> None:
        async with reader:
            await reader.seek(start)
            assert await everything(reader) == content[start:]

    async with folder(tmp_path, slow(0.02)) as (node, _, _):
        async with trio.open_nursery() as nursery:
            for start in starts:
                nursery.start_soon(read, node.torrent.files[2].open(), start)
        assert node.torrent.status.wasted == 0


async def test_who_has_read_leaves_nothing_behind(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with folder(tmp_path, slow(0.1)) as (node, _, _):
        reading = node.engine.reading
        async with node.torrent.files[2].open() as one:
            assert {piece for piece, _ in reading.awaited.deadlines} == set(range(3, 24)), "all within 2 MiB"
            async with node.torrent.files[0].open():
                assert min(piece for piece, _ in reading.awaited.deadlines) == 0
            await one.seek(10 * PIECE)
            assert reading.awaited.reading
            assert min(piece for piece, _ in reading.awaited.deadlines) == 13
        assert reading.awaited == Awaited((), reading=False)


async def test_a_file_that_is_not_wanted_is_fetched_as_far_as_it_is_read(tmp_path: Path, autojump_clock):
    asked: list[int] = []
    many = {"a": FILES["a"], "b": random_bytes(200 * PIECE, seed=3)}
    whole = b"".join(many.values())
    async with swarm(tmp_path, slow(0.001, asked), metainfo=multi(many), payload=whole, select="a") as (
        node,
        events,
        _,
    ):
        with trio.fail_after(5):
            await node.torrent.wait_complete()
        assert max(asked) == 3
        async with node.torrent.files[1].open() as reader:
            data = b""
            with trio.fail_after(90):
                while len(data) < 10 * PIECE:
                    data += await reader.receive_some()
            assert data == many["b"][: len(data)]
            assert (node.torrent.state, node.torrent.files[1].wanted) == (State.SEEDING, False)
        await trio.sleep(5)
        fetched = len(set(asked))
        assert 14 <= fetched <= 100
        await trio.sleep(30)
        assert len(set(asked)) == fetched, "nobody reads any more"
        assert len([event for event in events if isinstance(event, Completed)]) == 1
    assert (tmp_path / "folder/b").read_bytes()[: len(data)] == data


async def test_seeds_that_were_let_go_are_called_again_for_who_reads(tmp_path: Path, autojump_clock):
    write(tmp_path / "one/folder", FILES)
    hosts = [Host(address(number)) for number in (1, 2)]
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        join(network, nursery, hosts[0], BOTH, tmp_path / "one")
        node = join(network, nursery, hosts[1], BOTH, tmp_path / "two", peers=[hosts[0].address], select="a")
        with trio.fail_after(10):
            await node.torrent.wait_complete()
        await trio.sleep(100)
        assert node.torrent.status.peers == 0
        async with node.torrent.files[2].open() as reader:
            with trio.fail_after(3):
                assert await everything(reader) == FILES["b"]
        nursery.cancel_scope.cancel()


async def test_why_who_reads_what_is_not_wanted_waits(tmp_path: Path, autojump_clock):
    async def chokes(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await trio.sleep_forever()

    async with folder(tmp_path, chokes) as (node, _, _):
        await trio.sleep(1)
        node.torrent.select("empty")
        await trio.sleep(1)
        assert (node.torrent.state, node.torrent.status.reason) == (State.SEEDING, None)
        async with node.torrent.files[2].open() as reader:
            with trio.move_on_after(70):
                await reader.receive_some()
            status = node.torrent.status
            assert (status.state, status.stall, status.reason) == (State.SEEDING, Stall.CHOKED, "all peers choke us")
        assert node.torrent.status.reason is None, "nobody waits any more"


async def test_what_is_read_stays_in_demand_when_it_is_deselected(tmp_path: Path, autojump_clock):
    async with folder(tmp_path, slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        data = await reader.receive_some()
        node.torrent.select("a")
        assert data + await everything(reader) == FILES["b"]


# -- while it stands still -------------------------------------------------------------------------------------------


async def test_of_a_paused_torrent_what_is_there(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with folder(tmp_path, slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        data = await reader.receive_some()
        node.torrent.pause()
        with trio.move_on_after(30):
            while True:
                data += await reader.receive_some()
        assert node.torrent.state is State.PAUSED
        assert data == FILES["b"][: len(data)]
        assert reader.tell() == len(data) < len(FILES["b"])
        await reader.seek(0)
        assert await reader.receive_some(100) == data[:100]
        node.torrent.resume()
        await reader.seek(len(data))
        assert data + await everything(reader) == FILES["b"]


async def test_nothing_is_read_while_it_is_found_out_what_is_right(tmp_path: Path, autojump_clock):
    write(tmp_path / "folder", FILES)
    async with folder(tmp_path, slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        await node.torrent.wait_complete()
        node.torrent.pause()
        await trio.sleep(1)
        path = tmp_path / "folder/b"
        status = path.stat()
        path.write_bytes(bytes(PIECE) + FILES["b"][PIECE:])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        await node.torrent.verify()
        with trio.move_on_after(10):
            await reader.receive_some()
            raise AssertionError("it is wrong")
        await reader.seek(2 * PIECE)
        assert await reader.receive_some(10) == FILES["b"][2 * PIECE :][:10]
        await reader.seek(0)
        node.torrent.resume()
        assert await everything(reader) == FILES["b"]


async def test_it_reads_on_when_the_files_have_moved(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async with folder(tmp_path / "here", slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        data = await reader.receive_some()
        await node.torrent.move(tmp_path / "there")
        await node.torrent.rename(3, "folder/c")
        assert data + await everything(reader) == FILES["b"]


async def test_a_file_that_others_write_to_is_compared_again_and_read_as_it_should_be(tmp_path: Path, autojump_clock):
    write(tmp_path / "folder", FILES)
    async with folder(tmp_path, slow(0.02)) as (node, events, _), node.torrent.files[2].open() as reader:
        await node.torrent.wait_complete()
        (tmp_path / "folder/b").write_bytes(bytes(len(FILES["b"])))
        assert await everything(reader) == FILES["b"]
        await trio.testing.wait_all_tasks_blocked()
        assert [type(event.error) for event in events if isinstance(event, Troubled)] == [ChangedError]


async def test_a_disk_that_does_not_read_for_a_while(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path / "folder", FILES)
    async with folder(tmp_path, slow(0.02)) as (node, events, _), node.torrent.files[2].open() as reader:
        await node.torrent.wait_complete()
        with failing_disk(tmp_path) as disk:
            disk.fault = lambda operation: errno.EIO if operation == "preadv" else None
            with trio.move_on_after(5):
                await reader.receive_some()
                raise AssertionError("how?")
        assert node.torrent.state is State.WAITING
        assert await everything(reader) == FILES["b"]
        assert len([event for event in events if isinstance(event, Troubled)]) == 1


# -- how it ends -----------------------------------------------------------------------------------------------------


async def waiting(reader: FileReader, match: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=match):
        await reader.receive_some()


@pytest.mark.parametrize("there", [False, True])
async def test_a_torrent_that_is_removed_is_read_no_more(tmp_path: Path, there: bool, autojump_clock):
    if there:
        write(tmp_path / "folder", FILES)
    async with folder(tmp_path) as (node, _, _), node.torrent.files[2].open() as reader:
        if there:
            await node.torrent.wait_complete()
            await reader.receive_some()
            await node.torrent.remove()
            await waiting(reader, "folder: was stopped", StoppedError)
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waiting, reader, "folder: was stopped|stopped before", StoppedError)
                await trio.testing.wait_all_tasks_blocked()
                await node.torrent.remove()
        await waiting(node.torrent.files[2].open(), "stopped", StoppedError)


async def test_what_made_a_torrent_fail_is_told_to_readers(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path, {"folder/b/in the way": b"?"})
    async with folder(tmp_path, slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        await waiting(reader, "Is a directory", StorageError)


async def test_cancelled_anywhere_nothing_is_lost(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    data = b""
    async with folder(tmp_path, slow(0.02)) as (node, _, _), node.torrent.files[2].open() as reader:
        while len(data) < len(FILES["b"]):
            with trio.move_on_after(0.01):
                data += await reader.receive_some(10_000)
            assert reader.tell() == len(data)
    assert data == FILES["b"]


async def test_one_task_at_a_time_and_none_when_it_is_closed(tmp_path: Path, autojump_clock):
    async with folder(tmp_path) as (node, _, _):
        reader = node.torrent.files[2].open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiting, reader, "closed", trio.ClosedResourceError)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await reader.receive_some()
            with pytest.raises(trio.BusyResourceError):
                await reader.seek(0)
            await reader.aclose()
        for call in (reader.receive_some, reader.receive_some, partial(reader.seek, 0)):
            with pytest.raises(trio.ClosedResourceError):
                await call()
        await reader.aclose()
        with pytest.raises(ValueError, match="at least 1"):
            await reader.receive_some(0)


async def test_nothing_is_fetched_of_a_file_before_it_has_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock
):
    """Somebody begins to read while another's file is brought there: its pieces would go to the part file."""
    lend, heed = Content.lend, Session.heed
    lent: set[int] = set()
    heeded: list[tuple[set[int], set[int]]] = []

    async def lends(content: Content, files: Set[int]) -> dict[int, StorageError]:
        await another.seek(0)
        refused = await lend(content, files)
        lent.update(content.lent)
        return refused

    async def heeds(session: Session, awaited: Awaited) -> None:
        heeded.append(({piece for piece, _ in awaited.deadlines}, set(lent)))
        await heed(session, awaited)

    monkeypatch.setattr(Content, "lend", lends)
    monkeypatch.setattr(Session, "heed", heeds)
    async with folder(tmp_path, select="empty") as (node, _, _):
        another = node.torrent.files[2].open()
        async with node.torrent.files[0].open():
            await trio.sleep(1)
    assert {2 in places for pieces, places in heeded if 4 in pieces} == {True}
