"""Whole reads and writes on a system that does them in parts, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from trio_torrent.disk.positioned import MOST_WRITE, read_all, write_all


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def content(descriptor: int) -> bytes:
    return os.pread(descriptor, 1000, 0)


def test_what_is_written_can_be_read(descriptor: int):
    write_all(descriptor, memoryview(b"hello"), 3)
    buffer = memoryview(bytearray(5))
    assert read_all(descriptor, [buffer], 3)
    assert bytes(buffer) == b"hello"
    assert content(descriptor) == b"\0\0\0hello"


def test_nothing_is_written_and_read_at_once(descriptor: int):
    write_all(descriptor, memoryview(b""), 0)
    assert read_all(descriptor, [], 100)


def test_a_file_that_ends_before_is_not_enough(descriptor: int):
    write_all(descriptor, memoryview(b"hello"), 0)
    assert not read_all(descriptor, [memoryview(bytearray(6))], 0)
    assert not read_all(descriptor, [memoryview(bytearray(1))], 5)


def test_short_writes_are_continued(descriptor: int, monkeypatch: pytest.MonkeyPatch):
    real, parts = os.pwrite, iter([1, 3, 2, 100])
    monkeypatch.setattr(
        "trio_torrent.disk.positioned.os.pwrite", lambda fd, data, at: real(fd, data[: next(parts)], at)
    )
    write_all(descriptor, memoryview(b"0123456789"), 2)
    assert content(descriptor) == b"\0\x000123456789"


def test_much_is_written_in_steps(descriptor: int, monkeypatch: pytest.MonkeyPatch):
    real, sizes = os.pwrite, list[int]()

    def pwrite(fd: int, data: memoryview, at: int) -> int:
        sizes.append(len(data))
        return real(fd, data, at)

    monkeypatch.setattr("trio_torrent.disk.positioned.os.pwrite", pwrite)
    data = memoryview(os.urandom(2 * MOST_WRITE + 5))
    write_all(descriptor, data, 3)
    assert sizes == [MOST_WRITE, MOST_WRITE, 5]
    assert read_all(descriptor, [back := memoryview(bytearray(len(data)))], 3)
    assert back == data


def test_short_reads_are_continued(descriptor: int, monkeypatch: pytest.MonkeyPatch):
    write_all(descriptor, memoryview(b"0123456789"), 0)
    real, parts = os.preadv, iter([1, 3, 2, 100])
    monkeypatch.setattr(
        "trio_torrent.disk.positioned.os.preadv", lambda fd, buffers, at: real(fd, [buffers[0][: next(parts)]], at)
    )
    buffer = memoryview(bytearray(9))
    assert read_all(descriptor, [buffer], 1)
    assert bytes(buffer) == b"123456789"


def test_a_full_disk_shows_after_a_short_write(descriptor: int, monkeypatch: pytest.MonkeyPatch):
    real, left = os.pwrite, [4]

    def pwrite(fd: int, data: memoryview, at: int) -> int:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data[: left.pop()], at)

    monkeypatch.setattr("trio_torrent.disk.positioned.os.pwrite", pwrite)
    with pytest.raises(OSError, match="No space left"):
        write_all(descriptor, memoryview(b"0123456789"), 0)


def test_a_write_of_nothing_is_an_error_and_no_endless_loop(descriptor: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trio_torrent.disk.positioned.os.pwrite", lambda fd, data, at: 0)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_all(descriptor, memoryview(b"0123456789"), 0)
