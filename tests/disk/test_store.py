"""Blocks in, verified pieces on disk, blocks out."""

from __future__ import annotations

import errno
import os
from hashlib import sha1, sha256
from pathlib import Path

import outcome
import pytest
import trio

from tests.metainfo.making import make_torrent
from tests.payload import random_bytes, single
from tests.simnet import InlineWorkers
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.disk.files import Files
from trio_torrent.disk.store import Store, Verdict
from trio_torrent.disk.workers import open_workers
from trio_torrent.errors import StorageError
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.messages import Piece, Request

BLOCK = 16384
PAYLOAD = random_bytes(2 * 32768 + 1000)
METAINFO = single(PAYLOAD)


def make(tmp_path: Path, metainfo: Metainfo = METAINFO) -> Store:
    return Store(metainfo, Files(tmp_path, metainfo.layout), InlineWorkers())


def requests(piece: int, metainfo: Metainfo = METAINFO) -> list[Request]:
    size = metainfo.geometry.piece_size(piece)
    return [Request(piece, offset, min(BLOCK, size - offset)) for offset in range(0, size, BLOCK)]


def block(request: Request, payload: bytes = PAYLOAD) -> bytes:
    start = request.piece * 32768 + request.offset
    return payload[start : start + request.length]


def fill(store: Store, piece: int, payload: bytes = PAYLOAD) -> None:
    for request in requests(piece):
        store.place(request)[:] = block(request, payload)


def verify(store: Store, piece: int, *, digests: bool = False) -> outcome.Outcome[Verdict]:
    results: list[outcome.Outcome[Verdict]] = []
    store.verify(piece, digests=digests, done=results.append)
    (result,) = results
    return result


def test_a_right_piece_is_written(tmp_path: Path):
    store = make(tmp_path)
    fill(store, 1)
    assert verify(store, 1).unwrap() == Verdict(1, True, ())
    assert (tmp_path / "payload.bin").read_bytes()[32768:65536] == PAYLOAD[32768:65536]
    store.close()


def test_the_last_piece_is_short(tmp_path: Path):
    store = make(tmp_path)
    fill(store, 2)
    assert verify(store, 2).unwrap().good
    store.close()


def test_blocks_may_be_copied_to_their_places(tmp_path: Path):
    store = make(tmp_path)
    one, two = requests(0)
    store.keep(0, two.offset, block(two))
    store.place(one)[:] = block(one)
    assert verify(store, 0).unwrap().good
    store.close()


def test_a_wrong_piece_is_not_written_and_tells_what_its_blocks_were(tmp_path: Path):
    store, wrong = make(tmp_path), bytes(len(PAYLOAD))
    fill(store, 0, wrong)
    assert verify(store, 0).unwrap() == Verdict(0, False, (sha1(bytes(BLOCK)).digest(),) * 2)
    assert list(tmp_path.iterdir()) == []
    fill(store, 0)
    assert verify(store, 0).unwrap().good
    store.close()


def test_a_right_piece_tells_them_if_asked(tmp_path: Path):
    store = make(tmp_path)
    fill(store, 0)
    digests = tuple(sha1(block(request)).digest() for request in requests(0))
    assert verify(store, 0, digests=True).unwrap() == Verdict(0, True, digests)
    store.close()


def test_the_last_digest_is_of_the_last_block_as_it_is(tmp_path: Path):
    """Not of the rest of a buffer that another piece has used."""
    store = make(tmp_path)
    fill(store, 0)
    verify(store, 0)
    fill(store, 2)
    assert verify(store, 2, digests=True).unwrap().digests == (sha1(PAYLOAD[65536:]).digest(),)
    store.close()


def test_a_disk_that_fills_up_is_an_error_and_the_buffer_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int, data: memoryview, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = make(tmp_path)
    fill(store, 0)
    monkeypatch.setattr("trio_torrent.disk.positioned.os.pwrite", full)
    with pytest.raises(StorageError, match=r"payload\.bin: No space left on device"):
        verify(store, 0).unwrap()
    assert len(store._buffers._free) == 1
    store.close()


def test_short_writes_and_reads_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pwrite, preadv = os.pwrite, os.preadv
    monkeypatch.setattr("trio_torrent.disk.positioned.os.pwrite", lambda fd, data, at: pwrite(fd, data[:5000], at))
    monkeypatch.setattr(
        "trio_torrent.disk.positioned.os.preadv", lambda fd, buffers, at: preadv(fd, [buffers[0][:3000]], at)
    )
    store = make(tmp_path)
    fill(store, 0)
    assert verify(store, 0).unwrap().good
    answer = store.answer(requests(0))
    answer.fill()
    assert answer.message == encode_all([Piece(0, r.offset, block(r)) for r in requests(0)])
    store.close()


async def test_it_does_so_in_threads(tmp_path: Path):
    verdicts: list[outcome.Outcome[Verdict]] = []
    async with open_workers(2) as workers:
        store = Store(METAINFO, Files(tmp_path, METAINFO.layout), workers)
        for piece in (2, 0, 1):
            fill(store, piece)
            store.verify(piece, digests=False, done=verdicts.append)
        await workers.run(int)
    assert {verdict.unwrap() for verdict in verdicts} == {Verdict(piece, True, ()) for piece in range(3)}
    assert (tmp_path / "payload.bin").read_bytes() == PAYLOAD
    store.close()
    await trio.lowlevel.checkpoint()


def test_what_came_of_padding_counts_for_nothing(tmp_path: Path):
    """A hybrid: the padding behind a file is zeros, whatever is in the buffer."""
    metainfo = Metainfo.from_bytes(make_torrent("n", {("a",): PAYLOAD[:20_000], ("b",): b"b"}, "hybrid", 32768))
    store = make(tmp_path, metainfo)
    store.place(Request(0, 0, 32768))[:] = PAYLOAD[:20_000] + b"x" * 12_768
    assert verify(store, 0, digests=True).unwrap() == Verdict(
        0, True, (sha256(PAYLOAD[:BLOCK]).digest(), sha256(PAYLOAD[BLOCK:20_000]).digest())
    )
    assert (tmp_path / "n" / "a").read_bytes() == PAYLOAD[:20_000]
    store.close()


def test_a_torrent_that_is_completed_can_compare_more(tmp_path: Path):
    whole = Metainfo.from_bytes(make_torrent("payload.bin", {(): PAYLOAD}, "2", 32768))
    store = make(tmp_path, Metainfo.from_info(whole.info_bytes))
    store.complete(whole)
    fill(store, 1)
    assert verify(store, 1).unwrap().good
    store.close()
