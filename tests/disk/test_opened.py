"""Descriptors, while several threads open, use and close them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trio_torrent.disk.opened import MOST_OPEN, Opened


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class Folder:
    """Opens files by their numbers. `before` is called with the number of the one that is about to be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened: list[int] = []  # descriptors
        self.before: Callable[[int], object] = lambda file: None

    def open(self, file: int, writable: bool) -> int:
        self.before(file)
        descriptor = os.open(self.path / str(file), (os.O_RDWR if writable else os.O_RDONLY) | os.O_CREAT)
        self.opened.append(descriptor)
        return descriptor


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def use(opened: Opened, file: int, *, writable: bool = False) -> int:
    with opened.using(file, writable=writable) as descriptor:
        assert is_open(descriptor)
    return descriptor


def at_once(*jobs: Callable[[], object]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_open_different_files_at_once(folder: Folder):
    """None gets past the barrier before both are there."""
    together, opened = threading.Barrier(2), Opened(folder.open)
    folder.before = lambda file: together.wait(10)
    at_once(lambda: use(opened, 0), lambda: use(opened, 1))
    assert all(map(is_open, folder.opened))
    opened.close()
    assert not any(map(is_open, folder.opened))


def test_of_two_that_open_the_same_file_one_stays_open(folder: Folder):
    together, opened = threading.Barrier(2), Opened(folder.open)
    folder.before = lambda file: together.wait(10)
    at_once(lambda: use(opened, 0), lambda: use(opened, 0))
    assert sorted(map(is_open, folder.opened)) == [False, True]
    assert is_open(use(opened, 0))
    assert len(folder.opened) == 2
    opened.close()
    assert not any(map(is_open, folder.opened))


def test_what_was_being_opened_when_all_were_closed_is_closed_by_its_user(folder: Folder):
    """It may be the file that was there before another took its place."""
    opened = Opened(folder.open)
    folder.before = lambda file: opened.drop()
    assert not is_open(use(opened, 0))
    folder.before = lambda file: None
    assert is_open(use(opened, 0))
    assert len(folder.opened) == 2
    opened.close()


def test_what_was_being_opened_when_all_were_closed_for_good(folder: Folder):
    opened = Opened(folder.open)
    folder.before = lambda file: opened.close()
    assert not is_open(use(opened, 0))
    with pytest.raises(ValueError, match="closed"):
        use(opened, 0)


def test_to_be_written_a_file_is_opened_anew_and_then_read_by_that(folder: Folder):
    opened = Opened(folder.open)
    reading = use(opened, 0)
    with opened.using(0, writable=False) as still_reading, opened.using(0, writable=True) as writing:
        assert still_reading == reading != writing
    assert (is_open(reading), is_open(writing)) == (False, True)
    assert use(opened, 0) == writing
    opened.close()


def test_those_in_use_do_not_stay_open_for_ever(folder: Folder):
    opened = Opened(folder.open)
    with opened.using(0, writable=True) as descriptor:
        for file in range(1, MOST_OPEN + 1):
            use(opened, file)
        assert is_open(descriptor)
    assert not is_open(descriptor)
    assert sum(map(is_open, folder.opened)) == MOST_OPEN
    opened.close()
