"""A torrent that nobody asks for does nothing at all, and misses nothing when somebody comes."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.fakepeer import FakePeer, handler
from tests.payload import write
from tests.simnet import Host, Network, join
from trio_torrent.client.settings import Settings
from trio_torrent.wire import messages as wire

from .test_torrent import METAINFO, PAYLOAD, US, address, honest, silent, swarm

HOUR = 3600.0


class Steps(trio.abc.Instrument):
    """Counts how often a task goes on."""

    count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


async def steps_in(seconds: float) -> int:
    """How many all tasks take together, while so much time passes."""
    await trio.testing.wait_all_tasks_blocked()
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    await trio.sleep(seconds)
    trio.lowlevel.remove_instrument(steps)
    return steps.count


async def test_a_seed_that_is_alone_sleeps(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path, {"payload.bin": PAYLOAD})
    async with swarm(tmp_path) as (node, _, _):
        await node.torrent.wait_complete()
        await trio.sleep(2)
        assert await steps_in(HOUR) < 200  # a look a minute at whether there is anything to save


async def test_a_seed_among_peers_sees_time_pass(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path, {"payload.bin": PAYLOAD})
    async with swarm(tmp_path, silent) as (node, _, _):
        await node.torrent.wait_complete()
        await trio.sleep(2)
        assert await steps_in(100) > 100


async def test_who_comes_after_an_hour_is_spoken_to_in_time(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """We keep the connection alive, and drop the peer if it does not."""
    started, heard = trio.current_time(), []

    async def listens(peer: FakePeer) -> None:
        async for message in peer:
            heard.append((type(message), trio.current_time() - started))

    write(tmp_path, {"payload.bin": PAYLOAD})
    async with swarm(tmp_path) as (node, _, network):
        await node.torrent.wait_complete()
        await trio.sleep(HOUR)
        network.listen(Host(address(0)), handler(METAINFO, PAYLOAD, listens))
        node.torrent.add_peers([address(0)])
        await trio.sleep(110)
        assert any(kind is wire.KeepAlive and 99 < at - HOUR < 105 for kind, at in heard)
        assert node.torrent.status.peers == 1
        await trio.sleep(15)
        assert node.torrent.status.peers == 0


async def test_a_download_that_found_nobody_goes_on_with_who_comes(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    async with swarm(tmp_path) as (node, _, network):
        await trio.sleep(HOUR)
        network.listen(Host(address(0)), handler(METAINFO, PAYLOAD, honest))
        node.torrent.add_peers([address(0)])
        with trio.fail_after(3):
            await node.torrent.wait_complete()


async def test_who_could_not_be_reached_is_tried_again(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """As long as there is somebody to try, it is not at rest."""
    async with swarm(tmp_path) as (node, _, network):
        node.torrent.add_peers([address(0)])
        await trio.sleep(1)
        assert [to for _, to in network.dialled] == [address(0)]
        network.listen(Host(address(0)), handler(METAINFO, PAYLOAD, honest))
        with trio.fail_after(70):
            await node.torrent.wait_complete()


async def test_a_limit_wakes_nobody_who_has_nothing_to_ask_for(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    """Where a limit is kept, a download looks ten times a second at what it may ask for."""
    write(tmp_path, {"payload.bin": PAYLOAD})
    settings = Settings(trackers=False, limit_down=100_000)
    async with swarm(tmp_path, silent, settings=settings) as (node, _, _):
        await node.torrent.wait_complete()
        await trio.sleep(2)
        seeding = await steps_in(100)
    assert seeding < 1000


async def test_a_link_that_nobody_knows_sleeps_until_somebody_comes(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    write(tmp_path / "seed", {"payload.bin": PAYLOAD})
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        node = join(network, nursery, Host(US), METAINFO.magnet, tmp_path)
        await trio.sleep(2)
        assert await steps_in(HOUR) < 10
        join(network, nursery, Host(address(0)), METAINFO, tmp_path / "seed")
        node.torrent.add_peers([address(0)])
        with trio.fail_after(3):
            await node.torrent.wait_complete()
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


async def test_a_link_tries_again_whom_it_could_not_reach(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    write(tmp_path / "seed", {"payload.bin": PAYLOAD})
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        node = join(network, nursery, Host(US), METAINFO.magnet, tmp_path, peers=[address(0)])
        await trio.sleep(2)
        join(network, nursery, Host(address(0)), METAINFO, tmp_path / "seed")
        with trio.fail_after(70):
            await node.torrent.wait_complete()
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0
