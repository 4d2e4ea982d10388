"""`info` and `get --list` of links: what peers tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.payload import multi, random_bytes, write
from trio_torrent import Address, Metainfo
from trio_torrent.cli.info import info
from trio_torrent.cli.learn import Asking, learn
from trio_torrent.cli.wishes import Network

from .running import events, exit_of, seeding

FILES = {"a": random_bytes(50_000), "b/c": b"c"}
TORRENT = multi(FILES)
LINK = TORRENT.magnet
NETWORK = Network(port=0, interface="127.0.0.1", lsd=False, dht=False)


@pytest.fixture
def full(tmp_path) -> Path:
    """A folder that has all of it."""
    return write(tmp_path / "full", {f"folder/{path}": data for path, data in FILES.items()})


def asking(*peers: Address, seconds: float = 10) -> Asking:
    return Asking(network=attrs.evolve(NETWORK, peers=peers), seconds=seconds)


async def test_peers_tell_what_there_is_and_nothing_is_written(full, tmp_path, capsys, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with seeding(TORRENT, full) as peer:
        with trio.fail_after(10):
            code = await info([str(LINK)], trio.CancelScope(), as_json=True, all_files=True, asking=asking(peer))
    assert code == 0
    (seen,) = map(dict[str, Any], events(capsys.readouterr().out))
    assert [file["path"] for file in seen["files"]] == ["folder/a", "folder/b/c"]
    assert (seen["size"], seen["source"]) == (50_001, str(LINK))
    assert list((tmp_path / "here").iterdir()) == []


async def test_peers_that_a_link_names_are_asked(full):
    async with seeding(TORRENT, full) as peer:
        found, reason = await learn(attrs.evolve(LINK, peers=(peer,)), asking())
    assert isinstance(found, Metainfo)
    assert reason is None


async def test_who_gives_nothing_away_is_not_asked():
    for patience in (asking(seconds=0), asking()):  # nobody may be asked; there is nobody to ask
        assert await learn(LINK, patience) == (LINK, None)


async def test_where_there_is_no_hope_nobody_waits():
    link = attrs.evolve(LINK, trackers=("http://127.0.0.1:1/announce",))
    with trio.fail_after(5):
        found, reason = await learn(link, asking(seconds=60))
    assert found == link
    assert reason is not None
    assert reason.startswith("it cannot be found out what there is: no peers known (")


async def test_patience_has_an_end(full, nursery: trio.Nursery):
    async def say_nothing(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, say_nothing, [listener])
    silent = Address("127.0.0.1", listener.socket.getsockname()[1])
    assert await learn(LINK, asking(silent, seconds=0.1)) == (LINK, "no peer has told what there is, within 100 ms")


async def test_what_cannot_be_found_out_is_said(capsys):
    link = attrs.evolve(LINK, trackers=("http://127.0.0.1:1/announce",))
    assert await info([str(link)], trio.CancelScope(), as_json=True, all_files=False, asking=asking()) == 0
    (seen,) = map(dict[str, Any], events(capsys.readouterr().out))
    assert (seen["name"], seen["files"]) == ("folder", None)
    (warning,) = seen["warnings"]
    assert "it cannot be found out what there is" in warning
    await info([str(link)], trio.CancelScope(), as_json=False, all_files=False, asking=asking())
    assert "trio-torrent: folder: it cannot be found out what there is" in capsys.readouterr().err


def test_one_source_for_one_file(tmp_path, capsys):
    code = exit_of("get", str(LINK), "ab" * 20, "--save-torrent", tmp_path / "x.torrent")
    assert code == 2
    assert "--save-torrent is for one SOURCE" in capsys.readouterr().err
