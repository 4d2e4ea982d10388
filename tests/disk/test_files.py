"""A torrent's files as one address space, over real files."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import failing_disk
from tests.payload import multi
from trio_torrent.disk.files import PARTS, Files
from trio_torrent.disk.look import Look
from trio_torrent.disk.opened import MOST_OPEN
from trio_torrent.disk.parts import Parts
from trio_torrent.errors import ChangedError, StorageError
from trio_torrent.metainfo.files import File, FileLayout


def lay_out(*lengths: int, padding: frozenset[int] = frozenset()) -> FileLayout:
    """Files `0`, `1`..., in folders of their own, end to end."""
    files, offset = [], 0
    for number, length in enumerate(lengths):
        files.append(File((f"folder {number}", str(number)), length, offset, padding=number in padding))
        offset += length
    return FileLayout(files)


def write(files: Files, start: int, data: bytes) -> None:
    files.write(start, memoryview(data))


def read(files: Files, start: int, length: int) -> bytes:
    buffer = memoryview(bytearray(b"?" * length))
    files.read(start, buffer)
    return bytes(buffer)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    """Files of 5, 0, 3 bytes, 4 of padding, and 6."""
    files = Files(tmp_path, lay_out(5, 0, 3, 4, 6, padding=frozenset({3})))
    yield files
    files.close()


# -- where bytes go --------------------------------------------------------------------------------------------------


def test_what_is_written_across_files_is_in_each_of_them(files: Files):
    write(files, 0, b"aaaaabbb....cccccc")
    assert [files.path(number).read_bytes() for number in (0, 2, 4)] == [b"aaaaa", b"bbb", b"cccccc"]
    assert read(files, 4, 9) == b"abbb\0\0\0\0c"


def test_padding_is_never_stored_and_reads_as_zeros(files: Files, tmp_path: Path):
    write(files, 8, b"pad!")
    assert list(tmp_path.iterdir()) == []
    assert read(files, 8, 4) == bytes(4)


def test_a_part_of_a_file_gives_it_its_whole_length(files: Files):
    write(files, 1, b"x")
    assert files.path(0).read_bytes() == b"\0x\0\0\0"


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
    start=st.integers(0, 40),
    length=st.integers(1, 40),
)
def test_any_part_can_be_written_and_read_back(tmp_path_factory: pytest.TempPathFactory, lengths, start, length):
    files = Files(tmp_path_factory.mktemp("any"), lay_out(*lengths))
    whole = bytes(range(1, sum(lengths) + 1))
    start %= len(whole)
    part = whole[start : start + length]
    write(files, 0, bytes(len(whole)))
    write(files, start, part)
    assert read(files, 0, len(whole)) == bytes(start) + part + bytes(len(whole) - start - len(part))
    files.close()


def test_files_without_bytes_are_created(files: Files, tmp_path: Path):
    assert files.create_empty() == ["folder 1/1"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "folder 1" / "1"]


def test_a_symbolic_link_is_no_empty_file(tmp_path: Path):
    files = Files(tmp_path, FileLayout([File(("a",), 5, 0), File(("link",), 0, 5, symlink=("a",))]))
    assert files.create_empty() == []
    assert list(tmp_path.iterdir()) == []


def test_creating_an_empty_file_does_not_empty_what_is_there(files: Files):
    files.path(1).parent.mkdir()
    files.path(1).write_bytes(b"somebody's")
    files.create_empty()
    assert files.path(1).read_bytes() == b"somebody's"


def test_a_file_that_is_longer_keeps_its_end(files: Files):
    files.path(0).parent.mkdir()
    files.path(0).write_bytes(b"12345 and more")
    files.claims.add([0])
    write(files, 0, b"abcde")
    assert files.path(0).read_bytes() == b"abcde and more"


def test_reading_creates_nothing(files: Files, tmp_path: Path):
    with pytest.raises(StorageError):
        read(files, 0, 5)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_read_can_be_written_and_read_again(files: Files):
    write(files, 0, b"aaaaa")
    files.close()
    again = Files(files.root, files.layout)
    assert read(again, 0, 5) == b"aaaaa"
    write(again, 0, b"bbbbb")
    assert read(again, 0, 5) == b"bbbbb"
    again.close()


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_errors_name_the_file(files: Files):
    path = files.path(0)
    with pytest.raises(StorageError) as missing:
        read(files, 0, 5)
    assert str(missing.value) == f"{path}: No such file or directory"
    path.parent.mkdir()
    path.write_bytes(b"123")
    with pytest.raises(StorageError) as short:
        read(files, 0, 5)
    assert str(short.value) == f"{path}: shorter than it was"


def test_a_folder_in_the_way(files: Files):
    files.path(0).mkdir(parents=True)
    with pytest.raises(StorageError) as folder:
        write(files, 0, b"aaaaa")
    assert str(folder.value) == f"{files.path(0)}: Is a directory"


def test_a_file_where_a_folder_should_be(files: Files, tmp_path: Path):
    (tmp_path / "folder 0").write_bytes(b"")
    with pytest.raises(StorageError) as file:
        write(files, 0, b"aaaaa")
    assert str(file.value).startswith(f"{files.path(0)}: ")


def test_a_file_that_cannot_be_made_long_enough_is_not_left_open(files: Files, monkeypatch: pytest.MonkeyPatch):
    def ftruncate(descriptor: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trio_torrent.disk.files.os.ftruncate", ftruncate)
    before = descriptors()
    with pytest.raises(StorageError, match="No space left on device"):
        write(files, 0, b"aaaaa")
    assert descriptors() == before


def test_a_name_that_is_too_long_for_the_file_system(tmp_path: Path):
    files = Files(tmp_path, FileLayout([File(("x" * 300,), 1, 0)]))
    with pytest.raises(StorageError, match="File name too long"):
        write(files, 0, b"a")


# -- descriptors -----------------------------------------------------------------------------------------------------


def test_a_hundred_files_are_never_all_open(tmp_path: Path):
    files = Files(tmp_path, lay_out(*[1] * 100))
    before, most = descriptors(), 0
    for number in range(100):
        write(files, number, b"x")
        most = max(most, descriptors() - before)
    assert most == MOST_OPEN
    assert read(files, 0, 100) == b"x" * 100
    assert descriptors() - before <= MOST_OPEN
    files.close()
    assert descriptors() == before


def test_the_least_recently_used_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = Files(tmp_path, lay_out(*[1] * (MOST_OPEN + 2)))
    write(files, 0, b"x" * MOST_OPEN)
    read(files, 0, 1)
    write(files, MOST_OPEN, b"x")
    real, opened = os.open, []

    def note(path: str, flags: int, mode: int = 0o777) -> int:
        opened.append(Path(path).name)
        return real(path, flags, mode)

    monkeypatch.setattr("trio_torrent.disk.files.os.open", note)
    read(files, 0, 1)
    assert opened == []
    read(files, 1, 1)
    assert opened == ["1"]
    files.close()


def test_a_file_is_opened_once_for_many_reads(files: Files):
    write(files, 0, b"aaaaa")
    before = descriptors()
    for _ in range(10):
        read(files, 0, 5)
    assert descriptors() == before


def test_what_is_closed_stays_closed(files: Files):
    write(files, 0, b"aaaaa")
    files.close()
    files.close()
    with pytest.raises(StorageError) as closed:
        read(files, 0, 5)
    assert str(closed.value) == f"{files.path(0)}: the torrent is closed"


@pytest.mark.parametrize("how", ["close", "crowd out"])
def test_a_file_in_use_is_closed_by_its_last_user(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch):
    """Or a thread would read from whatever got the descriptor's number next."""
    files = Files(tmp_path, lay_out(*[5] * (MOST_OPEN + 1)))
    write(files, 0, b"aaaaa")
    before = descriptors()
    reading, may_go_on, results = threading.Event(), threading.Event(), list[bytes]()
    real = os.preadv

    def slow(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        reading.set()
        assert may_go_on.wait(10)
        return real(descriptor, buffers, offset)

    with monkeypatch.context() as patched:
        patched.setattr("trio_torrent.disk.positioned.os.preadv", slow)
        thread = threading.Thread(target=lambda: results.append(read(files, 0, 5)))
        thread.start()
        assert reading.wait(10)
        if how == "close":
            files.close()
            assert descriptors() == before
        else:
            write(files, 5, b"x" * 5 * MOST_OPEN)
            assert descriptors() == before + MOST_OPEN
        may_go_on.set()
        thread.join()
    assert results == [b"aaaaa"]
    files.close()
    assert descriptors() == before - 1


def test_out_of_descriptors_it_gives_up_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    layout = multi({"a": b"A" * 100, "b": b"B" * 100}).layout
    files = Files(tmp_path, layout)
    files.write(0, memoryview(b"A" * 100))
    really_open, refused = os.open, iter([True])

    def refuse_once(path: Path, flags: int, mode: int = 0o777) -> int:
        if next(refused, False):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really_open(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse_once)
    files.write(100, memoryview(b"B" * 100))
    files.close()
    assert (tmp_path / "folder/b").read_bytes() == b"B" * 100


def test_out_of_descriptors_with_none_of_its_own_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    files = Files(tmp_path, multi({"a": b"A" * 100}).layout)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match="Too many open files"):
        files.write(0, memoryview(b"A" * 100))


