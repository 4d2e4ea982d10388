"""`demo`: a tracker, two seeders and a downloader, on this machine alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import trio

from trio_torrent import Client, Metainfo, Settings, open_client, serve_tracker

from .claims import Claims
from .exits import CommandError, Exit
from .follow import watch
from .follower import Follower, Orders
from .voice import Voice
from .wishes import STOP_SECONDS, Network, SeedLimits
from .words import plural, size

LOOPBACK = "127.0.0.1"
SEEDERS = 2
NAME = "payload.bin"
ROOM = 64 << 20  # bytes of disk that are left to others
CHUNK = 1 << 20  # bytes that are made at once

# A piece this long costs little beside its bytes; a small payload still gets some pieces.
LONGEST_PIECE = 1 << 18
SHORTEST_PIECE = 1 << 14
FEW_PIECES = 64

ANNOUNCE_SECONDS = 5.0  # for two announces on loopback; without them the demo goes on, and shows what is wrong
LOOK_SECONDS = 0.02  # between looks whether they have come


@attrs.frozen
class Payload:
    """Random data in a file."""

    path: Path
    size: int  # bytes
    digest: bytes = attrs.field(repr=False)  # SHA-256 of all of it


async def demo(total: int, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """Share `total` bytes. Raises CommandError where there is no room for them."""
    code = Exit.INTERRUPTED
    with interrupt, tempfile.TemporaryDirectory(prefix="trio-torrent-demo-") as folder:
        check_room(total, shutil.disk_usage(folder).free, folder)
        payload = await trio.to_thread.run_sync(make_payload, Path(folder), total, trio.from_thread.check_cancelled)
        voice.say(f"made {size(total)} of random data in {folder}")
        downloaded = Path(folder, "download")
        code = await _share(payload, downloaded, voice)
        if code is Exit.DONE:
            code = await _compare(payload, downloaded / NAME, voice)
    return code


def check_room(total: int, free: int, folder: str) -> None:
    """Raise CommandError unless the data fits twice: shared, and downloaded."""
    if free < 2 * total + ROOM:
        raise CommandError(
            Exit.DISK, f"{folder} has {size(free)} left, too little for twice {size(total)}: set TMPDIR or --size"
        )


def piece_length(total: int) -> int:
    """Bytes: a power of two that gives a few pieces at least."""
    length = LONGEST_PIECE
    while length > SHORTEST_PIECE and total < FEW_PIECES * length:
        length //= 2
    return length


def make_payload(folder: Path, total: int, may_go_on: Callable[[], object]) -> Payload:
    """Write random bytes, and hash them on the way. `may_go_on` raises to stop it."""
    path = folder / NAME
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, total, CHUNK):
            data = os.urandom(min(CHUNK, total - start))
            may_go_on()
            file.write(data)
            digest.update(data)
    return Payload(path, total, digest.digest())


async def _share(payload: Payload, folder: Path, voice: Voice) -> Exit:
    """Start everything, download, and stop everything."""
    async with trio.open_nursery() as nursery:
        tracker = await nursery.start(serve_tracker)
        voice.say(f"started a tracker: {tracker.url}")
        metainfo = await Metainfo.create(
            payload.path, trackers=[[tracker.url]], piece_length=piece_length(payload.size)
        )
        source = payload.path.with_suffix(".torrent")
        source.write_bytes(metainfo.to_bytes())
        async with AsyncExitStack() as stack:
            for _ in range(SEEDERS):
                client = await _open(stack)
                await (await client.add(metainfo, save_path=payload.path.parent)).wait_checked()
                voice.say(f"started a seeder: {LOOPBACK}:{client.port}")
            await _until(lambda: len(tracker.registry.peers(metainfo.info_hashes.wire)) == SEEDERS)
            client = await _open(stack)
            follower = Follower(
                str(source), Orders(folder=folder, network=Network(), limits=SeedLimits()), voice, Claims()
            )
            await watch([follower], client, voice)
        nursery.cancel_scope.cancel()
    if follower.exit is Exit.DONE:
        _tell_figures(metainfo, voice)
    return follower.exit


async def _open(stack: AsyncExitStack) -> Client:
    settings = Settings(port=0, interface=LOOPBACK, stop_seconds=STOP_SECONDS)
    return await stack.enter_async_context(open_client(settings))


async def _until(announced: Callable[[], bool]) -> None:
    """Until the seeders are known, as a downloader that comes first would not hear of them for minutes."""
    with trio.move_on_after(ANNOUNCE_SECONDS):
        while not announced():  # noqa: ASYNC110 - the tracker serves clients, and tells nobody else
            await trio.sleep(LOOK_SECONDS)


def _tell_figures(metainfo: Metainfo, voice: Voice) -> None:
    geometry = metainfo.geometry
    voice.emit(
        "figures", size=geometry.size, pieces=geometry.pieces, piece_length=geometry.piece_length, seeders=SEEDERS
    )
    voice.say(f"that was {plural(geometry.pieces, 'piece')} of {size(geometry.piece_length)} from {SEEDERS} seeders")


async def _compare(payload: Payload, path: Path, voice: Voice) -> Exit:
    """Every byte, by the digest of the file that came."""

    def digest() -> bytes:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    identical = await trio.to_thread.run_sync(digest, abandon_on_cancel=True) == payload.digest
    voice.emit("compared", identical=identical, sha256=payload.digest.hex())
    if identical:
        voice.say(f"every byte is the same (SHA-256 {payload.digest.hex()[:16]}…)")
        return Exit.DONE
    voice.fail(CommandError(Exit.UNVERIFIED, "the downloaded file differs from the one that was shared"))
    return Exit.UNVERIFIED
