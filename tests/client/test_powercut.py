"""The power is cut at any moment of a download: no record names a piece that is not there."""

from __future__ import annotations

import shutil
from hashlib import sha1
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from tests.fakepeer import FakePeer
from tests.payload import multi, random_bytes
from tests.powercut import Operation, Remains, Rename, SyncFolder, forge_times, journal
from tests.simnet import InlineWorkers
from trio_torrent.client.content import SYNC_SECONDS, Content, Rules
from trio_torrent.client.selection import Selection
from trio_torrent.client.settings import Settings
from trio_torrent.disk.record import Record
from trio_torrent.disk.records import Records
from trio_torrent.wire import messages as wire

from .test_torrent import swarm

PIECE = 32768
FILES = {
    "a": random_bytes(3 * PIECE + 100),
    "empty": b"",
    "b": random_bytes(50, seed=2),
    "c": random_bytes(9 * PIECE, seed=3),
}
PAYLOAD = b"".join(FILES.values())
METAINFO = multi(FILES)
WHOLE = {f"download/folder/{name}": data for name, data in FILES.items()}


async def slow(peer: FakePeer) -> None:
    """Takes its time, so that there are records in between, and what was written is synced more than once."""
    await peer.say_all_pieces()
    await peer.say(wire.Unchoke())
    async for message in peer:
        if isinstance(message, wire.Request):
            await trio.sleep(7)
            await peer.say(peer.block(message))


def right(folder: Path) -> set[int]:
    whole = b""
    for name, data in FILES.items():
        path = folder / "download/folder" / name
        whole += (path.read_bytes() if path.exists() else b"").ljust(len(data), b"?")[: len(data)]
    hashes = [sha1(whole[at : at + PIECE]).digest() for at in range(0, len(whole), PIECE)]
    return {piece for piece, digest in enumerate(hashes) if digest == METAINFO.piece_hash(piece)}


def cut(folder: Path, operations: list[Operation], random: Random) -> None:
    """What is left when the power is cut after these."""
    shutil.rmtree(folder)
    folder.mkdir()
    Remains(operations, random).lay_out(folder)


def forge(record: Record, folder: Path) -> None:
    """Let the files look as the record says, where they can: times may be written before data."""
    for name, seen in record.files.items():
        path = folder / name
        if path.exists() and path.stat().st_size == seen.size:
            forge_times(path, seen.changed)


@pytest.mark.slow
@pytest.mark.parametrize("select", [None, "c"])
async def test_a_thousand_cuts(tmp_path: Path, select: str | None, autojump_clock: trio.testing.MockClock):
    live = tmp_path / "live"
    live.mkdir()
    settings = Settings(trackers=False, state_folder=live / "state")
    run: dict[str, Any] = {"metainfo": METAINFO, "payload": PAYLOAD, "settings": settings, "select": select}
    with journal(live) as log:
        async with swarm(live / "download", slow, **run) as (node, _, _):
            with trio.fail_after(300):
                await node.torrent.wait_complete()
            await trio.sleep(SYNC_SECONDS + 10)
    saves = [at for at, operation in enumerate(log.operations) if operation == SyncFolder()]
    assert len(saves) > 4
    assert any(isinstance(operation, Rename) for operation in log.operations)
    random, believed, kept, had = Random(1), 0, 0, 0
    for _ in range(500):
        at = random.randint(0, len(log.operations))
        cut(live, log.operations[:at], random)
        records = Records(live / "state", InlineWorkers(), InlineWorkers(), "tomorrow")
        record = records.load(METAINFO.info_hashes.wire, METAINFO.geometry.pieces)
        assert (record is not None) >= any(save < at for save in saves), "never unreadable"
        if record is not None:
            forge(record, live / "download")
        content = Content(METAINFO, live / "download", InlineWorkers(), records, Rules())
        selection = Selection(METAINFO)
        if select is not None:
            selection.select(select)
        await content.find(selection, lambda checked: None)
        content.files.close()
        there = right(live)
        parted = {3} if select is not None else set()  # half of this piece is in the part file
        assert set(content.have) - parted <= there
        if record is not None:
            assert set(record.safe) - parted <= there
            kept += record.safe.count
        believed += record is not None
        had += content.have.count
    assert believed > 250
    assert kept > 500
    assert had > kept, "and what is there is not forgotten"
