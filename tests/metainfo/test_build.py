"""Drafts: the layout, what to hash, the bytes. That the info-hashes are libtorrent's is tested in interop/."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metainfo.making import BLOCK, Contents, content_of, finish, make_torrent, piece_of
from tests.strategies import contents, versions
from trio_torrent.address import Address
from trio_torrent.bencode import decode
from trio_torrent.errors import MetainfoError
from trio_torrent.metainfo import Metainfo
from trio_torrent.metainfo.build import Draft, Entry, choose_piece_length, draft
from trio_torrent.metainfo.geometry import MAX_PIECES
from trio_torrent.metainfo.infohash import Version

TREE = [Entry(("b",), 20000), Entry(("a", "x"), 10), Entry(("a.b",), 0)]


def shape(plan: Draft | Metainfo) -> list[tuple[str, int, int]]:
    return [("/".join(file.path), file.offset, file.length) for file in plan.layout.files]


@pytest.mark.parametrize(
    ("version", "files", "pieces"),
    [
        ("1", [("n/a/x", 0, 10), ("n/a.b", 10, 0), ("n/b", 10, 20000)], 2),
        ("2", [("n/a/x", 0, 10), ("n/a.b", BLOCK, 0), ("n/b", BLOCK, 20000)], 3),
        (
            "hybrid",
            [
                ("n/a/x", 0, 10),
                ("n/.pad/16374", 10, 16374),
                ("n/a.b", BLOCK, 0),
                ("n/b", BLOCK, 20000),
                ("n/.pad/12768", BLOCK + 20000, 12768),
            ],
            3,
        ),
    ],
)
def test_layout(version, files, pieces):
    plan = draft("n", TREE, version=version, piece_length=BLOCK)
    assert shape(plan) == files
    assert plan.geometry.pieces == pieces
    assert plan.geometry.size == 20010


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_one_file(version):
    plan = draft("n", [Entry((), 20000)], version=version, piece_length=BLOCK)
    assert shape(plan) == [("n", 0, 20000)]


def test_a_folder_of_one_file_keeps_its_folder_but_in_v2():
    """A v2 tree has no way to say it (BEP 52, "interpreting paths")."""
    paths: dict[Version, str] = {"1": "n/f", "2": "f", "hybrid": "n/f"}
    for version, path in paths.items():
        plan = draft("n", [Entry(("f",), 5)], version=version, piece_length=BLOCK)
        assert shape(plan) == [(path, 0, 5)]
        metainfo = Metainfo.from_bytes(finish(plan, {("f",): b"12345"}))
        assert ["/".join(file.path) for file in metainfo.files] == [path]


@settings(max_examples=40, deadline=None)
@given(contents(), versions, st.sampled_from([BLOCK, 2 * BLOCK]))
def test_what_is_built_is_read_and_verifies(contents, version, piece_length):
    entries = [Entry(path, len(data)) for path, data in contents.items()]
    plan = draft("name", entries, version=version, piece_length=piece_length)
    metainfo = Metainfo.from_bytes(finish(plan, contents))
    assert metainfo.version == version
    assert metainfo.warnings == ()
    assert metainfo.geometry == plan.geometry
    assert shape(metainfo) == shape(plan)
    assert metainfo.missing_layers == ()
    for piece in range(metainfo.geometry.pieces):
        data = bytearray(piece_of(plan, contents, piece))
        assert len(data) == metainfo.geometry.piece_size(piece)
        assert metainfo.piece_matches(piece, memoryview(data))
        data[len(data) // 2] ^= 1
        assert not metainfo.piece_matches(piece, data)
        assert not metainfo.piece_matches(piece, data[:-1])


def test_the_same_files_give_the_same_bytes():
    contents = {("b",): b"2", ("a", "x"): b"1"}
    shuffled = dict(reversed(contents.items()))
    assert make_torrent("n", contents) == make_torrent("n", shuffled)


def test_attributes():
    entries = [
        Entry(("l",), symlink=("d", "f")),
        Entry(("d", "f"), 3, executable=True, hidden=True),
        Entry(("h",), 3, hidden=True),
    ]
    contents = {("d", "f"): b"abc", ("h",): b"abc"}
    versions: list[Version] = ["1", "2", "hybrid"]
    for version in versions:
        plan = draft("n", entries, version=version, piece_length=BLOCK)
        files = Metainfo.from_bytes(finish(plan, contents)).files
        found = [(f.path, f.executable, f.hidden, f.symlink) for f in files if not f.padding]
        assert found == [
            (("n", "d", "f"), True, True, None),
            (("n", "h"), False, True, None),
            (("n", "l"), False, False, ("n", "d", "f")),
        ]


def test_what_surrounds_the_info():
    data = make_torrent(
        "n",
        {(): b"x"},
        private=True,
        source="SRC",
        trackers=[["http://a.example/", "http://b.example/"], [], ["udp://c.example:1"]],
        web_seeds=["http://w.example/"],
        http_seeds=["http://h.example/"],
        nodes=[Address("1.2.3.4", 5), Address("::1", 6)],
        comment="a comment",
        created_by="a test",
        creation_date=0,
    )
    metainfo = Metainfo.from_bytes(data)
    assert metainfo.private
    assert metainfo.source == "SRC"
    assert metainfo.trackers == (("http://a.example/", "http://b.example/"), ("udp://c.example:1",))
    assert metainfo.web_seeds == ("http://w.example/",)
    assert metainfo.http_seeds == ("http://h.example/",)
    assert metainfo.nodes == (Address("1.2.3.4", 5), Address("::1", 6))
    assert (metainfo.comment, metainfo.created_by, metainfo.creation_date) == ("a comment", "a test", 0)
    values = decode(data, max_depth=9)
    assert isinstance(values, dict)
    assert values[b"announce"] == b"http://a.example/"


def test_nothing_is_written_that_was_not_given():
    values = decode(make_torrent("n", {(): b"x"}, version="1", trackers=[["http://a.example/"]]), max_depth=9)
    assert isinstance(values, dict)
    assert set(values) == {b"announce", b"info"}
    assert isinstance(values[b"info"], dict)
    assert set(values[b"info"]) == {b"length", b"name", b"piece length", b"pieces"}


@pytest.mark.parametrize(
    ("name", "entries", "message"),
    [
        ("n", [], "'n' has no files"),
        ("n", [Entry(("a",)), Entry(("b",))], "'n' has no bytes to share"),
        ("n", [Entry(("a",), 1), Entry(("a",), 2)], "two files of the same path"),
        ("n", [Entry((), 1), Entry(("a",), 2)], "two files of the same path"),
        ("..", [Entry((), 1)], "'..' cannot be a name in a torrent"),
        ("", [Entry((), 1)], "'' cannot be a name in a torrent"),
        ("n", [Entry(("a\\b",), 1)], "cannot be a name in a torrent"),
        ("n", [Entry(("a\nb",), 1)], "cannot be a name in a torrent"),
        ("n", [Entry(("x" * 250,), 1)], "cannot be a name in a torrent"),
        ("n", [Entry(("\udcff",), 1)], "'\\udcff' cannot be a name in a torrent"),
        ("n", [Entry(("a",), 1), Entry(("l",), symlink=("..", "a"))], "'..' cannot be a name in a torrent"),
        ("n", [Entry((), (MAX_PIECES + 1) * BLOCK)], "2097153 pieces, more than"),
    ],
)
def test_refused(name, entries, message):
    with pytest.raises(MetainfoError) as caught:
        draft(name, entries, piece_length=BLOCK)
    assert message in str(caught.value)


@pytest.mark.parametrize("piece_length", [0, -BLOCK, 1000, 8192, 3 * BLOCK, 1 << 29])
def test_piece_lengths_refused(piece_length):
    with pytest.raises(ValueError, match="a piece length of"):
        draft("n", [Entry((), 1)], piece_length=piece_length)


@pytest.mark.parametrize(("length", "symlink"), [(-1, ()), (1, ("a",))])
def test_lengths_refused(length, symlink):
    with pytest.raises(ValueError, match="a length of"):
        Entry(("l",), length, symlink=symlink)


def test_the_wrong_number_of_hashes():
    plan = draft("n", [Entry((), 20000)], piece_length=BLOCK)
    with pytest.raises(ValueError, match="20 bytes of SHA-1 for 2 pieces"):
        plan.to_bytes(v1_hashes=bytes(20), v2_layers={0: bytes(64)})
    with pytest.raises(ValueError, match="32 bytes of digests for 'n'"):
        plan.to_bytes(v1_hashes=bytes(40), v2_layers={0: bytes(32)})
    with pytest.raises(ValueError, match="0 bytes of digests for 'n'"):
        plan.to_bytes(v1_hashes=bytes(40))


@pytest.mark.parametrize(
    ("size", "piece_length"),
    [
        (0, 1 << 14),
        (1, 1 << 14),
        (32 << 20, 1 << 14),
        ((32 << 20) + 1, 1 << 15),
        (700 << 20, 1 << 19),
        (4 << 30, 1 << 21),
        (1 << 40, 16 << 20),
        (32 << 40, 16 << 20),
        ((32 << 40) + 1, 32 << 20),
    ],
)
def test_choose_piece_length(size, piece_length):
    assert choose_piece_length(size) == piece_length
    assert -(-size // piece_length) <= MAX_PIECES


def test_padding_is_read_as_zeros():
    contents: Contents = {("a",): b"a", ("b",): b"b"}
    plan = draft("n", [Entry(("a",), 1), Entry(("b",), 1)], piece_length=BLOCK)
    assert content_of(plan, contents, plan.layout.files[1]) == bytes(BLOCK - 1)
    assert piece_of(plan, contents, 0) == b"a" + bytes(BLOCK - 1)
