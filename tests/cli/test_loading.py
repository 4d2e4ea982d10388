"""What a download waits for before it begins: nothing is loaded that it does not use."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import trio

from tests.payload import random_bytes, write
from trio_torrent import Metainfo

from .running import EASY, environment

PAYLOAD = random_bytes(100_000)
ALONE = ("--no-dht", "--no-lsd", "--quiet")

HTTP = {"httpx", "httpcore", "h11", "email", "http.client", "trio_torrent.net.http", "trio_torrent.net.guard"}
WEB_SEEDS = {"trio_torrent.client.webseed", "trio_torrent.net.webseed", "trio_torrent.wire.webseed"}
TRACKERS = {"trio_torrent.net.tracker", "trio_torrent.net.asking", "trio_torrent.tracker.tiers"}
DHT = {"trio_torrent.net.dht", "trio_torrent.dht.node", "trio_torrent.dht.krpc", "trio_torrent.client.discovery"}
NEIGHBOURS = {"trio_torrent.net.lsd", "trio_torrent.wire.lsd"}
LINKS = {"trio_torrent.swarm.gathering", "trio_torrent.client.metadata"}
MAKING = {"trio_torrent.metainfo.build", "trio_torrent.disk.create"}
OTHERS = {
    "trio_torrent.net.tracker_server",
    "trio_torrent.cli.info",
    "trio_torrent.client.probe",
    "asyncio",
    "multiprocessing",
}
DRAWING = {"rich", "pygments", "trio_torrent.cli.live"}
ALL = HTTP | WEB_SEEDS | TRACKERS | DHT | NEIGHBOURS | LINKS | MAKING | OTHERS | DRAWING

RUN = """
import json, sys
from trio_torrent.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    print(json.dumps([ended.code, *sys.modules]))
"""


async def loaded(
    folder: Path, *options: str, trackers: tuple[str, ...] = (), web_seeds: tuple[str, ...] = ()
) -> set[str]:
    """Of `ALL`, what is there after the download of a torrent whose file is there already."""
    write(folder, {"payload.bin": PAYLOAD})
    metainfo = await Metainfo.create(folder / "payload.bin", trackers=[trackers], web_seeds=web_seeds)
    (folder / "x.torrent").write_bytes(metainfo.to_bytes())
    done = await trio.run_process(
        [sys.executable, "-c", RUN, "get", "x.torrent", *EASY, *options],
        capture_stdout=True,
        cwd=folder,
        env=environment(XDG_STATE_HOME=str(folder / "state")),
    )
    code, *modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return ALL & {*modules}


@pytest.mark.slow
async def test_a_quiet_download_from_peers_alone(tmp_path: Path):
    assert await loaded(tmp_path, *ALONE) == set()


@pytest.mark.slow
async def test_what_is_not_on_a_terminal_is_not_drawn(tmp_path: Path):
    assert await loaded(tmp_path, "--no-dht", "--no-lsd", "--verbose", "--json") == set()


@pytest.mark.slow
async def test_trackers_that_are_not_asked(tmp_path: Path):
    assert await loaded(tmp_path, *ALONE, "--no-trackers", trackers=("http://127.0.0.1:1/announce",)) == set()


@pytest.mark.slow
async def test_udp_trackers_are_asked_without_http(tmp_path: Path):
    assert await loaded(tmp_path, *ALONE, trackers=("udp://127.0.0.1:1/announce",)) == TRACKERS


@pytest.mark.slow
async def test_web_seeds_need_http_and_no_trackers(tmp_path: Path):
    found = await loaded(tmp_path, *ALONE, web_seeds=("http://127.0.0.1:1/",))
    assert found >= WEB_SEEDS
    assert found <= WEB_SEEDS | HTTP


@pytest.mark.slow
async def test_the_dht(tmp_path: Path):
    assert await loaded(tmp_path, "--no-lsd", "--quiet", "--dht-router", "127.0.0.1:1") == DHT


@pytest.mark.slow
async def test_the_local_network(tmp_path: Path):
    assert await loaded(tmp_path, "--no-dht", "--quiet") == NEIGHBOURS


@pytest.mark.parametrize("name", sorted(ALL))
def test_there_are_such_modules(name: str):
    """Under another name, it would be loaded and nobody would see it."""
    assert find_spec(name) is not None