# -- sealed ----------------------------------------------------------------------------------------------------------


def written_by_a_stranger(path: Path, data: bytes) -> None:
    """A moment later than anything of ours."""
    path.write_bytes(data)
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_what_is_written_after_the_seal_is_noticed(tmp_path: Path):
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"good")
    files.seal(0)
    files.assure(0, 4)
    written_by_a_stranger(files.path(0), b"evil")
    with pytest.raises(ChangedError, match="somebody has written to it"):
        files.assure(0, 4)
    assert files.changed() == [0]


def test_a_stranger_between_our_last_write_and_the_seal_is_noticed(tmp_path: Path):
    """It is known how we left the file, and the seal does not look again."""
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"go")
    write(files, 2, b"od")
    written_by_a_stranger(files.path(0), b"evil")
    files.seal(0)
    with pytest.raises(ChangedError):
        files.assure(0, 4)


def test_a_seal_of_what_was_written_asks_no_disk(tmp_path: Path):
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"good")
    with failing_disk(tmp_path) as disk:
        files.drop()
        files.seal(0)
        assert disk.done == []


def test_of_two_threads_the_later_look_counts(tmp_path: Path):
    """They may tell of it in the other order."""
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"good")
    before = files.path(0).stat().st_mtime_ns
    os.utime(files.path(0), ns=(before - 10**9, before - 10**9))
    files._watch.leave(0, Look(4, before - 10**9))  # of a thread that looked first, and was late to say so
    os.utime(files.path(0), ns=(before, before))
    files.seal(0)
    files.assure(0, 4)


