"""Where in the part file the ends of unwanted files are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.payload import multi
from trio_torrent.disk.files import Files
from trio_torrent.disk.parts import NAME_BYTES, Parts

PIECE = 32768


def parts(*lengths: int) -> Parts:
    return Parts(multi({str(number): bytes(length) for number, length in enumerate(lengths)}))


@given(st.lists(st.integers(0, 3 * PIECE), min_size=1, max_size=6).filter(any))
def test_no_two_bytes_have_one_place(lengths: list[int]):
    found = parts(*lengths)
    runs = [
        (found.place(file, start), found.place(file, start) + length)
        for file in range(len(lengths))
        for start, length in found.runs(file)
    ]
    assert all(end <= start for (_, end), (start, _) in pairwise(runs))
    assert runs == [] or runs[0][0] == 0


@given(st.lists(st.integers(0, 3 * PIECE), min_size=1, max_size=6).filter(any))
def test_every_byte_that_may_come_with_a_neighbour_has_one(lengths: list[int]):
    found, layout = parts(*lengths), multi({str(n): bytes(length) for n, length in enumerate(lengths)}).layout
    for start in range(0, sum(lengths), PIECE):
        slices = layout.slices(start, PIECE)
        if len(slices) > 1:
            for part in slices:
                runs = found.runs(part.file)
                assert any(at <= part.offset and part.offset + part.length <= at + size for at, size in runs)


def test_a_file_in_the_middle_of_a_piece_is_all_of_it():
    assert parts(100, 50, PIECE).runs(1) == [(0, 50)]


def test_a_file_that_fills_its_pieces_needs_none():
    assert parts(PIECE, 2 * PIECE).runs(1) == []


def test_a_long_file_has_its_two_ends_here():
    found = parts(100, 3 * PIECE, 100)
    assert found.runs(1) == [(0, PIECE - 100), (3 * PIECE - 100, 100)]
    assert [found.place(1, at) for at in (0, PIECE - 101, 3 * PIECE - 100)] == [100, PIECE - 1, PIECE]


def test_its_name_is_hidden_and_no_longer_than_names_may_be():
    long = Parts(multi({"a": b"x"}, name="ü" * 115))
    assert long.name.startswith(".üü")
    assert long.name.endswith(".parts")
    assert NAME_BYTES < len(long.name.encode()) < 255
    other = Parts(multi({"a": b"y"}, name="ü" * 115))
    assert other.name != long.name


def test_what_is_written_there_is_read_there_and_moved_into_place(tmp_path: Path):
    metainfo = multi({"a": b"A" * 100, "b": b"B" * 3 * PIECE, "c": b"C" * 10})
    files = Files(tmp_path, metainfo.layout, parts=Parts(metainfo))
    files.set_aside([1])
    files.write(0, memoryview(b"A" * 100 + b"B" * (PIECE - 100)))
    files.write(3 * PIECE, memoryview(b"B" * 100 + b"C" * 10))
    assert not files.path(1).exists()
    buffer = memoryview(bytearray(150))
    files.read(0, buffer)
    assert bytes(buffer) == b"A" * 100 + b"B" * 50
    files.bring([1])
    assert files.path(1).read_bytes() == b"B" * (PIECE - 100) + bytes(2 * PIECE) + b"B" * 100
    assert not files.parts_path.exists()
    files.close()


def test_only_what_came_is_moved(tmp_path: Path):
    metainfo = multi({"a": b"A" * 100, "b": b"B" * 3 * PIECE, "c": b"C" * 10})
    files = Files(tmp_path, metainfo.layout, parts=Parts(metainfo))
    files.set_aside([1, 2])
    files.write(0, memoryview(b"A" * 100 + b"B" * (PIECE - 100)))
    files.bring([1])
    assert files.path(1).read_bytes() == b"B" * (PIECE - 100) + bytes(2 * PIECE + 100)
    assert files.parts_path.exists(), "the other file's are still there"
    files.close()
