"""The shapes of a torrent's hash trees."""

from tests.metainfo.making import Contents, make_torrent
from trio_torrent.metainfo import Metainfo
from trio_torrent.metainfo.infohash import Version

KiB = 1024
CONTENTS: Contents = {
    ("a",): b"a" * (100 * KiB),  # four pieces of two blocks
    ("b",): b"b",
    ("c",): b"",
    ("d",): b"a" * (100 * KiB),
    ("e",): b"e" * (32 * KiB),
}


def load(version: Version) -> Metainfo:
    return Metainfo.from_bytes(make_torrent("n", CONTENTS, version, 32 * KiB))


def test_pieces_heights_and_roots():
    metainfo = load("2")
    shapes = [(tree.file, tree.first, tree.pieces, tree.blocks, tree.piece_height) for tree in metainfo.trees]
    assert shapes == [(0, 0, 4, 7, 1), (1, 4, 1, 1, 0), (3, 5, 4, 7, 1), (4, 9, 1, 2, 1)]
    assert [tree.height for tree in metainfo.trees] == [3, 0, 3, 1]
    assert all(tree.root == metainfo.files[tree.file].pieces_root for tree in metainfo.trees)


def test_a_hybrid_has_the_same_and_its_padding_has_none():
    two, hybrid = load("2").trees, load("hybrid").trees
    assert [(tree.root, tree.first, tree.pieces) for tree in two] == [
        (tree.root, tree.first, tree.pieces) for tree in hybrid
    ]


def test_a_v1_torrent_has_no_trees():
    assert [*load("1").trees] == []
    assert load("1").trees.at(0) is None


def test_by_root_and_by_piece():
    trees = load("2").trees
    a, b, d, e = trees
    assert trees.of(a.root) == [a, d]  # the same content
    assert trees.of(b.root) == [b]
    assert trees.of(bytes(32)) == []
    assert [trees.at(piece) for piece in range(10)] == [a, a, a, a, b, d, d, d, d, e]
    assert trees.at(10) is None


def test_pieces_that_nothing_can_be_compared_with_yet():
    whole = load("2")
    bare = Metainfo.from_info(whole.info_bytes)
    assert [*bare.unverifiable] == [0, 1, 2, 3, 5, 6, 7, 8]
    assert not whole.unverifiable
    assert not Metainfo.from_info(load("hybrid").info_bytes).unverifiable  # there is SHA-1
