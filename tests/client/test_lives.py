"""Clients come and go in one program, at any moment and in the midst of anything, and nothing of them is left.

Real sockets, real threads, and trackers that take every question and answer none: what waits for the outside world
must not keep anybody who leaves.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import attrs
import pytest
import trio

from tests.elsewhere import LOCALHOST, PAYLOAD, Elsewhere, elsewhere, with_trackers
from tests.udptracker import good, udp_tracker
from trio_torrent import Client, Metainfo, Settings, State, open_client

UNKNOWN = "magnet:?xt=urn:btih:" + "ab" * 20
SETTINGS = Settings(
    port=0,
    interface=LOCALHOST,
    dht_routers=(f"{LOCALHOST}:1",),  # nobody is there, so the DHT waits as well
    limit_down=1_000_000,  # so that a download outlives a moment
)
STOP_SECONDS = SETTINGS.stop_seconds
GRACE = 1.0  # seconds, for a machine that has other things to do


@attrs.frozen
class Held:
    """What a program has of the system."""

    descriptors: int
    threads: frozenset[str]
    tasks: int


def held() -> Held:
    """trio keeps a thread for a while after its work, under another name."""

    def tasks(task: trio.lowlevel.Task) -> int:
        return 1 + sum(tasks(child) for nursery in task.child_nurseries for child in nursery.child_tasks)

    root = trio.lowlevel.current_root_task()
    assert root is not None
    working = frozenset(thread.name for thread in threading.enumerate() if not thread.name.startswith("Trio thread"))
    return Held(len(os.listdir("/proc/self/fd")), working, tasks(root))


async def busy(client: Client, there: Elsewhere, fresh: Path, random: Random) -> None:
    """Have it do some of what it can: download, seed, check, learn what is behind a link, wait for nobody."""
    link = str(Metainfo.from_bytes(there.data).magnet)
    for doing in random.sample(["downloads", "seeds", "checks", "learns", "waits", "is alone"], 3):
        match doing:
            case "downloads":
                await client.add(there.data, save_path=fresh, peers=[there.seeder])
            case "seeds":
                await (await client.add(there.data, save_path=there.folder)).wait_checked()
            case "checks":
                await client.add(there.data, save_path=there.folder)
            case "learns":
                await client.add(link, save_path=fresh, peers=[there.seeder])
            case "waits":
                await client.add(UNKNOWN, save_path=fresh)
            case _:
                await client.add(with_trackers(PAYLOAD[:9], *there.silent, name="other"), save_path=fresh)


async def live(there: Elsewhere, life: int, fresh: Path, random: Random, settings: Settings) -> float:
    """A client's life, which half of them end by being cancelled. How long it took to leave, in seconds."""
    left_at = trio.current_time() + random.uniform(0, 0.1)
    with trio.CancelScope() as scope:
        if life % 2:
            scope.deadline = left_at
        async with open_client(settings) as client:
            await busy(client, there, fresh, random)
            await trio.sleep_until(left_at)
        assert client.unexpected == 0
    assert life % 2 or not scope.cancelled_caught
    return trio.current_time() - left_at


