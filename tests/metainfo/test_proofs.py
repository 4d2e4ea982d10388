"""Parts of hash trees against whole ones, made the slow way."""

from random import Random

import pytest

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.metainfo.merkle import DIGEST, height_over, pad_hash, parents, proven_root
from trio_torrent.metainfo.proofs import PieceLayer, Row, cut, rows_over
from trio_torrent.metainfo.trees import Tree

RANDOM = Random(52)


def whole_tree(leaves: list[bytes]) -> list[list[bytes]]:
    """Every layer, padding and all."""
    layer = b"".join(leaves).ljust(DIGEST << height_over(len(leaves)), b"\0")
    layers = [layer]
    while len(layer) > DIGEST:
        layer = parents(layer)
        layers.append(layer)
    return [[layer[at : at + DIGEST] for at in range(0, len(layer), DIGEST)] for layer in layers]


def make(blocks: int, piece_height: int) -> tuple[Tree, list[list[bytes]]]:
    layers = whole_tree([RANDOM.randbytes(DIGEST) for _ in range(blocks)])
    pieces = -(-blocks >> piece_height)
    height = piece_height if pieces > 1 else height_over(blocks)
    return Tree(0, layers[-1][0], 0, pieces, blocks, height), layers


def rows(tree: Tree, layers: list[list[bytes]], base: int, index: int, length: int) -> list[Row]:
    """What a reader of the file would have at hand."""
    found = []
    pieces = tree.pieces_under(base, index, length)
    if base < tree.piece_height:
        leaves = b"".join(layers[0][pieces.start * tree.piece_blocks : pieces.stop * tree.piece_blocks])
        found += rows_over(Row(0, pieces.start * tree.piece_blocks, leaves), tree.piece_height)
    if tree.pieces > 1:
        layer = b"".join(layers[tree.piece_height][: tree.pieces])
        found += PieceLayer(tree, layer).rows(pieces)
    return found


@pytest.mark.parametrize(("blocks", "piece_height"), [(2, 3), (5, 3), (8, 3), (9, 3), (11, 2), (13, 0), (1026, 0)])
def test_every_part_of_a_tree_leads_to_its_root(blocks: int, piece_height: int):
    tree, layers = make(blocks, piece_height)
    for base in range(tree.height):
        length = 1
        while length <= tree.width(base):
            starts = range(0, tree.width(base), length)
            for index in starts if len(starts) < 40 else [0, length, starts[len(starts) // 2], starts[-1]]:
                proofs = tree.height - base - 1
                assert tree.holds(base, index, length, proofs) is (index < tree.nodes(base))
                if not tree.holds(base, index, length, proofs):
                    continue  # nothing but padding
                uncles = max(0, proofs - height_over(length) + 1)
                part = cut(rows(tree, layers, base, index, length), base, index, length, uncles)
                nodes, proof = part[: length * DIGEST], part[length * DIGEST :]
                assert nodes == b"".join(layers[base][index : index + length])
                steps = [proof[at : at + DIGEST] for at in range(0, len(proof), DIGEST)]
                assert proven_root(nodes, index, steps) == tree.root
            length *= 2


def test_fewer_uncles_lead_to_a_node_below_the_root():
    tree, layers = make(64, 2)
    part = cut(rows(tree, layers, 0, 12, 2), 0, 12, 2, 1)
    assert proven_root(part[: 2 * DIGEST], 12, [part[2 * DIGEST :]]) == layers[2][3]  # the piece


def test_what_ends_with_the_layer_need_not_be_a_power_of_two():
    tree, layers = make(7, 0)
    assert tree.holds(0, 4, 3, 2)
    assert not tree.holds(0, 4, 1 + 4, 2)
    assert not tree.holds(0, 0, 3, 2)
    part = cut(rows(tree, layers, 0, 4, 3), 0, 4, 3, 1)
    assert part == b"".join([*layers[0][4:7], layers[2][0]])


@pytest.mark.parametrize(
    ("base", "index", "length", "proofs"),
    [
        (0, 0, 0, 0),
        (0, 1, 2, 0),  # not aligned
        (0, 16, 2, 0),  # past the end
        (0, 8, 16, 0),
        (4, 0, 1, 0),  # the root itself
        (40, 0, 1, 0),
        (0, 0, 2, 4),  # more uncles than there are
        (0, 0, 3, 0),
        (2**32 - 1, 0, 2, 0),
        (0, 2**32 - 2, 2, 0),
        (0, 0, 2**32 - 1, 0),
    ],
)
def test_what_is_no_part(base: int, index: int, length: int, proofs: int):
    tree, _ = make(15, 2)
    assert not tree.holds(base, index, length, proofs)


def test_which_pieces_are_under_some_nodes():
    tree = Tree(0, bytes(32), 10, 5, 18, 2)  # pieces 10 to 14, four blocks each, the last of two
    assert tree.pieces_under(0, 4, 4) == range(11, 12)
    assert tree.pieces_under(0, 5, 1) == range(11, 12)
    assert tree.pieces_under(0, 0, 16) == range(10, 14)
    assert tree.pieces_under(2, 4, 4) == range(14, 15)
    assert tree.pieces_under(3, 1, 1) == range(12, 14)
    assert not tree.pieces_under(2, 6, 2)


def test_padding_at_every_height():
    row = rows_over(Row(0, 0, bytes(DIGEST)), 3)[-1]
    assert row == Row(3, 0, pad_hash(3))
    assert BLOCK_SIZE == 16384
