"""Layers that come in chunks."""

from random import Random

import pytest

from trio_torrent.metainfo.files import File, FileLayout
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.metainfo.merkle import DIGEST, file_root, pad_hash
from trio_torrent.metainfo.proofs import CHUNK, PieceLayer, cut
from trio_torrent.metainfo.trees import Tree, Trees
from trio_torrent.swarm.layers import MissingLayers
from trio_torrent.swarm.questions import Question
from trio_torrent.wire.messages import HashRequest

PIECE = 2 * BLOCK_SIZE


def make(*pieces: int) -> tuple[Trees, dict[bytes, bytes]]:
    """Files of so many pieces, and their layers."""
    layers = [Random(number).randbytes(count * DIGEST) for number, count in enumerate(pieces)]
    roots = [file_root(layer, PIECE) for layer in layers]
    files, offset = [], 0
    for number, count in enumerate(pieces):
        files.append(File((f"{number}",), count * PIECE, offset, pieces_root=roots[number]))
        offset += count * PIECE
    trees = Trees(FileLayout(files), Geometry.aligned(PIECE, [file.length for file in files]))
    return trees, dict(zip(roots, layers, strict=True))


def answer(tree: Tree, layer: bytes, request: HashRequest) -> bytes:
    """What an honest peer sends."""
    pieces = tree.pieces_under(request.base, request.index, request.length)
    rows = PieceLayer(tree, layer).rows(range(pieces.start - tree.first, pieces.stop - tree.first))
    return cut(rows, request.base, request.index, request.length, request.uncles)


@pytest.mark.parametrize("pieces", [2, 3, 511, CHUNK, CHUNK + 1, CHUNK + 2, 3 * CHUNK, 3 * CHUNK + 7])
def test_chunks_make_up_a_layer(pieces: int):
    trees, layers = make(pieces)
    (tree,) = trees
    missing = MissingLayers(trees, {})
    questions = [*missing.questions()]
    Random(1).shuffle(questions)
    for question in questions:
        assert not missing.complete
        request = question.request
        assert request.length >= 2
        assert request.length & (request.length - 1) == 0
        assert request.length <= CHUNK
        assert request.index % request.length == 0
        assert tree.holds(request.base, request.index, request.length, request.proofs)
        digests = answer(tree, layers[tree.root], request)
        assert question.is_proven_by(digests)
        missing.take(question, digests)
    assert missing.complete
    assert missing.taken() == layers


def test_what_is_known_is_not_asked_for():
    trees, layers = make(3, 1, 4)
    first, small, second = trees
    missing = MissingLayers(trees, {first.root: layers[first.root]})
    assert [question.request.root for question in missing.questions()] == [second.root]
    assert MissingLayers(trees, layers).complete
    assert small.pieces == 1  # verified by its root alone


def test_identical_files_are_asked_for_once():
    trees, _ = make(3)
    (tree,) = trees
    twin = File(("twin",), 3 * PIECE, 3 * PIECE, pieces_root=tree.root)
    both = FileLayout([File(("0",), 3 * PIECE, 0, pieces_root=tree.root), twin])
    missing = MissingLayers(Trees(both, Geometry.aligned(PIECE, [3 * PIECE] * 2)), {})
    assert len([*missing.questions()]) == 1


def test_padding_comes_along_and_is_not_kept():
    trees, layers = make(3)
    (tree,) = trees
    (question,) = MissingLayers(trees, {}).questions()
    assert isinstance(question, Question)
    assert answer(tree, layers[tree.root], question.request)[3 * DIGEST : 4 * DIGEST] == pad_hash(1)
