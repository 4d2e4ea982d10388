"""Peers tell peers of peers (BEP 11): where nobody knows more than one, all find each other."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
import pytest

from trio_torrent import Address, Client, Torrent

from .libtorrent_node import open_libtorrent
from .ours import REPOSITORY, open_ours
from .programs import LOOPBACK, Job, running, until
from .share import Share
from .transmission import open_transmission
from .wire import House, open_house

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("libtorrent")]

SECONDS = 90.0  # a message a minute, and some time to dial


async def open_leecher(stack: AsyncExitStack, share: Share, folder: Path, *peers: Address) -> tuple[Client, Torrent]:
    """One of ours that has nothing, and knows these."""
    client = await stack.enter_async_context(open_ours(trackers=False))
    return client, await client.add(share.metainfo, save_path=folder, peers=peers)


async def test_libtorrent_is_told_by_us(share: Share, tmp_path: Path):
    """Two of them know us, and not each other."""
    jobs = [
        Job(share.torrent, tmp_path / name, tmp_path / name, host=f"127.0.0.{end}")
        for end, name in ((2, "a"), (3, "b"))
    ]
    async with AsyncExitStack() as stack:
        handles = [await stack.enter_async_context(open_libtorrent(job)) for job in jobs]
        await open_leecher(stack, share, tmp_path / "ours", *[Address(job.host, job.port) for job in jobs])

        async def acquainted() -> bool:
            return all(len(handle.get_peer_info()) >= 2 for handle in handles)

        await until(acquainted, "all know each other", seconds=SECONDS)


async def test_we_are_told_by_libtorrent(share: Share, tmp_path: Path):
    """Two of ours know it, and not each other."""
    job = Job(share.torrent, tmp_path / "theirs", tmp_path / "theirs")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_libtorrent(job))
        ours = [
            await open_leecher(stack, share, tmp_path / name, Address(job.host, job.port)) for name in ("one", "two")
        ]

        async def acquainted() -> bool:
            return all(torrent.status.peers >= 2 for _, torrent in ours)

        await until(acquainted, "all know each other", seconds=SECONDS)


async def test_a_chain_of_both(share: Share, tmp_path: Path):
    """Ours, theirs, ours, theirs: each knows the one before. In the end each is connected to the other three."""
    jobs = [
        Job(share.torrent, tmp_path / name, tmp_path / name, host=f"127.0.0.{end}")
        for end, name in ((2, "a"), (3, "b"))
    ]
    first = Address(jobs[0].host, jobs[0].port)
    async with AsyncExitStack() as stack:
        handles = [await stack.enter_async_context(open_libtorrent(job)) for job in jobs]
        _, one = await open_leecher(stack, share, tmp_path / "one", first)
        client, two = await open_leecher(stack, share, tmp_path / "two", first)
        handles[1].connect_peer((LOOPBACK, client.port))

        async def acquainted() -> bool:
            counts = [one.status.peers, two.status.peers, *[len(handle.get_peer_info()) for handle in handles]]
            return min(counts) >= 3

        await until(acquainted, "all know each other", seconds=SECONDS)


# -- with Transmission, which believes in no peer at 127.0.0.0/8 -----------------------------------------------------

PORT = 6881  # of everybody: each has an address

# Each prints how many peers it is connected to, whenever that has changed.

OURS = """
import sys, trio
from trio_torrent import Address, Settings, open_client
torrent, folder, host, port, *known = sys.argv[1:]
async def main():
    settings = Settings(port=int(port), interface=host, dht=False, trackers=False, lsd=False)
    async with open_client(settings) as client:
        handle = await client.add(torrent, save_path=folder, peers=[Address.parse(text) for text in known])
        peers = None
        while not client.unexpected:
            if peers != (peers := handle.status.peers):
                print(peers, flush=True)
            await trio.sleep(0.1)
        print("unexpected", flush=True)
trio.run(main)
"""

LIBTORRENT = """
import sys, time, libtorrent
torrent, folder, host, port, *known = sys.argv[1:]
session = libtorrent.session({
    "listen_interfaces": f"{host}:{port}", "outgoing_interfaces": host,
    "enable_lsd": False, "enable_dht": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "in_enc_policy": 2, "out_enc_policy": 2,  # plain text, or else only after a minute
})
parameters = libtorrent.load_torrent_file(torrent)
parameters.save_path = folder
parameters.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
handle = session.add_torrent(parameters)
while handle.status().state != libtorrent.torrent_status.downloading:  # it has looked for content
    time.sleep(0.05)
for text in known:
    host, port = text.split(":")
    handle.connect_peer((host, int(port)))
peers = None
while True:
    if peers != (peers := len({peer.ip for peer in handle.get_peer_info()})):
        print(peers, flush=True)
    time.sleep(0.1)
"""


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@attrs.frozen
class Neighbours:
    """Leechers of one torrent in one house, numbered by their addresses."""

    house: House
    share: Share
    folder: Path

    @asynccontextmanager
    async def open(self, code: str, number: int, *known: int) -> AsyncIterator[Path]:
        """One that is up, and knows some others: whom it finds closed it tries again only after a minute.

        It prints there how many it is connected to.
        """
        folder = self.folder / str(number)
        folder.mkdir()
        arguments: list[str | Path] = [self.share.torrent, folder, self.house.address(number), str(PORT)]
        others = [f"{self.house.address(other)}:{PORT}" for other in known]
        log = folder / "log"
        async with running(*self.house.door, sys.executable, "-c", code, *arguments, *others, log=log, cwd=REPOSITORY):
            await said(log, "0\n")
            yield log

    @asynccontextmanager
    async def open_transmission(self, number: int) -> AsyncIterator[None]:
        """It knows nobody. Until it has looked for content it turns everybody away."""
        folder = self.folder / str(number)
        job = Job(self.share.torrent, folder, folder, host=self.house.address(number), port=PORT, pex=True)
        async with open_transmission(job, door=self.house.door):
            await said(folder / "log", "Verification is done")
            yield


async def said(log: Path, words: str) -> None:
    """It has got so far."""

    async def there() -> bool:
        return _has(log, words)

    await until(there, words)


def _has(log: Path, words: str) -> bool:
    return words in log.read_text()


async def all_know(logs: Sequence[Path], others: int) -> None:
    """Each is connected to so many. Who is connected to Transmission has it connected, too."""

    async def acquainted() -> bool:
        return all(log.read_text().splitlines()[-1:] == [str(others)] for log in logs)

    await until(acquainted, "all know each other", seconds=SECONDS)


@pytest.mark.needs("transmission")
async def test_transmission_in_a_chain_of_all(house: House, share: Share, tmp_path: Path):
    """Transmission, ours, ours, libtorrent: each knows the one before."""
    neighbours = Neighbours(house, share, tmp_path)
    async with (
        neighbours.open_transmission(1),
        neighbours.open(OURS, 2, 1) as two,
        neighbours.open(OURS, 3, 2) as three,
        neighbours.open(LIBTORRENT, 4, 3) as four,
    ):
        await all_know([two, three, four], 3)


@pytest.mark.needs("transmission")
async def test_we_are_told_by_transmission(house: House, share: Share, tmp_path: Path):
    """Two of ours know it, and not each other."""
    neighbours = Neighbours(house, share, tmp_path)
    async with (
        neighbours.open_transmission(1),
        neighbours.open(OURS, 2, 1) as two,
        neighbours.open(OURS, 3, 1) as three,
    ):
        await all_know([two, three], 2)
