"""What a record is worth, by how the files look."""

from __future__ import annotations

import attrs
import pytest

from tests.payload import multi, random_bytes
from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.files import PARTS
from trio_torrent.disk.look import Look
from trio_torrent.disk.record import Record
from trio_torrent.disk.trust import WINDOW_SECONDS, Trust

PIECE = 32768
SECOND = 1_000_000_000
SAVED = 1_700_000_000 * SECOND
METAINFO = multi({"a": random_bytes(PIECE + 100), "empty": b"", "b": bytes(2 * PIECE)})  # 0 and 1; none; 1, 2 and 3
NAMES = {0: "folder/a", 1: "folder/empty", 2: "folder/b", PARTS: ".parts"}
A, B = Look(PIECE + 100, SAVED - 9 * SECOND), Look(2 * PIECE, SAVED - 5 * SECOND)
RECORD = Record(
    root="/",
    have=Bitfield(4, [0, 1, 3]),
    safe=Bitfield(4, [0, 3]),
    run="today",
    files={"folder/a": A, "folder/b": B},
    saved=SAVED,
    running=True,
)


def trust(record: Record, now: dict[int, Look], run: str = "today") -> tuple[set[int], set[int]]:
    found = Trust(record, METAINFO.layout, PIECE, run)
    found.look(NAMES, now, parts=PARTS)
    return set(found.have), set(found.doubtful)


def later(seen: Look, seconds: float) -> Look:
    return attrs.evolve(seen, changed=SAVED + int(seconds * SECOND))


def test_what_looks_as_it_did_is_trusted():
    assert trust(RECORD, {0: A, 2: B}) == ({0, 1, 3}, set())


@pytest.mark.parametrize(("then", "now"), [("today", "tomorrow"), ("", ""), ("today", "")])
def test_after_a_restart_what_the_disk_was_not_asked_to_keep_is_compared(then: str, now: str):
    assert trust(attrs.evolve(RECORD, run=then), {0: A, 2: B}, now) == ({0, 3}, {1})


def test_what_was_not_kept_of_a_file_that_is_gone_is_not_looked_for():
    assert trust(RECORD, {2: B}, "tomorrow") == ({3}, set())


def test_whoever_was_killed_wrote_a_little_more_to_what_is_incomplete():
    assert trust(RECORD, {0: A, 2: later(B, 4)}) == ({0, 1, 3}, set())


@pytest.mark.parametrize(
    ("record", "seen"),
    [
        (RECORD, later(B, WINDOW_SECONDS + 1)),
        (RECORD, attrs.evolve(B, changed=B.changed - 1)),
        (RECORD, later(attrs.evolve(B, size=B.size - 1), 1)),
        (attrs.evolve(RECORD, running=False), later(B, 1)),
    ],
    ids=["much later", "earlier", "shorter", "nobody ran"],
)
def test_what_others_did_is_compared_again_all_of_it(record: Record, seen: Look):
    assert trust(record, {0: A, 2: seen}) == ({0}, {1, 2, 3})


def test_nobody_of_us_writes_to_what_is_complete():
    assert trust(RECORD, {0: later(A, 1), 2: B}) == ({3}, {0, 1})


def test_what_is_gone_is_gone():
    assert trust(RECORD, {0: A}) == ({0}, set())


def test_what_was_in_the_part_file_is_trusted_with_it():
    seen = Look(500, SAVED)
    record = attrs.evolve(RECORD, files={"folder/a": A, ".parts": seen}, have=Bitfield(4, [0, 1]))
    assert trust(record, {0: A, PARTS: seen}) == ({0, 1}, set())
    assert trust(record, {0: A, PARTS: later(seen, 1)}) == ({0, 1}, set())
    assert trust(record, {0: A, PARTS: later(seen, 1000)}) == ({0}, {1})
    assert trust(record, {0: A}) == ({0}, {1})


def test_what_was_being_moved_out_of_it_is_compared_again():
    """But not the rest of the file, of which nothing can have come."""
    seen = Look(500, SAVED)
    record = attrs.evolve(RECORD, files={"folder/a": A, ".parts": seen}, have=Bitfield(4, [0, 1]))
    assert trust(record, {0: A, 2: later(B, 1), PARTS: seen}) == ({0}, {1})


def test_a_file_that_has_come_from_nowhere_is_compared():
    record = attrs.evolve(RECORD, files={"folder/a": A}, have=Bitfield(4, [0]), running=False)
    assert trust(record, {0: A, 2: B}) == ({0}, {1, 2, 3})


def test_an_empty_file_shifts_nothing():
    assert trust(RECORD, {0: A, 1: Look(0, 5), 2: B}) == trust(RECORD, {0: A, 2: B})


# -- whose the files are ---------------------------------------------------------------------------------------------

SHORT = 4  # bytes: what ours never have, unless the power fails


@pytest.mark.parametrize(
    ("seen", "running", "ours", "without_power"),
    [
        (A, False, True, True),
        (Look(A.size, SAVED + 1), True, True, True),
        (Look(A.size, SAVED + 1), False, False, True),
        (Look(A.size, A.changed - 1), True, False, True),
        (Look(SHORT, A.changed), True, False, True),
        (Look(SHORT, SAVED + 1), True, False, True),
    ],
)
def test_one_that_was_there_is_ours_as_long_as_it_could_be(seen: Look, running: bool, ours: bool, without_power: bool):
    record = attrs.evolve(RECORD, running=running)
    for run, verdict in (("today", ours), ("tomorrow", without_power)):
        found = Trust(record, METAINFO.layout, PIECE, run)
        found.look(NAMES, {0: seen}, parts=PARTS)
        assert found.ours == ({0} if verdict else set()), run


@pytest.mark.parametrize(
    ("changed", "running", "without_power"),
    [
        (SAVED + 1, True, True),
        (SAVED - SECOND, True, True),
        (SAVED - 9 * SECOND, True, False),
        (SAVED + int(WINDOW_SECONDS + 1) * SECOND, True, False),
        (SAVED + 1, False, False),
    ],
)
def test_one_that_was_not_there_is_ours_only_if_the_power_has_failed_since(
    changed: int, running: bool, without_power: bool
):
    record = attrs.evolve(RECORD, running=running, files={"folder/b": B})
    for run, verdict in (("today", False), ("tomorrow", without_power)):
        found = Trust(record, METAINFO.layout, PIECE, run)
        found.look(NAMES, {0: Look(SHORT, changed)}, parts=PARTS)
        assert found.ours == ({0} if verdict else set()), run