@contextmanager
def memory_stays(least: int) -> Iterator[None]:
    """No more is traced after the block than before it, but for so many bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < least


def ours() -> Counter[str]:
    """What is alive of clients and torrents, by kind."""
    gc.collect()
    kinds = [type(thing) for thing in gc.get_objects()]
    return Counter(kind.__name__ for kind in kinds if kind.__module__.startswith("trio_torrent."))


@pytest.mark.slow
async def test_a_hundred_lives_in_one_program(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    random = Random(7)
    settings = attrs.evolve(SETTINGS, stop_seconds=0.5, state_folder=tmp_path / "state")

    async def lives(*numbers: int) -> None:
        for life in numbers:
            took = await live(there, life, tmp_path / str(life), random, settings)
            assert took < settings.stop_seconds + GRACE
            assert held() == before, life

    with elsewhere(tmp_path / "seed") as there:
        before = held()
        # What is made once and kept is made, by each way to end: of a busy machine it takes some lives.
        await lives(*range(40))
        alive = ours()
        with memory_stays(300_000):
            await lives(*range(40, 110))
        assert ours() - alive == {}
    assert caplog.messages == []


@pytest.mark.slow
async def test_twenty_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """They know nothing of each other: half of them are cancelled, and the others go on."""
    random, settings = Random(8), attrs.evolve(SETTINGS, stop_seconds=0.5)
    with elsewhere(tmp_path / "seed") as there:
        before = held()
        async with trio.open_nursery() as nursery:
            for life in range(20):
                nursery.start_soon(live, there, life, tmp_path / str(life), random, settings)
        assert held() == before
    assert caplog.messages == []


@pytest.mark.slow
async def test_leaving_takes_five_seconds_at_the_most(tmp_path: Path):
    """Trackers that knew us, and then fall silent, are waited for; by several clients at the same time."""
    before, speaks, took = held(), True, []

    async def client(number: int, url: str, task_status: trio.TaskStatus[trio.Event]) -> None:
        leave = trio.Event()
        async with open_client(SETTINGS) as client:
            data = with_trackers(PAYLOAD[:100_000], url, name=f"{number}.bin")
            torrent = await client.add(data, save_path=tmp_path)
            while torrent.status.trackers[0].state != "working":  # noqa: ASYNC110 - nobody tells what it has heard
                await trio.sleep(0.01)
            task_status.started(leave)
            await leave.wait()
            left_at = trio.current_time()
        took.append(trio.current_time() - left_at)

    async with udp_tracker(lambda heard: good(heard) if speaks else []) as tracker, trio.open_nursery() as nursery:
        leaves = [await nursery.start(client, number, tracker.url()) for number in range(3)]
        speaks = False
        for leave in leaves:
            leave.set()
    assert [STOP_SECONDS <= seconds < STOP_SECONDS + GRACE for seconds in took] == [True] * 3
    assert held() == before


async def test_a_nursery_around_it_that_is_cancelled(tmp_path: Path):
    before = held()
    async with udp_tracker(lambda heard: []) as tracker, trio.open_nursery() as nursery:
        data = with_trackers(PAYLOAD[:100_000], tracker.url())

        async def hold(task_status: trio.TaskStatus[Client]) -> None:
            async with open_client(SETTINGS) as client:
                await client.add(data, save_path=tmp_path)
                task_status.started(client)
                await trio.sleep_forever()

        clients = [await nursery.start(hold) for _ in range(3)]
        nursery.cancel_scope.cancel()
    assert [torrent.state for client in clients for torrent in client.torrents] == [State.STOPPED] * 3
    assert held() == before


async def test_an_exception_beside_it_is_the_one_that_comes_out(tmp_path: Path):
    """Of a task in the same nursery, of the block itself, and of a task that the block has started."""
    before = held()

    async def fail() -> None:
        await trio.sleep(0.01)
        raise LookupError("theirs")

    async def beside(nursery: trio.Nursery) -> None:
        nursery.start_soon(fail)
        async with open_client(SETTINGS) as client:
            await client.add(UNKNOWN, save_path=tmp_path)
            await trio.sleep_forever()

    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="theirs"), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await beside(nursery)
    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="theirs"), flatten_subgroups=True):
        async with open_client(SETTINGS) as client, trio.open_nursery() as nursery:
            await client.add(UNKNOWN, save_path=tmp_path)
            nursery.start_soon(fail)
            await trio.sleep_forever()
    assert held() == before


def test_ctrl_c_ends_a_program_that_does_nothing_about_it(tmp_path: Path):
    """trio raises KeyboardInterrupt wherever it is; it comes out of `trio.run`, and what was running has stopped."""
    held_inside: list[Held] = []

    async def main() -> None:
        before = held()
        try:
            async with open_client(attrs.evolve(SETTINGS, stop_seconds=0.5)) as client:
                torrent = await client.add(UNKNOWN, save_path=tmp_path)
                await trio.sleep(0.05)
                signal.raise_signal(signal.SIGINT)
                await trio.sleep_forever()
        finally:
            assert torrent.state is State.STOPPED
            held_inside.extend([before, held()])

    try:
        trio.run(main)
    except* KeyboardInterrupt:
        pass
    else:
        pytest.fail("it was lost")
    before, after = held_inside
    assert after == before
