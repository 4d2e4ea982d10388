"""Which files are meant, and which pieces they need."""

from __future__ import annotations

import pytest

from tests.payload import multi, random_bytes
from trio_torrent.client.selection import Priority, Selection

PIECE = 32768
FOLDER = multi(
    {
        "disc/a.iso": random_bytes(PIECE + 100),  # pieces 0 and 1
        "disc/empty": b"",
        "readme [1].txt": bytes(50),  # 1
        "c.iso": bytes(2 * PIECE),  # 1, 2, 3
    }
)
NONE = bytes([0, 0, 0, 0])


@pytest.mark.parametrize(
    ("what", "numbers"),
    [
        ((), set()),
        ((1,), {0}),
        ((1, 4), {0, 3}),
        (("2",), {1}),
        (("1,3-4",), {0, 2, 3}),
        (("3-",), {2, 3}),
        (("*.iso",), {0, 3}),
        (("disc/*",), {0, 1}),
        (("folder/c.iso",), {3}),
        (("a.iso",), {0}),
        (("*.txt", 1), {0, 2}),
        (("readme [[]1].txt",), {2}),
        (("*",), {0, 1, 2, 3}),
    ],
)
def test_what_is_meant(what: tuple[str | int, ...], numbers: set[int]):
    assert Selection(FOLDER).find(*what) == numbers


@pytest.mark.parametrize("what", [0, 5, -1, "0", "5", "1-5", "3-1", "*.nothing", "C.ISO", "", "1,", "1;3", "999999999"])
def test_what_means_nothing(what: str | int):
    selection = Selection(FOLDER)
    with pytest.raises(ValueError, match="folder"):
        selection.select(1, what)
    assert selection.skipped == frozenset()


def test_pieces_of_files_that_are_wanted_are_wanted():
    selection = Selection(FOLDER)
    assert selection.pieces() == bytes([4, 4, 4, 4])
    selection.select("a.iso")
    assert selection.pieces() == bytes([4, 4, 0, 0])
    assert (set(selection.skipped), selection.wanted) == ({1, 2, 3}, [0])
    selection.select("*.txt", "disc/empty")
    assert selection.pieces() == bytes([0, 4, 0, 0])


def test_the_file_that_is_wanted_most_counts():
    selection = Selection(FOLDER)
    selection.prioritize(4, priority=Priority.HIGH)
    selection.prioritize(1, priority=Priority.LOW)
    assert selection.pieces() == bytes([1, 7, 7, 7])


def test_selecting_keeps_the_priorities_of_what_stays_wanted():
    selection = Selection(FOLDER)
    selection.prioritize(1, priority=Priority.HIGH)
    selection.select(1)
    assert selection.priorities[0] is Priority.HIGH
    selection.select(4)
    selection.select("*")
    assert selection.priorities == [Priority.NORMAL] * 4


def test_nothing_but_an_empty_file_needs_no_piece():
    selection = Selection(FOLDER)
    selection.select(2)
    assert selection.pieces() == NONE
