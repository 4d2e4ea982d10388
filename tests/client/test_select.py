"""Downloads of some files: what is fetched, what is created, and what becomes of it later."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.fakepeer import FakePeer
from tests.payload import multi, random_bytes, write
from tests.simnet import Host, Network, join
from trio_torrent.address import Address
from trio_torrent.client.content import Rules
from trio_torrent.client.events import Completed, FileDone, Troubled
from trio_torrent.client.files import TorrentFile
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.selection import Priority
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.disk.parts import Parts
from trio_torrent.errors import MetainfoError
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.wire import messages as wire

from .test_torrent import honest, swarm

PIECE = 32768
FILES = {
    "a": random_bytes(PIECE + 100),  # pieces 0 and 1
    "empty": b"",
    "b": random_bytes(50, seed=2),  # 1
    "c": random_bytes(3 * PIECE, seed=3),  # 1 to 4
}
PAYLOAD = b"".join(FILES.values())
METAINFO = multi(FILES)
PARTS = Parts(METAINFO).name


def created(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def done(torrent, seconds: float = 3) -> None:
    with trio.fail_after(seconds):
        await torrent.wait_complete()


async def test_only_what_is_wanted_is_fetched_and_created(tmp_path: Path, autojump_clock):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD, select="b") as (node, events, _):
        assert node.torrent.status.total == 50
        await done(node.torrent)
        await trio.testing.wait_all_tasks_blocked()
        status = node.torrent.status
        assert (status.state, status.done, status.downloaded) == (State.SEEDING, 50, PIECE)
        assert [event.path for event in events if isinstance(event, FileDone)] == ["folder/b"]
    assert created(tmp_path) == {"folder/b", PARTS}
    assert (tmp_path / "folder/b").read_bytes() == FILES["b"]


async def test_a_piece_with_parts_of_unwanted_files_is_served(tmp_path: Path, autojump_clock):
    served: list[wire.Message] = []
    ready = trio.Event()

    async def asks(peer: FakePeer) -> None:
        await ready.wait()
        await peer.say(wire.Interested())
        await peer.wait_for(wire.Unchoke)
        await peer.say(wire.Request(1, 0, 16384), wire.Request(1, 16384, 16384))
        while len(served) < 2:
            served.append(await peer.wait_for(wire.Piece))

    async with swarm(tmp_path, honest, asks, metainfo=METAINFO, payload=PAYLOAD, select="b") as (node, _, _):
        await done(node.torrent)
        ready.set()
        await trio.sleep(1)
    assert served == [wire.Piece(1, at, PAYLOAD[PIECE + at : PIECE + at + 16384]) for at in (0, 16384)]


async def test_what_is_wanted_later_is_moved_into_place_and_the_rest_fetched(tmp_path: Path, autojump_clock):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD, select="b") as (node, events, _):
        await done(node.torrent)
        node.torrent.select("a", "b", "empty")
        assert node.torrent.status.state is State.DOWNLOADING
        await done(node.torrent)
        assert node.torrent.status.downloaded == 2 * PIECE, "piece 1 was there"
        assert created(tmp_path) == {"folder/a", "folder/b", "folder/empty", PARTS}
        node.torrent.select("*")
        await done(node.torrent)
        assert node.torrent.status.downloaded == len(PAYLOAD)
        await trio.testing.wait_all_tasks_blocked()
        assert len([event for event in events if isinstance(event, Completed)]) == 3
        await trio.sleep(10)
        assert not [event for event in events if isinstance(event, Troubled)]
    assert created(tmp_path) == {f"folder/{name}" for name in FILES}, "the part file has served its purpose"
    assert {name: (tmp_path / "folder" / name).read_bytes() for name in FILES} == FILES


async def test_what_is_no_longer_wanted_stays(tmp_path: Path, autojump_clock):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD) as (node, _, _):
        await done(node.torrent)
        node.torrent.select("b")
        await trio.sleep(1)
        assert node.torrent.status.total == 50
    assert created(tmp_path) == {f"folder/{name}" for name in FILES}


@pytest.mark.parametrize("remembered", [False, True])
async def test_another_run_with_another_selection(tmp_path: Path, remembered: bool, autojump_clock):
    """Checked again or not, what the part file has is used."""
    settings = Settings(trackers=False, state_folder=tmp_path / "state")
    folder = tmp_path / "download"
    run: dict[str, Any] = {
        "metainfo": METAINFO,
        "payload": PAYLOAD,
        "settings": settings,
        "rules": Rules(trust=remembered),
    }
    async with swarm(folder, honest, select="b", **run) as (node, _, _):
        await done(node.torrent)
    async with swarm(folder, honest, select="a", **run) as (node, _, _):
        await done(node.torrent)
        assert node.torrent.status.downloaded == PIECE
    assert created(folder) == {"folder/a", "folder/b", PARTS}
    async with swarm(folder, honest, **run) as (node, _, _):
        await done(node.torrent)
        assert node.torrent.status.downloaded == len(PAYLOAD) - 2 * PIECE
    assert created(folder) == {f"folder/{name}" for name in FILES}
    assert {name: (folder / "folder" / name).read_bytes() for name in FILES} == FILES


async def test_verify_reads_the_part_file_too(tmp_path: Path, autojump_clock):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD, select="b") as (node, _, _):
        await done(node.torrent)
        await node.torrent.verify()
        await trio.sleep(0.1)
        assert node.torrent.status.state is State.SEEDING


async def test_files_say_how_they_stand(tmp_path: Path, autojump_clock):
    async with swarm(tmp_path, honest, metainfo=METAINFO, payload=PAYLOAD, select=[1, "c"]) as (node, _, _):
        node.torrent.prioritize("c", priority=Priority.HIGH)
        await done(node.torrent)
        file = partial(TorrentFile, opener=node.torrent.files[0].open)
        assert node.torrent.files == (
            file(1, "folder/a", PIECE + 100, PIECE + 100, Priority.NORMAL),
            file(2, "folder/empty", 0, 0, Priority.SKIP),
            file(3, "folder/b", 50, 50, Priority.SKIP),
            file(4, "folder/c", 3 * PIECE, 3 * PIECE, Priority.HIGH),
        )
        assert [file.complete for file in node.torrent.files] == [True] * 4
        assert [file.wanted for file in node.torrent.files] == [True, False, False, True]


async def test_in_order(tmp_path: Path, autojump_clock):
    asked: list[int] = []

    async def notes(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        async for message in peer:
            if isinstance(message, wire.Request):
                asked.append(message.piece)
                await peer.say(peer.block(message))

    many = random_bytes(40 * PIECE)
    metainfo: Metainfo = multi({"x": many})
    async with swarm(tmp_path, notes, metainfo=metainfo, payload=many, sequential=True) as (node, _, _):
        await done(node.torrent)
    assert asked == sorted(asked)


async def test_a_wanted_file_of_which_nothing_is_there_is_not_made_of_zeros(tmp_path: Path, autojump_clock):
    """The part file of a run that had other wishes says nothing of it."""
    write(tmp_path, {PARTS: b""})
    async with swarm(tmp_path, metainfo=METAINFO, payload=PAYLOAD, select="b") as (node, _, _):
        with trio.fail_after(3):
            await node.torrent.wait_checked()
        assert node.torrent.status.done == 0


# -- of a link -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "options", "files"),
    [
        ((range(2, 3),), {}, {"folder/b", PARTS}),
        ((range(2, 3),), {"select": "a"}, {"folder/a", PARTS}),
        ((), {"select": ["1-2"]}, {"folder/a", "folder/empty", PARTS}),
    ],
)
async def test_a_links_files_are_chosen_before_they_are_known(
    tmp_path: Path, link: tuple[range, ...], options: dict[str, Any], files: set[str], autojump_clock
):
    write(tmp_path / "seed/folder", FILES)
    magnet = Magnet(METAINFO.info_hashes, select=link)
    hosts = [Host(Address(f"10.0.0.{number}", 6881)) for number in (1, 2)]
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        join(network, nursery, hosts[0], METAINFO, tmp_path / "seed")
        peers = [hosts[0].address]
        node = join(network, nursery, hosts[1], magnet, tmp_path / "out", peers=peers, **options)
        assert node.torrent.files == ()
        with pytest.raises(RuntimeError, match="wait_metadata"):
            node.torrent.prioritize(1, priority=Priority.HIGH)
        await done(node.torrent, 30)
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0
    assert created(tmp_path / "out") == files


async def test_who_chooses_before_the_download_has_begun_is_heeded(tmp_path: Path, autojump_clock):
    """However far the look at the disk has got: nothing of other files is made."""
    write(tmp_path / "seed/folder", FILES)
    state = State.CHECKING
    steps = 0
    while state is not State.DOWNLOADING:
        hosts = [Host(Address(f"10.0.0.{number}", 6881)) for number in (1, 2)]
        out = tmp_path / f"{steps}"
        async with trio.open_nursery() as nursery:
            network = Network(nursery)
            join(network, nursery, hosts[0], METAINFO, tmp_path / "seed")
            node = join(network, nursery, hosts[1], Magnet(METAINFO.info_hashes), out, peers=[hosts[0].address])
            with trio.fail_after(30):
                await node.torrent.wait_metadata()
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            node.torrent.select("b")
            state = node.torrent.state
            if state is not State.DOWNLOADING:
                await done(node.torrent, 30)
            nursery.cancel_scope.cancel()
        assert node.boundary.unexpected == 0
        if state is not State.DOWNLOADING:
            assert created(out) - {"folder/empty"} == {"folder/b", PARTS}, f"after {steps} steps"
        steps += 1
    assert steps > 5


async def test_a_link_whose_choice_means_nothing_fails_in_words(tmp_path: Path, autojump_clock):
    write(tmp_path / "seed/folder", FILES)
    hosts = [Host(Address(f"10.0.0.{number}", 6881)) for number in (1, 2)]
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        join(network, nursery, hosts[0], METAINFO, tmp_path / "seed")
        magnet, peers = Magnet(METAINFO.info_hashes), [hosts[0].address]
        node = join(network, nursery, hosts[1], magnet, tmp_path / "out", peers=peers, select="*.nothing")
        with pytest.raises(MetainfoError, match=r"no file of folder matches '\*\.nothing'"):
            await done(node.torrent, 30)
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0
