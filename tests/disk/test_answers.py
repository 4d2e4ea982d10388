"""Blocks, read as the messages that carry them: in a thread, and in the event loop when that does not wait."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.disk.test_files import written_by_a_stranger
from tests.metainfo.making import make_torrent
from tests.payload import multi, random_bytes, single, write
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.disk import positioned
from trio_torrent.disk.answers import Answer
from trio_torrent.disk.files import Files
from trio_torrent.errors import ChangedError, StorageError
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.messages import Piece, Request

PIECE, BLOCK = 32768, 16384
PAYLOAD = random_bytes(2 * PIECE + 1000)
FOUR = [Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK), Request(1, 0, BLOCK), Request(1, BLOCK, BLOCK)]
PARTS = {"a": PAYLOAD[:100], "empty": b"", "b": PAYLOAD[100:20_150], "c": PAYLOAD[20_150:]}


def expected(requests: list[Request], payload: bytes = PAYLOAD) -> bytes:
    starts = [request.piece * PIECE + request.offset for request in requests]
    blocks = [payload[start : start + request.length] for start, request in zip(starts, requests, strict=True)]
    return encode_all([Piece(r.piece, r.offset, block) for r, block in zip(requests, blocks, strict=True)])


@attrs.frozen(eq=False)
class Answers:
    """Of one torrent, filled in one of the two ways."""

    geometry: Geometry
    files: Files

    def read(self, requests: list[Request]) -> bytes:
        answer = Answer.to(requests, self.geometry, self.files)
        answer.fill()
        return bytes(answer.message)

    def read_at_once(self, requests: list[Request]) -> bytes | None:
        answer = Answer.to(requests, self.geometry, self.files)
        return bytes(answer.message) if answer.fill_at_once() else None


def one_file(tmp_path: Path) -> Answers:
    metainfo = single(PAYLOAD)
    return Answers(metainfo.geometry, Files(write(tmp_path, {"payload.bin": PAYLOAD}), metainfo.layout))


def many_files(tmp_path: Path) -> Answers:
    metainfo = multi(PARTS)
    write(tmp_path / "folder", PARTS)
    return Answers(metainfo.geometry, Files(tmp_path, metainfo.layout))


@pytest.mark.parametrize("make", [one_file, many_files])
@pytest.mark.parametrize(
    "requests",
    [
        [],
        [Request(0, 50, 200)],
        FOUR,
        FOUR[::-1],
        [FOUR[1], Request(0, 5, 100), Request(2, 0, 1000), FOUR[2], FOUR[3]],
    ],
)
def test_answers_are_the_messages_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Answers], requests: list[Request]
):
    answers = make(tmp_path)
    answers.read(FOUR)
    at_once(monkeypatch)
    assert answers.read(requests) == expected(requests)
    assert answers.read_at_once(requests) == expected(requests)
    answers.files.close()


def test_the_system_says_the_same_or_nothing(tmp_path: Path):
    """Not each of them, nor each file system, can be asked."""
    answers = one_file(tmp_path)
    assert answers.read(FOUR) == expected(FOUR)
    assert answers.read_at_once(FOUR) in (expected(FOUR), None)
    answers.files.close()


def test_padding_is_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    metainfo = Metainfo.from_bytes(make_torrent("n", {("a",): PAYLOAD[:20_000], ("b",): b"b"}, "hybrid", PIECE))
    write(tmp_path / "n", {"a": PAYLOAD[:20_000], "b": b"b"})
    answers = Answers(metainfo.geometry, Files(tmp_path, metainfo.layout))
    requests = FOUR[:2]
    right = expected(requests, PAYLOAD[:20_000].ljust(PIECE, b"\0"))
    at_once(monkeypatch)
    assert answers.read(requests) == right
    assert answers.read_at_once(requests) == right
    answers.files.close()


def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many buffers each read of the system fills, and from where."""
    real, seen = os.preadv, list[tuple[int, int]]()

    def preadv(descriptor: int, buffers: list[memoryview], offset: int, *flags: int) -> int:
        seen.append((len(buffers), offset))
        return real(descriptor, buffers, offset, *flags)

    monkeypatch.setattr("trio_torrent.disk.positioned.os.preadv", preadv)
    return seen


