"""Records, as values, as bytes, and in their folder."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults import failing_disk
from tests.simnet import InlineWorkers
from trio_torrent.address import Address
from trio_torrent.bencode import decode, encode
from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.look import Look
from trio_torrent.disk.record import MAX_PEERS, Record
from trio_torrent.disk.records import Records

HASH = bytes(range(20))
RECORD = Record(
    root="/downloads",
    have=Bitfield(10, [0, 9]),
    safe=Bitfield(10, [9]),
    run="today",
    files={"folder/ä": Look(100, 1_700_000_000_123_456_789), "folder/b": Look(0, 5)},
    saved=1_700_000_001_000_000_000,
    running=True,
    renamed={"folder/b": "c"},
    peers=(Address("1.2.3.4", 5), Address("::1", 6)),
    downloaded=7,
    uploaded=8,
)


def test_there_and_back():
    assert Record.from_bytes(RECORD.to_bytes(), 10) == RECORD


def test_names_of_hosts_are_left_out_and_so_are_too_many():
    peers = (Address("example.org", 1), *(Address(f"10.0.0.{number}", 1) for number in range(100)))
    back = Record.from_bytes(attrs.evolve(RECORD, peers=peers).to_bytes(), 10)
    assert back.peers == peers[1 : MAX_PEERS + 1]


@given(at=st.integers(0, len(RECORD.to_bytes()) - 1), byte=st.integers(0, 255))
def test_a_damaged_one_is_a_value_error_or_another_record(at: int, byte: int):
    data = bytearray(RECORD.to_bytes())
    data[at] = byte
    with suppress(ValueError):
        assert isinstance(Record.from_bytes(bytes(data), 10), Record)


@pytest.mark.parametrize("pieces", [0, 8, 17, 1 << 20])
def test_one_of_another_number_of_pieces_is_refused(pieces: int):
    with pytest.raises(ValueError, match="pieces"):
        Record.from_bytes(RECORD.to_bytes(), pieces)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"version", 1),
        (b"run", 5),
        (b"safe", b"\xff"),
        (b"have", 5),
        (b"have", b"\xff\xff"),
        (b"files", []),
        (b"files", {b"a": 5}),
        (b"files", {b"a": [1, b"x"]}),
        (b"files", {b"\xff": [1, 2]}),
        (b"saved", -1),
        (b"saved", b"now"),
        (b"renamed", {b"a": 1}),
        (b"peers", 5),
        (b"root", 5),
    ],
)
def test_what_is_not_a_record(key: bytes, value: object):
    values = decode(RECORD.to_bytes(), max_depth=5)
    assert isinstance(values, dict)
    with pytest.raises(ValueError, match=r"\w"):
        Record.from_bytes(encode({**values, key: value}), 10)  # type: ignore[dict-item]  # nonsense on purpose


# -- in a folder -----------------------------------------------------------------------------------------------------


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "state" / "deep", InlineWorkers(), InlineWorkers(), "today")


def test_the_last_one_is_found(records: Records):
    assert records.load(HASH, 10) is None
    records.save(HASH, RECORD)
    newer = attrs.evolve(RECORD, downloaded=9)
    records.save(HASH, newer)
    assert records.load(HASH, 10) == newer
    assert records.load(bytes(20), 10) is None


@pytest.mark.parametrize("damage", [b"", b"d", b"x" * 100, None])
def test_a_damaged_one_leaves_the_one_before(records: Records, tmp_path: Path, damage: bytes | None):
    records.save(HASH, RECORD)
    records.save(HASH, attrs.evolve(RECORD, downloaded=9))
    path = tmp_path / "state" / "deep" / f"{HASH.hex()}.resume"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    assert records.load(HASH, 10) == RECORD


DONE = attrs.evolve(RECORD, running=False)


def inode(tmp_path: Path) -> int:
    return (tmp_path / "state" / "deep" / f"{HASH.hex()}.resume").stat().st_ino


@pytest.mark.parametrize("another_run", [False, True])
def test_one_that_says_nothing_new_is_not_written(records: Records, tmp_path: Path, another_run: bool):
    records.save(HASH, DONE)
    before = inode(tmp_path)
    if another_run:
        records = Records(tmp_path / "state" / "deep", InlineWorkers(), InlineWorkers(), records.boot)
        assert records.load(HASH, 10) == DONE
    records.save(HASH, attrs.evolve(DONE, saved=DONE.saved + 1))
    assert inode(tmp_path) == before
    records.save(HASH, attrs.evolve(DONE, uploaded=DONE.uploaded + 1))
    assert inode(tmp_path) != before


@pytest.mark.parametrize("news", [False, True])
def test_the_first_that_is_saved_cleans_up_after_who_was_killed(records: Records, tmp_path: Path, news: bool):
    records.save(HASH, DONE)
    left = tmp_path / "state" / "deep" / f"{HASH.hex()}.resume.0123456789abcdef.new"
    left.write_bytes(b"half")
    again = Records(tmp_path / "state" / "deep", InlineWorkers(), InlineWorkers(), records.boot)
    assert again.load(HASH, 10) == DONE
    again.save(HASH, attrs.evolve(DONE, uploaded=DONE.uploaded + news))
    assert not left.exists()


def test_who_still_writes_says_when(records: Records):
    assert RECORD.running
    records.save(HASH, RECORD)
    later = attrs.evolve(RECORD, saved=RECORD.saved + 1)
    records.save(HASH, later)
    assert records.load(HASH, 10) == later


def test_one_that_was_removed_meanwhile_is_written_again(records: Records, tmp_path: Path):
    records.save(HASH, DONE)
    (tmp_path / "state" / "deep" / f"{HASH.hex()}.resume").unlink()
    records.save(HASH, DONE)
    assert records.load(HASH, 10) == DONE


@pytest.mark.parametrize("number", range(8))
def test_after_a_failure_what_is_saved_next_is_there(records: Records, tmp_path: Path, number: int):
    """Even if it is what was there before the failure, of which nobody knows what it has left."""
    records.save(HASH, DONE)
    with failing_disk(tmp_path) as disk:
        disk.fail(number, errno.EIO)
        with suppress(OSError):
            records.save(HASH, attrs.evolve(DONE, uploaded=DONE.uploaded + 1))
        assert len(disk.done) > number
        records.save(HASH, DONE)
    assert records.load(HASH, 10) == DONE


def test_a_forgotten_one_is_gone(records: Records, tmp_path: Path):
    records.save(HASH, RECORD)
    records.save(HASH, RECORD)
    records.forget(HASH)
    records.forget(HASH)
    assert records.load(HASH, 10) is None
    assert list((tmp_path / "state" / "deep").iterdir()) == []
