import time

import pytest

from trio_torrent.metainfo import File
from trio_torrent.metainfo.fields import Notes
from trio_torrent.metainfo.links import MAX_HOPS, without_dangling


def chain(length: int) -> list[File]:
    """Links each to the next, the last to a file."""
    links = [File((f"l{n}",), 0, 0, symlink=(f"l{n + 1}",)) for n in range(length)]
    return [*links, File((f"l{length}",), 1, 0)]


def test_so_many_links_on_the_way():
    files = without_dangling(chain(MAX_HOPS + 2), Notes())
    assert [bool(file.symlink) for file in files] == [False] + [True] * (MAX_HOPS + 1) + [False]


def test_a_link_to_its_own_folder_is_inside():
    files = [File(("n", "d", "l"), 0, 0, symlink=("n", "d")), File(("n", "a"), 1, 0)]
    assert without_dangling([*files], Notes()) == files


def test_padding_is_nothing_to_lead_to():
    files = [File(("n", "l"), 0, 0, symlink=("n", ".pad", "1")), File(("n", ".pad", "1"), 1, 0, padding=True)]
    notes = Notes()
    assert without_dangling(files, notes)[0].symlink is None
    assert notes.texts() == ("'n/l' is a symbolic link to nothing in the torrent: left empty",)


@pytest.mark.slow
def test_many_deep_links_take_no_time():
    """Twenty thousand links through one another, a hundred components each."""
    deep = ("d",) * 98
    files = [File((*deep, f"l{n}"), 0, 0, symlink=(*deep, f"l{n + 1}")) for n in range(20_000)]
    started = time.process_time()
    without_dangling(files, Notes())
    assert time.process_time() - started < 10
