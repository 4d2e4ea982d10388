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

from trio_torrent import Client, Metainfo, Settings, Status, Torrent, open_client, serve_tracker

from .exits import CommandError, Exit
from .lines import Row
from .options import STOP_SECONDS
from .voice import Voice
from .words import duration, plural, rate, size

LOOPBACK = "127.0.0.1"
SEEDERS = 2
NAME = "payload.bin"
ROOM = 64 << 20  # bytes of disk that are left to others

# What files of some hundred megabytes usually have; a small file still gets some pieces.
LONGEST_PIECE = 1 << 18
SHORTEST_PIECE = 1 << 14
FEW_PIECES = 64

ANNOUNCE_SECONDS = 5.0  # for two announces on loopback; without them the demo goes on, and shows what is wrong
LOOK_SECONDS = 0.02  # between looks whether they have come
DRAW_SECONDS = 0.25  # between frames of the progress display
FRAMES_A_SECOND = round(1 / DRAW_SECONDS)


@attrs.frozen
class Payload:
    """Random data in a file."""

    path: Path
    size: int  # bytes
    piece_length: int  # bytes
    hashes: bytes = attrs.field(repr=False)  # SHA-1 of each piece, end to end
    digest: bytes = attrs.field(repr=False)  # SHA-256 of all of it


async def demo(total: int, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """Share `total` bytes. Raises CommandError where there is no room for them."""
    code = Exit.INTERRUPTED
    with interrupt, tempfile.TemporaryDirectory(prefix="trio-torrent-demo-") as folder:
        check_room(total, shutil.disk_usage(folder).free, folder)
        payload = await trio.to_thread.run_sync(make_payload, Path(folder), total)
        voice.say(f"made {size(total)} of random data in {folder}")
        downloaded = Path(folder, "download")
        await _share(payload, downloaded, voice)
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


def make_payload(folder: Path, total: int) -> Payload:
    """Write random bytes, and hash them on the way."""
    length = piece_length(total)
    path = folder / NAME
    whole = hashlib.sha256()
    hashes = []
    with path.open("wb") as file:
        for start in range(0, total, length):
            piece = os.urandom(min(length, total - start))
            file.write(piece)
            whole.update(piece)
            hashes.append(hashlib.sha1(piece).digest())
    return Payload(path, total, length, b"".join(hashes), whole.digest())


def make_torrent(payload: Payload, announce: str) -> Metainfo:
    """Its torrent, which is short enough to be written down as it is (BEP 3)."""
    name, url = NAME.encode(), announce.encode()
    info = b"d6:lengthi%de4:name%d:%s12:piece lengthi%de6:pieces%d:%se" % (
        *(payload.size, len(name), name, payload.piece_length),
        *(len(payload.hashes), payload.hashes),
    )
    return Metainfo.from_bytes(b"d8:announce%d:%s4:info%se" % (len(url), url, info))


async def _share(payload: Payload, folder: Path, voice: Voice) -> None:
    """Start everything, download, and stop everything."""
    async with trio.open_nursery() as nursery:
        tracker = await nursery.start(serve_tracker)
        voice.say(f"started a tracker: {tracker.url}")
        metainfo = make_torrent(payload, tracker.url)
        async with AsyncExitStack() as stack:
            for _ in range(SEEDERS):
                client = await _open(stack)
                await (await client.add(metainfo, save_path=payload.path.parent)).wait_checked()
                voice.say(f"started a seeder: {LOOPBACK}:{client.port}")
            await _until(lambda: len(tracker.registry.peers(metainfo.info_hashes.wire)) == SEEDERS)
            client = await _open(stack)
            voice.say(f"downloading by {LOOPBACK}:{client.port}")
            started = trio.current_time()
            status = await _download(await client.add(metainfo, save_path=folder), voice)
            _tell_figures(payload, status, trio.current_time() - started, voice)
        nursery.cancel_scope.cancel()


async def _open(stack: AsyncExitStack) -> Client:
    settings = Settings(port=0, interface=LOOPBACK, stop_seconds=STOP_SECONDS)
    return await stack.enter_async_context(open_client(settings))


async def _until(announced: Callable[[], bool]) -> None:
    """Until the seeders are known, as a downloader that comes first would not hear of them for minutes."""
    with trio.move_on_after(ANNOUNCE_SECONDS):
        while not announced():  # noqa: ASYNC110 - the tracker serves clients, and tells nobody else
            await trio.sleep(LOOK_SECONDS)


async def _download(torrent: Torrent, voice: Voice) -> Status:
    """How it stood at its end."""
    with voice.progress():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, torrent, voice)
            await torrent.wait_complete()
            nursery.cancel_scope.cancel()
    return torrent.status


async def _watch(torrent: Torrent, voice: Voice) -> None:
    frame = 0
    while True:
        status = torrent.status
        voice.show([Row(torrent.name, status)], trio.current_time())
        if frame % FRAMES_A_SECOND == 0:
            voice.emit("progress", done=status.done, total=status.total, down_rate=round(status.down_rate))
        frame += 1
        await trio.sleep(DRAW_SECONDS)


def _tell_figures(payload: Payload, status: Status, seconds: float, voice: Voice) -> None:
    speed = payload.size / max(seconds, 0.001)  # to the millisecond, as it is shown
    voice.emit(
        "complete",
        size=payload.size,
        pieces=status.pieces,
        piece_length=payload.piece_length,
        seeders=SEEDERS,
        seconds=round(seconds, 3),
        rate=round(speed),
        wasted=status.wasted,
    )
    voice.say(
        f"downloaded {size(payload.size)} in {duration(seconds)} from {SEEDERS} seeders: {rate(speed)}, "
        f"{plural(status.pieces, 'piece')} of {size(payload.piece_length)}, {size(status.wasted)} wasted"
    )


async def _compare(payload: Payload, path: Path, voice: Voice) -> Exit:
    """Every byte, by the digest of the file that came."""

    def digest() -> bytes:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    identical = await trio.to_thread.run_sync(digest) == payload.digest
    voice.emit("compared", identical=identical, sha256=payload.digest.hex())
    if identical:
        voice.say(f"every byte is the same (SHA-256 {payload.digest.hex()[:16]}…)")
        return Exit.DONE
    voice.fail(CommandError(Exit.UNVERIFIED, "the downloaded file differs from the one that was shared"))
    return Exit.UNVERIFIED
