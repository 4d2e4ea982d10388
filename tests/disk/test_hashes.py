"""Parts of hash trees, read from layers and files."""

from pathlib import Path

import pytest

from tests.metainfo.making import Contents, make_torrent
from tests.payload import random_bytes, write
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.disk.files import Files
from trio_torrent.disk.hashes import READ, HashReader, cost
from trio_torrent.errors import StorageError
from trio_torrent.metainfo.infohash import Version
from trio_torrent.metainfo.merkle import DIGEST, leaves_of, proven_root
from trio_torrent.metainfo.trees import Tree
from trio_torrent.wire.messages import Hashes, HashRequest

KiB = 1024
BIG, SMALL = random_bytes(300 * KiB + 5), random_bytes(40 * KiB)  # five pieces of four blocks; one of three
CONTENTS: Contents = {("a",): b"first", ("big",): BIG, ("small",): SMALL}


@pytest.fixture(params=["2", "hybrid"])
def metainfo(request: pytest.FixtureRequest) -> Metainfo:
    version: Version = request.param
    return Metainfo.from_bytes(make_torrent("n", CONTENTS, version, 64 * KiB))


@pytest.fixture
def reader(tmp_path: Path, metainfo: Metainfo) -> HashReader:
    write(tmp_path, {f"n/{path[0]}": data for path, data in CONTENTS.items()})
    return HashReader(metainfo, Files(tmp_path, metainfo.layout))


def big(metainfo: Metainfo) -> Tree:
    return next(tree for tree in metainfo.trees if tree.pieces > 1)


def ask(tree: Tree, base: int, index: int, length: int) -> HashRequest:
    return HashRequest(tree.root, base, index, length, tree.height - base - 1)


def assert_proven(hashes: Hashes) -> None:
    end = hashes.request.length * DIGEST
    proof = [hashes.digests[at : at + DIGEST] for at in range(end, len(hashes.digests), DIGEST)]
    assert proven_root(hashes.digests[:end], hashes.request.index, proof) == hashes.request.root


@pytest.mark.parametrize("index", [0, 4, 8, 16])
def test_leaves_of_a_piece(metainfo: Metainfo, reader: HashReader, index: int):
    tree = big(metainfo)
    hashes = reader.read(ask(tree, 0, index, 4), tree)
    data = BIG[index * 16 * KiB : (index + 4) * 16 * KiB]
    assert hashes.digests[: 4 * DIGEST] == leaves_of(data).ljust(4 * DIGEST, b"\0")
    assert_proven(hashes)


@pytest.mark.parametrize(
    ("base", "index", "length"), [(0, 0, 32), (0, 6, 2), (1, 2, 2), (2, 0, 8), (2, 4, 2), (3, 2, 2)]
)
def test_other_parts(metainfo: Metainfo, reader: HashReader, base: int, index: int, length: int):
    tree = big(metainfo)
    assert tree.holds(base, index, length, tree.height - base - 1)
    assert_proven(reader.read(ask(tree, base, index, length), tree))


def test_a_file_of_one_piece(metainfo: Metainfo, reader: HashReader):
    tree = [*metainfo.trees][-1]
    assert tree.height == 2
    hashes = reader.read(ask(tree, 0, 0, 4), tree)
    assert hashes.digests == leaves_of(SMALL).ljust(4 * DIGEST, b"\0")
    assert_proven(hashes)


def test_what_an_answer_costs(metainfo: Metainfo):
    tree = big(metainfo)
    assert cost(ask(tree, 2, 0, 4), tree) == 0
    assert cost(ask(tree, 0, 4, 4), tree) == 64 * KiB
    assert cost(ask(tree, 0, 0, 8), tree) == 128 * KiB


def test_layers_need_no_data_and_leaves_do(metainfo: Metainfo, tmp_path: Path):
    reader = HashReader(metainfo, Files(tmp_path, metainfo.layout))
    tree = big(metainfo)
    assert_proven(reader.read(ask(tree, 2, 0, 8), tree))
    with pytest.raises(StorageError, match="big"):
        reader.read(ask(tree, 0, 0, 4), tree)


def test_a_long_piece_is_read_in_parts(tmp_path: Path):
    data = random_bytes(READ + 20 * KiB)
    metainfo = Metainfo.from_bytes(make_torrent("n", {(): data}, "2", 2 * READ))
    write(tmp_path, {"n": data})
    (tree,) = metainfo.trees
    hashes = HashReader(metainfo, Files(tmp_path, metainfo.layout)).read(ask(tree, 0, 0, 128), tree)
    assert hashes.digests == leaves_of(data).ljust(128 * DIGEST, b"\0")
