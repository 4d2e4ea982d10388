"""What asks by HTTP is loaded when it is first needed, and nobody is kept from anything by that."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from importlib import import_module
from random import Random

import pytest
import trio

from trio_torrent.client import web
from trio_torrent.client.settings import Settings
from trio_torrent.client.web import Web
from trio_torrent.errors import TrackerError
from trio_torrent.net.reach import Local

NOBODY = "http://127.0.0.1:1/announce"
PATIENCE = 5.0  # seconds, real ones, for a machine that has other things to do


@pytest.fixture
def asked() -> Web:
    return Web(Settings(), Random(1))


async def ask(asked: Web) -> str:
    """What comes of a request that nobody answers."""
    with pytest.raises(TrackerError) as caught:
        await asked.get(NOBODY, limit=1000, seconds=PATIENCE, local=Local.ANNOUNCE)
    return str(caught.value)


async def test_it_is_loaded_once(asked: Web, monkeypatch: pytest.MonkeyPatch):
    loaded: list[str] = []

    def load(name: str) -> object:
        loaded.append(name)
        return import_module(name)

    monkeypatch.setattr(web, "import_module", load)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask, asked)
    assert await ask(asked) == "127.0.0.1: Connection refused"
    assert loaded == ["trio_torrent.net.http"]


async def test_others_go_on_meanwhile(asked: Web, monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []
    monkeypatch.setattr(web, "import_module", lambda name: trio.from_thread.run_sync(seen.append, name))
    await ask(asked)
    assert seen == ["trio_torrent.net.http"]


@pytest.mark.parametrize(
    "error",
    [
        lambda: OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/lib/httpx.py"),
        lambda: ImportError("libx.so: cannot open shared object file: Too many open files"),
    ],
)
async def test_without_descriptors_it_is_a_failure_like_others(
    error: Callable[[], Exception], asked: Web, monkeypatch: pytest.MonkeyPatch
):
    def fail(name: str) -> None:
        raise error()

    with monkeypatch.context() as short:
        short.setattr(web, "import_module", fail)
        for _ in range(2):
            said = await ask(asked)
            assert said.startswith("nothing can be asked by HTTP now: ")
            assert "Too many open files" in said
    assert "HTTP" not in await ask(asked)  # there are some again


def test_those_who_ask_trackers_share_one(asked: Web):
    assert asked.trackers() is asked.trackers()
