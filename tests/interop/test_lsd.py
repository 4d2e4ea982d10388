"""Neighbours who know nothing but the torrent find each other (BEP 14)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.payload import random_bytes, single, write
from trio_torrent.bencode import decode, encode

from .wire import Machine, open_wire

pytestmark = [pytest.mark.interop, pytest.mark.slow]

# Each tells whether it has everything, after so many seconds at the most, and ends when its stdin does.

OURS = """
import sys, trio
from trio_torrent import Settings, open_client
torrent, folder, interface, seconds = sys.argv[1:]
async def main():
    settings = Settings(port=0, interface=interface or None, trackers=False, pex=False, stop_seconds=0)
    async with open_client(settings) as client:
        handle = await client.add(torrent, save_path=folder)
        with trio.move_on_after(float(seconds)):
            await handle.wait_complete()
        print(handle.status.done == handle.status.total > 0, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        assert client.unexpected == 0
trio.run(main)
"""

LIBTORRENT = """
import sys, time, libtorrent
torrent, folder, interface, seconds = sys.argv[1:]
session = libtorrent.session({
    "listen_interfaces": f"[{interface}]:6881" if ":" in interface else f"{interface}:6881",
    "enable_lsd": True, "enable_dht": False, "enable_upnp": False, "enable_natpmp": False,
})
parameters = libtorrent.load_torrent_file(torrent)
parameters.save_path = folder
handle = session.add_torrent(parameters)
end = time.monotonic() + float(seconds)
while time.monotonic() < end and not handle.status().is_seeding:
    time.sleep(0.05)
print(handle.status().is_seeding, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def wire() -> Iterator[tuple[Machine, Machine]]:
    with open_wire() as machines:
        yield machines


def share(folder: Path, *, private: bool) -> tuple[Path, Path]:
    """A torrent, and the folder that has its content."""
    data = random_bytes(100_000)
    info = decode(single(data).info_bytes, max_depth=5)
    assert isinstance(info, dict)
    torrent = folder / "x.torrent"
    torrent.write_bytes(encode({b"info": {**info, b"private": int(private)}}))
    return torrent, write(folder / "seed", {"payload.bin": data})


@attrs.frozen
class Meeting:
    """Two machines, of which one has the content."""

    wire: tuple[Machine, Machine]
    folder: Path
    private: bool = False

    def comes_across(self, seeder: str, leecher: str, *, family: str = "ipv4", seconds: int = 30) -> bool:
        """Whether the leecher gets it within so many seconds."""
        torrent, seed = share(self.folder, private=self.private)
        leech = self.folder / "leech"
        leech.mkdir()
        one, other = self.wire
        with (
            one.running(seeder, torrent, seed, getattr(one, family), "30") as there,
            other.running(leecher, torrent, leech, getattr(other, family), str(seconds)) as here,
        ):
            assert there.readline() == "True\n"
            return here.readline() == "True\n"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_two_of_ours(family: str, tmp_path: Path, wire: tuple[Machine, Machine]):
    assert Meeting(wire, tmp_path).comes_across(OURS, OURS, family=family)


def test_of_a_private_torrent_nothing_is_said(tmp_path: Path, wire: tuple[Machine, Machine]):
    assert not Meeting(wire, tmp_path, private=True).comes_across(OURS, OURS, seconds=4)


@pytest.mark.needs("libtorrent")
@pytest.mark.parametrize(("seeder", "leecher"), [(OURS, LIBTORRENT), (LIBTORRENT, OURS)], ids=["ours", "theirs"])
def test_libtorrent_and_us(seeder: str, leecher: str, tmp_path: Path, wire: tuple[Machine, Machine]):
    assert Meeting(wire, tmp_path).comes_across(seeder, leecher)