def test_blocks_in_a_row_are_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers, seen = one_file(tmp_path), reads(monkeypatch)
    answers.read([*FOUR[1:], FOUR[0]])
    assert seen == [(3, BLOCK), (1, 0)]
    answers.files.close()


def test_reading_what_is_gone_names_the_file(tmp_path: Path):
    answers = one_file(tmp_path)
    (tmp_path / "payload.bin").unlink()
    with pytest.raises(StorageError, match=r"payload\.bin: No such file"):
        answers.read(FOUR)
    assert answers.read_at_once(FOUR) is None


# -- at once ---------------------------------------------------------------------------------------------------------


def at_once(monkeypatch: pytest.MonkeyPatch, read: Callable[..., int] | None = None) -> list[int]:
    """The system says that everything is in memory, or what `read` says; the flags that it was given."""
    real, flags = os.preadv, list[int]()

    def preadv(descriptor: int, buffers: list[memoryview], offset: int, how: int = 0) -> int:
        if how:
            flags.append(how)
        return read(descriptor, buffers, offset) if read and how else real(descriptor, buffers, offset)

    monkeypatch.setattr(positioned, "_NO_WAIT", 8)
    monkeypatch.setattr("trio_torrent.disk.positioned.os.preadv", preadv)
    return flags


def test_what_is_open_and_in_memory_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers = many_files(tmp_path)
    answers.read(FOUR)
    flags = at_once(monkeypatch)
    assert answers.read_at_once(FOUR) == expected(FOUR)
    assert flags == [8, 8, 8]
    answers.files.close()


def test_what_is_not_open_is_left_to_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Opening may take as long as reading."""
    answers, flags = one_file(tmp_path), at_once(monkeypatch)
    assert answers.read_at_once(FOUR) is None
    assert flags == []


def test_nothing_is_read_in_vain_where_one_of_the_files_is_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers, flags = many_files(tmp_path), at_once(monkeypatch)
    answers.read([Request(0, 0, 50)])
    assert answers.read_at_once([Request(0, 0, 200)]) is None
    assert flags == []
    assert answers.read_at_once([Request(0, 0, 100)]) == expected([Request(0, 0, 100)])
    answers.files.close()


def test_nobody_closes_a_file_that_is_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers = one_file(tmp_path)
    answers.read(FOUR)
    real, others = os.preadv, list[threading.Thread]()

    def read(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        others.append(threading.Thread(target=answers.files.drop))
        others[0].start()
        others[0].join(0.02)
        return real(descriptor, buffers, offset)

    at_once(monkeypatch, read)
    assert answers.read_at_once(FOUR) == expected(FOUR)
    others[0].join()
    assert answers.read_at_once(FOUR) is None


def refuses(*arguments: object) -> int:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def cannot(*arguments: object) -> int:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def half(descriptor: int, buffers: list[memoryview], offset: int) -> int:
    return len(os.pread(descriptor, 20_000, offset))


@pytest.mark.parametrize("read", [refuses, cannot, half])
def test_so_is_what_the_disk_must_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[..., int]
):
    answers = one_file(tmp_path)
    at_once(monkeypatch, read)
    assert answers.read(FOUR) == expected(FOUR)
    assert answers.read_at_once(FOUR) is None
    answers.files.close()


def test_where_the_system_cannot_be_asked_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers = one_file(tmp_path)
    answers.read(FOUR)
    monkeypatch.setattr(positioned, "_NO_WAIT", None)
    assert answers.read_at_once(FOUR) is None
    answers.files.close()


def test_what_somebody_else_has_written_does_not_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers = one_file(tmp_path)
    at_once(monkeypatch)
    answers.files.seal(0)
    answers.read(FOUR)
    assert answers.read_at_once(FOUR) == expected(FOUR)
    written_by_a_stranger(tmp_path / "payload.bin", bytes(len(PAYLOAD)))
    assert answers.read_at_once(FOUR) is None
    with pytest.raises(ChangedError, match="somebody has written to it"):
        answers.read(FOUR)
    answers.files.close()


def test_what_is_in_the_part_file_is_left_to_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It may be moving just now."""
    answers = many_files(tmp_path)
    answers.read(FOUR)
    at_once(monkeypatch)
    answers.files.parted.add(2)
    assert answers.read_at_once(FOUR) is None
    assert answers.read_at_once([Request(0, 0, 50)]) == expected([Request(0, 0, 50)])
    answers.files.close()
