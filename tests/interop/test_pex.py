"""Peers tell peers of peers (BEP 11): where nobody knows more than one, all find each other."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from trio_torrent import Address, Client, Torrent

from .libtorrent_node import open_libtorrent
from .ours import open_ours
from .programs import LOOPBACK, Job, until
from .share import Share

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("libtorrent")]

SECONDS = 90.0  # a message a minute, and some time to dial


def two_jobs(share: Share, folder: Path) -> list[Job]:
    """For two leechers at addresses of their own."""
    names = {"a": "127.0.0.2", "b": "127.0.0.3"}
    return [Job(share.torrent, folder / name, folder / name, host=host) for name, host in names.items()]


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
