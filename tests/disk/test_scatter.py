"""Which bytes of which file go to which buffer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.disk.scatter import scattered
from trio_torrent.metainfo.files import FileSlice

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def buffers(*lengths: int) -> list[memoryview]:
    return [memoryview(bytearray(length)) for length in lengths]


def test_one_file_fills_all_of_them_uncut():
    into = buffers(3, 4)
    part = FileSlice(0, 5, 7)
    assert list(scattered([part], into)) == [(part, into)]
    ((_, filled),) = scattered([part], into)
    assert [each is other for each, other in zip(filled, into, strict=True)] == [True, True]


def test_a_buffer_across_files_is_cut():
    slices = [FileSlice(0, 5, 2), FileSlice(1, 0, 1), FileSlice(2, 0, 6)]
    filled = [[len(buffer) for buffer in each] for _, each in scattered(slices, buffers(4, 5))]
    assert filled == [[2], [1], [1, 5]]


@given(lengths, lengths)
def test_each_byte_goes_to_one_place_and_in_order(files: list[int], blocks: list[int]):
    """However files and blocks are cut, as far as both of them reach."""
    message = memoryview(bytearray(sum(blocks)))
    places, at = [], 0
    for length in blocks:
        places.append(message[at : at + length])
        at += length
    data = bytes(range(1, 1 + sum(files)))
    start = 0
    for part, filled in scattered([FileSlice(number, 0, size) for number, size in enumerate(files)], places):
        for buffer in filled:
            buffer[:] = data[start : start + len(buffer)]
            start += len(buffer)
            assert len(buffer) <= part.length
    assert bytes(message) == data[: len(message)].ljust(len(message), b"\0")
