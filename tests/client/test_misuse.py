"""What comes of doing what makes no sense: the documented error, at once, and nothing else has changed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.payload import multi, random_bytes, single, write
from trio_torrent import (
    Client,
    MetainfoError,
    Priority,
    Settings,
    State,
    StoppedError,
    StorageError,
    Torrent,
    open_client,
)

FILES = {"a": random_bytes(200_000), "b": random_bytes(300_000, seed=2)}
METAINFO = multi(FILES, piece_length=65536)
OTHER = single(random_bytes(100_000, seed=3), piece_length=65536)  # nobody has it
LINK = "magnet:?xt=urn:btih:" + "1" * 40  # nobody has it, either


@attrs.frozen
class Scene:
    """A client with a torrent of each kind, and what is around it."""

    folder: Path
    client: Client
    whole: Torrent
    lacking: Torrent
    link: Torrent


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    write(tmp_path / "whole/folder", FILES)
    write(tmp_path / "other/folder", {"a": b"somebody's"})
    write(tmp_path, {"file": b"no folder"})
    async with open_client(_settings(tmp_path)) as client:
        yield await _set(tmp_path, client)
        assert client.unexpected == 0


@pytest.fixture
async def closed(tmp_path: Path) -> Scene:
    """The same, when the client is closed."""
    write(tmp_path / "whole/folder", FILES)
    async with open_client(_settings(tmp_path)) as client:
        scene = await _set(tmp_path, client)
    return scene


def _settings(folder: Path) -> Settings:
    state = folder / "state"
    return Settings(
        port=0, interface="127.0.0.1", stop_seconds=1, state_folder=state, dht=False, lsd=False, trackers=False
    )


async def _set(folder: Path, client: Client) -> Scene:
    with trio.fail_after(10):
        whole = await client.add(METAINFO, save_path=folder / "whole")
        lacking = await client.add(OTHER, save_path=folder / "lacking")
        await whole.wait_complete()
        await lacking.wait_checked()
        return Scene(folder, client, whole, lacking, await client.add(LINK, save_path=folder / "link"))


def selected(torrent: Torrent) -> list[Priority]:
    return [file.priority for file in torrent.files]


Misuse = tuple[str, Callable[[Scene], object], type[Exception], str]

# What is done to a client that runs; what is not async is a plain value.
TABLE: list[Misuse] = [
    ("add a path where nothing is", lambda s: s.client.add(s.folder / "no.torrent"), FileNotFoundError, r"no\.torrent"),
    ("add a folder", lambda s: s.client.add(s.folder), IsADirectoryError, "Is a directory"),
    ("add what is no torrent", lambda s: s.client.add(s.folder / "file"), MetainfoError, "."),
    ("add a number", lambda s: s.client.add(5), TypeError, "not '?int"),  # type: ignore[arg-type]
    ("add with a choice of nothing", lambda s: s.client.add(single(b"x"), select="y"), ValueError, "no file of"),
    ("add with no rate at all", lambda s: s.client.add(single(b"x"), limit_up=0), ValueError, "at least 1"),
    ("select what is not there", lambda s: s.whole.select("*.iso"), ValueError, "no file of folder matches"),
    ("select a file before the first", lambda s: s.whole.select(0), ValueError, "1 to 2, not 0"),
    ("select one too far", lambda s: s.whole.select("2-3"), ValueError, "1 to 2, not 2-3"),
    ("prioritize an unknown file", lambda s: s.whole.prioritize(3, priority=Priority.HIGH), ValueError, "not 3"),
    ("prioritize how?", lambda s: s.whole.prioritize(1, priority=99), ValueError, "not a valid Priority"),  # type: ignore[arg-type]
    ("prioritize in a link", lambda s: s.link.prioritize(1, priority=Priority.LOW), RuntimeError, "wait_metadata"),
    ("verify a link", lambda s: s.link.verify(), RuntimeError, "wait_metadata"),
    ("move a link", lambda s: s.link.move(s.folder), RuntimeError, "wait_metadata"),
    ("rename in a link", lambda s: s.link.rename(1, "x"), RuntimeError, "wait_metadata"),
    ("open before it is known", lambda s: s.link.files[0].open(), IndexError, "out of range"),
    ("move onto another's file", lambda s: s.whole.move(s.folder / "other"), StorageError, "is there already"),
    ("move into a file", lambda s: s.whole.move(s.folder / "file"), StorageError, "File exists"),
    ("rename an unknown file", lambda s: s.whole.rename(3, "x"), ValueError, "not 3"),
    ("rename to nothing", lambda s: s.whole.rename(1, ""), ValueError, "empty"),
    ("rename onto another file", lambda s: s.whole.rename(1, "folder/b"), StorageError, "is there already"),
    ("no rate at all", lambda s: s.whole.set_limits(down=0), ValueError, "at least 1"),
    ("no rate at all for a client", lambda s: s.client.set_limits(up=-1), ValueError, "at least 1"),
    ("seek before the start", lambda s: s.whole.files[0].open().seek(-1), ValueError, "before its start"),
    ("read nothing", lambda s: s.whole.files[0].open().receive_some(0), ValueError, "at least 1"),
]


async def misuse(what: Callable[[Scene], object], scene: Scene) -> None:
    with trio.fail_after(5):
        result = what(scene)
        if isinstance(result, Awaitable):
            await result


@pytest.mark.parametrize(("what", "error", "match"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_it_is_refused(what: Callable[[Scene], object], error: type[Exception], match: str, scene: Scene):
    before = selected(scene.whole), scene.whole.save_path, scene.client.torrents
    with pytest.raises(error, match=match):
        await misuse(what, scene)
    assert (selected(scene.whole), scene.whole.save_path, scene.client.torrents) == before
    with trio.fail_after(5):
        await scene.whole.wait_complete()
    assert scene.whole.error is None
    assert {name: (scene.folder / "whole/folder" / name).read_bytes() for name in FILES} == FILES


# When the client is closed.
CLOSED: list[Misuse] = [
    ("add", lambda s: s.client.add(METAINFO), RuntimeError, "closed"),
    ("add a link", lambda s: s.client.add(LINK), RuntimeError, "closed"),
    ("verify", lambda s: s.whole.verify(), StoppedError, "does not run"),
    ("move", lambda s: s.whole.move(s.folder / "x"), StoppedError, "does not run"),
    ("rename", lambda s: s.whole.rename(1, "x"), StoppedError, "does not run"),
    ("verify a link", lambda s: s.link.verify(), RuntimeError, "wait_metadata"),
    ("wait for what is lacking", lambda s: s.lacking.wait_complete(), StoppedError, "before it was complete"),
    ("wait for a link", lambda s: s.link.wait_metadata(), StoppedError, "before it was complete"),
    ("read", lambda s: s.whole.files[0].open().receive_some(), StoppedError, "was stopped"),
    ("read what is lacking", lambda s: s.lacking.files[0].open().receive_some(), StoppedError, "before it was comp"),
    ("remove", lambda s: s.whole.remove(), RuntimeError, "closed"),
]


@pytest.mark.parametrize(("what", "error", "match"), [row[1:] for row in CLOSED], ids=[row[0] for row in CLOSED])
async def test_a_closed_client_does_nothing_more(
    what: Callable[[Scene], object], error: type[Exception], match: str, closed: Scene
):
    with pytest.raises(error, match=match):
        await misuse(what, closed)
    assert closed.client.unexpected == 0


HARMLESS: dict[str, Callable[[Torrent], object]] = {
    "pause": lambda t: t.pause(),
    "resume": lambda t: t.resume(),
    "select": lambda t: t.select(1),
    "prioritize": lambda t: t.prioritize(1, priority=Priority.LOW),
    "add_peers": lambda t: t.add_peers([]),
    "set_limits": lambda t: t.set_limits(down=1000),
    "reannounce": lambda t: t.reannounce(),
    "scrape": lambda t: t.scrape(),
    "stop": lambda t: t.stop(),
    "wait_complete": lambda t: t.wait_complete(),
    "status": lambda t: t.status,
}


@pytest.mark.parametrize("what", HARMLESS.values(), ids=list(HARMLESS))
async def test_what_asks_for_nothing_new_does_no_harm_when_it_is_closed(what: Any, closed: Scene):
    await misuse(lambda scene: what(scene.whole), closed)
    assert closed.whole.state is State.STOPPED


async def test_added_twice_it_is_the_same_and_stays_where_it_is(scene: Scene):
    again = await scene.client.add(METAINFO, save_path=scene.folder / "elsewhere", select="a")
    assert again is scene.whole
    assert again.save_path == scene.folder / "whole"
    assert all(file.wanted for file in again.files)


async def test_removed_twice_even_at_once(scene: Scene):
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.whole.remove)
            nursery.start_soon(scene.whole.remove)
        await scene.whole.remove(delete_files=True)
    assert scene.whole not in scene.client.torrents
    assert not (scene.folder / "whole/folder").exists()


@pytest.mark.parametrize("torrent", ["whole", "lacking", "link"])
async def test_nobody_waits_for_one_that_was_removed(torrent: str, scene: Scene):
    handle: Torrent = getattr(scene, torrent)
    await handle.remove()
    with trio.fail_after(5):
        if torrent == "whole":
            await handle.wait_complete()
        else:
            with pytest.raises(StoppedError, match="before it was complete"):
                await handle.wait_complete()
    assert handle.state is State.STOPPED


async def test_removed_while_it_is_verified(tmp_path: Path):
    """Whoever verifies is told that nothing came of it, and the files are nobody's any more when `remove` returns."""
    content = random_bytes(16 << 20, seed=4)
    write(tmp_path / "folder", {"x": content})
    told: list[str] = []

    async def verify(torrent: Torrent) -> None:
        with pytest.raises(StoppedError, match="does not run"):
            await torrent.verify()
        told.append("stopped")

    async with open_client(_settings(tmp_path)) as client:
        torrent = await client.add(multi({"x": content}, piece_length=16384), save_path=tmp_path)
        with trio.fail_after(20):
            await torrent.wait_complete()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(verify, torrent)
                while torrent.state is not State.CHECKING:
                    await trio.lowlevel.checkpoint()
                await torrent.remove(delete_files=True)
        assert client.unexpected == 0
    assert told == ["stopped"]
    assert not (tmp_path / "folder").exists()


async def test_a_reader_of_what_is_removed_leaves_no_descriptor(scene: Scene):
    async with scene.whole.files[1].open() as reader:
        assert await reader.receive_some(100) == FILES["b"][:100]
        assert _open_below(scene.folder / "whole")
        await scene.whole.remove()
        assert not _open_below(scene.folder / "whole")
        with pytest.raises(StoppedError):
            await reader.receive_some()


def _open_below(folder: Path) -> list[str]:
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held.append(os.readlink(descriptor))
        except FileNotFoundError:
            continue  # the one that lists them
    return [path for path in held if path.startswith(str(folder))]
