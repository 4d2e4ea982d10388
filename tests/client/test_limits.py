"""Whole torrents under limits: what is sent, what is shown, and changes on the way. In virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.payload import random_bytes, single, write
from tests.simnet import Host, Network, Node, join
from trio_torrent.address import Address
from trio_torrent.client.settings import Settings

PAYLOAD = random_bytes(2_000_000)
METAINFO = single(PAYLOAD)
SEEDER = Address("10.0.0.1", 6881)
LEECHER = Address("10.0.0.2", 6881)


@asynccontextmanager
async def pair(folder: Path, **limits: int) -> AsyncIterator[tuple[Node, Node]]:
    """A seeder with these limits, and a leecher that is connected to it."""
    write(folder / "full", {"payload.bin": PAYLOAD})
    async with trio.open_nursery() as nursery:
        network = Network(nursery)
        settings = Settings(trackers=False, **limits)  # type: ignore[arg-type]  # which are all numbers
        seeder = join(network, nursery, Host(SEEDER, up=1e9), METAINFO, folder / "full", settings=settings)
        await seeder.torrent.wait_complete()
        leecher = join(network, nursery, Host(LEECHER), METAINFO, folder / "part", peers=[SEEDER])
        yield seeder, leecher
        nursery.cancel_scope.cancel()
    assert seeder.boundary.unexpected == leecher.boundary.unexpected == 0


async def test_a_seeder_keeps_to_its_limit_and_shows_it(tmp_path: Path, autojump_clock):
    async with pair(tmp_path, limit_up=100_000) as (seeder, leecher):
        await trio.sleep(10)
        assert leecher.torrent.status.downloaded == pytest.approx(1_000_000, abs=50_000)
        for _ in range(10):
            assert seeder.torrent.status.up_rate == pytest.approx(100_000, rel=0.07)
            await trio.sleep(0.33)
        with trio.fail_after(7.5):
            await leecher.torrent.wait_complete()


async def test_a_torrent_has_a_limit_of_its_own_and_it_can_be_lifted(tmp_path: Path, autojump_clock):
    async with pair(tmp_path) as (seeder, leecher):
        seeder.torrent.set_limits(up=50_000)
        await trio.sleep(10)
        assert leecher.torrent.status.downloaded == pytest.approx(500_000, rel=0.1)
        seeder.torrent.set_limits(up=200_000)
        await trio.sleep(2)
        assert leecher.torrent.status.downloaded == pytest.approx(900_000, rel=0.1)
        seeder.torrent.set_limits(up=None)
        with trio.fail_after(1):
            await leecher.torrent.wait_complete()


async def test_limits_that_make_no_sense_are_refused(tmp_path: Path, autojump_clock):
    async with pair(tmp_path) as (seeder, _):
        with pytest.raises(ValueError, match="at least 1 byte a second"):
            seeder.torrent.set_limits(down=5, up=0)
        with pytest.raises(ValueError, match="at least 1 byte a second"):
            seeder.torrent.set_limits(down=-5)