def test_what_was_left_in_a_session_is_of_no_matter_in_the_next(tmp_path: Path):
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"good")
    written_by_a_stranger(files.path(0), b"fine")  # and compared, and found to be right
    files.begin(files.looks())
    files.seal(0)
    files.assure(0, 4)


def test_a_file_that_is_gone_cannot_be_sealed(tmp_path: Path):
    files = Files(tmp_path, lay_out(4))
    with pytest.raises(ChangedError):
        files.seal(0)


# -- what files cost, and what records say of them -------------------------------------------------------------------

CALLS = ("open", "close", "stat", "fstat", "ftruncate", "pwrite", "mkdir")


@contextmanager
def counting() -> Iterator[list[str]]:
    """The system calls of the block, in order."""
    calls: list[str] = []

    def note(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            calls.append(name)
            return real(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, note(name, getattr(os, name)))
        yield calls


def flat(count: int) -> FileLayout:
    """Files of 4 bytes in one folder."""
    return FileLayout([File(("folder", str(number)), 4, 4 * number) for number in range(count)])


def test_a_new_file_costs_five_calls(tmp_path: Path):
    files = Files(tmp_path, flat(MOST_OPEN + 2))
    write(files, 0, bytes(4 * MOST_OPEN))
    with counting() as calls:
        write(files, 4 * MOST_OPEN, b"good")
    assert calls == ["close", "open", "ftruncate", "pwrite", "fstat"]
    files.close()


def test_what_a_record_says_of_a_file_costs_one_call(tmp_path: Path):
    files = Files(tmp_path, flat(3))
    write(files, 0, b"good" * 3)
    files.seal(1)
    with counting() as calls:
        assert files.written() == files.looks()
    assert calls == ["stat"] * 3 * 2
    assert files.written() == {}
    files.close()


def test_a_record_says_of_a_complete_file_how_we_left_it(tmp_path: Path):
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"good")
    ours = files.looks()
    files.seal(0)
    written_by_a_stranger(files.path(0), b"evil")
    assert files.written() == ours != files.looks()
    files.close()


@pytest.mark.parametrize("complete", [True, False])
def test_a_record_of_a_file_that_another_has_replaced_cannot_be(tmp_path: Path, complete: bool):
    files = Files(tmp_path, lay_out(4))
    write(files, 0, b"good")
    if complete:
        files.seal(0)
    (tmp_path / "other").write_bytes(b"evil")
    (tmp_path / "other").replace(files.path(0))
    for _ in range(2):
        with pytest.raises(ChangedError, match="replaced by another file"):
            files.written()
    files.path(0).unlink()
    with pytest.raises(ChangedError):
        files.written()
    files.close()


def test_a_part_file_that_is_gone_is_told_of_no_more(tmp_path: Path):
    metainfo = multi({"a": b"aaaa", "b": b"bbbb"})
    files = Files(tmp_path, metainfo.layout, parts=Parts(metainfo))
    files.set_aside([0])
    write(files, 0, b"aaaabbbb")
    assert files.written() == files.looks()
    assert files.changed() == []
    write(files, 0, b"aaaabbbb")
    files.bring([0])
    assert PARTS not in files.written()
    assert files.changed() == []
    files.close()
