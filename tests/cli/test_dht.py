"""`dht`: what it asks, what it prints, and how it ends. The network is a few nodes of ours on loopback addresses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from tests.net.test_dht import Place, open_village
from trio_torrent import Address, MagnetError
from trio_torrent.cli import dht
from trio_torrent.cli.dht import Inquiry
from trio_torrent.cli.exits import CommandError, Exit, leaves
from trio_torrent.cli.voice import Voice
from trio_torrent.cli.wishes import Network

from .running import events, exit_of

TORRENT = b"h" * 20
HOST = "127.0.0.99"
NOBODY = Address("127.0.0.98", 1)


def inquiry(router: Address, seconds: float = 10) -> Inquiry:
    return Inquiry(Network(interface=HOST, port=0, dht_routers=(router,)), seconds)


def voice(*, as_json: bool = False) -> Voice:
    return Voice(as_json=as_json, quiet=False)


async def complaint(ask: Callable[[], object], code: Exit = Exit.STALLED) -> str:
    """What it says when it fails with this exit code."""
    with pytest.raises((CommandError, ExceptionGroup)) as caught:
        await ask()  # type: ignore[misc]  # all of them are async
    (error,) = leaves(caught.value)
    assert isinstance(error, CommandError)
    assert error.code is code
    return str(error)


@asynccontextmanager
async def village() -> AsyncIterator[Place]:
    """One of its nodes; two others have announced."""
    async with open_village(4) as places:
        assert await places[1].dht.announce(TORRENT, 7001)
        assert await places[2].dht.announce(TORRENT, 7002)
        yield places[0]


async def test_peers_are_printed(capsys):
    async with village() as place:
        code = await dht.lookup(TORRENT.hex(), inquiry(place.address), voice(), trio.CancelScope())
    told = capsys.readouterr()
    assert code is Exit.DONE
    assert sorted(told.out.splitlines()) == ["127.0.0.2:7001", "127.0.0.3:7002"]
    assert "2 peers, " in told.err


async def test_programs_get_json(capsys):
    async with village() as place:
        magnet = f"magnet:?xt=urn:btih:{TORRENT.hex()}"
        code = await dht.lookup(magnet, inquiry(place.address), voice(as_json=True), trio.CancelScope())
    *peers, done = events(capsys.readouterr().out)
    assert code is Exit.DONE
    assert {"event": "peer", "address": "127.0.0.2:7001"} in peers
    assert len(peers) == 2
    assert done.items() >= {"event": "done", "peers": 2}.items()


async def test_nobody_is_found(capsys):
    async with village() as place:
        said = await complaint(lambda: dht.lookup("ab" * 20, inquiry(place.address), voice(), trio.CancelScope()))
    assert said.startswith("nobody was found; ")
    assert "answered" in said
    assert capsys.readouterr().out == ""


async def test_nobody_answers(capsys):
    asked = inquiry(NOBODY, seconds=0.05)
    said = await complaint(lambda: dht.lookup("ab" * 20, asked, voice(), trio.CancelScope()))
    assert said == "nobody was found; 0 nodes answered"
    said = await complaint(lambda: dht.status(asked, voice(), trio.CancelScope()))
    assert said == "no answer within 0.05 s; the DHT here knows 0 nodes"
    said = await complaint(lambda: dht.put("text", asked, voice(), trio.CancelScope()))
    assert said == "no answer within 0.05 s; the DHT here knows 0 nodes"
    said = await complaint(lambda: dht.get("ab" * 20, asked, voice(), trio.CancelScope()))
    assert said == f"nobody has a value for {'ab' * 20}"
    assert "IPv4: 0 nodes" in capsys.readouterr().out


async def test_what_is_no_name_is_refused():
    with pytest.raises(MagnetError):
        await dht.lookup("nonsense", inquiry(NOBODY), voice(), trio.CancelScope())
    for text in ("ab" * 19, "xy" * 20, ""):
        said = await complaint(lambda: dht.get(text, inquiry(NOBODY), voice(), trio.CancelScope()), Exit.USAGE)  # noqa: B023
        assert said.endswith("is not a target: 40 hex digits")


async def test_where_there_is_no_way_in():
    here = Inquiry(Network(interface=HOST, port=0), 1)
    said = await complaint(lambda: dht.status(here, voice(), trio.CancelScope()), Exit.USAGE)
    assert said == "there is no way into the DHT from here; name one with --dht-router"


async def test_interrupted_it_ends_at_once():
    interrupt = trio.CancelScope(deadline=trio.current_time() + 0.05)
    with trio.fail_after(2):
        assert await dht.lookup("ab" * 20, inquiry(NOBODY), voice(), interrupt) is Exit.INTERRUPTED


@pytest.mark.slow
async def test_the_status(capsys, monkeypatch):
    monkeypatch.setattr(dht, "CALM_SECONDS", 0.3)
    async with village() as place:
        assert await dht.status(inquiry(place.address), voice(), trio.CancelScope()) is Exit.DONE
        lines = capsys.readouterr().out.splitlines()
        assert await dht.status(inquiry(place.address), voice(as_json=True), trio.CancelScope()) is Exit.DONE
        (told,) = events(capsys.readouterr().out)
    assert lines[0].startswith("UDP port ")
    assert lines[1].startswith("IPv4: ")
    assert "nobody says how they see us" in lines[1]
    families = told["families"]
    assert isinstance(families, dict)
    assert families["ipv4"]["nodes"] >= 1
    assert len(families["ipv4"]["id"]) == 40


@pytest.mark.parametrize("as_json", [False, True])
async def test_values(capsys, as_json):
    async with village() as place:
        asked = inquiry(place.address)
        assert await dht.put("grüße \x1b[31m", asked, voice(as_json=as_json), trio.CancelScope()) is Exit.DONE
        out = capsys.readouterr().out
        target = json.loads(out)["target"] if as_json else out.strip()
        assert await dht.get(target, asked, voice(as_json=as_json), trio.CancelScope()) is Exit.DONE
    told = capsys.readouterr().out
    if as_json:
        assert json.loads(told) == {"event": "value", "target": target, "value": "grüße \x1b[31m"}
    else:
        assert told == "grüße \N{REPLACEMENT CHARACTER}[31m\n"


async def test_a_value_that_is_too_long():
    async with village() as place:
        said = await complaint(
            lambda: dht.put("x" * 1000, inquiry(place.address), voice(), trio.CancelScope()), Exit.USAGE
        )
    assert "1000 is the most" in said


def test_values_of_all_kinds_can_be_read():
    value = {b"a": [1, b"\xff", {b"b": b"c"}]}
    assert dht.readable(value) == {"a": [1, "\\xff", {"b": "c"}]}


@pytest.mark.parametrize("name", ["lookup", "status", "get", "put"])
def test_each_has_help(name, capsys):
    assert exit_of("dht", name, "--help") == 0
    assert "--timeout" in capsys.readouterr().out


def test_alone_it_shows_its_help(capsys):
    assert exit_of("dht") == 2
    assert "lookup" in capsys.readouterr().err


def test_from_the_shell(capsys):
    """Nobody is there: one line, and the exit code for it."""
    arguments = ["--dht-router", NOBODY, "--interface", HOST, "--port", "0", "--timeout", "0.05"]
    assert exit_of("dht", "lookup", "ab" * 20, *arguments) == 4
    assert capsys.readouterr().err == "trio-torrent: nobody was found; 0 nodes answered\n"
    assert exit_of("dht", "lookup", "nonsense", *arguments) == 3
