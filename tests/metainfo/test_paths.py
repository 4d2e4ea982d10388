"""Names made safe. The cases that need a whole torrent are in cases.py."""

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import names
from trio_torrent.metainfo.paths import SafeNames, distinct, safe_component

FORBIDDEN = set("/\\\0\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        (b"con", "_con"),
        (b"CON.txt", "_CON.txt"),
        (b"aux.c", "_aux.c"),
        (b"com1", "_com1"),
        ("com¹".encode(), "_com¹"),
        (b"lpt9.tar.gz", "_lpt9.tar.gz"),
        (b"clock$", "_clock$"),
        (b"console", "console"),
        (b"com", "com"),
        (b"a.", "a"),
        (b"a. . .", "a"),
        (b"...", "_"),
        (b" ", "_"),
        (b"C:", "C_"),
        (b"a:stream", "a_stream"),
        (b'<>:"|?*', "_______"),
        (b"con.", "_con"),
        (b"NUL ", "_NUL"),
    ],
)
def test_on_windows(raw, safe):
    assert safe_component(raw, windows=True) == safe
    assert safe_component(raw, windows=False) != safe or raw.decode() == safe or safe == "_"


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_become_a_safe_name(raw, windows):
    name = safe_component(raw, windows=windows)
    assert name not in ("", ".", "..")
    assert not FORBIDDEN & set(name)
    assert all(character > "\x1f" and not "\x7f" <= character <= "\x9f" for character in name)
    assert len(name.encode()) <= 255
    if windows:
        assert name.rstrip(". ") == name
        assert not set('<>:"|?*') & set(name)
    assert safe_component(name.encode(), windows=windows) == name or len(name.encode()) > 240


@given(names)
def test_a_good_name_is_kept(name):
    assert safe_component(name.encode(), windows=False) == name


def test_names_are_remembered_and_are_bytes():
    safe = SafeNames()
    assert safe[b".."] is safe[b".."]
    assert safe.path([b"..", b"a", b"a"]) == ("_", "a", "a")
    with pytest.raises(TypeError):
        safe[5]  # type: ignore[index]


paths = st.lists(
    st.lists(st.sampled_from(["a", "A", "a.1", "b.txt", "B.1.txt", "é", "É", "e\u0301", ".x"]), min_size=1, max_size=3)
    .map(tuple),
    max_size=12,
)  # fmt: skip


def folded_plainly(path: tuple[str, ...]) -> str:
    return "/".join(path).replace("e\u0301", "é").casefold()


@given(paths)
def test_distinct(paths):
    found = distinct(paths)
    folded = ["/".join(path).replace("e\u0301", "é").casefold() for path in found]
    assert len(set(folded)) == len(paths)  # no two meet
    folders = {
        "/".join(path[:depth]).replace("e\u0301", "é").casefold() for path in paths for depth in range(1, len(path))
    }
    assert folders.isdisjoint(folded)  # nor does a file meet a folder
    assert [path[:-1] for path in found] == [path[:-1] for path in paths]  # and folders stay what they were
    assert distinct(found) == found


@pytest.mark.slow
def test_many_twins_are_told_apart_in_linear_time():
    """A hundred thousand files of one name, and a hundred thousand that take the numbers away."""
    random = Random(1)
    paths: list[tuple[str, ...]] = [("n", "same.txt")] * 100_000
    paths += [("n", f"same.{number}.txt") for number in range(1, 100_000)]
    random.shuffle(paths)
    started = time.process_time()
    assert len(set(distinct(paths))) == len(paths)
    assert time.process_time() - started < 10
