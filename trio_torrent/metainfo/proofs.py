"""Parts of a file's hash tree, with what proves them (BEP 52, "hash request").

A *row* is a run of nodes of one height. Whoever is asked for some nodes and their uncles needs few rows: those over the
piece they are in, those over a chunk of the piece layer, and the short ones near the root, which stay the same and are
worth keeping. So an answer costs hashing of a chunk, however large the file.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from .merkle import DIGEST, height_over, pad_hash, parents
from .trees import Tree

# Nodes of a piece layer that are asked for at once (BEP 52: "SHOULD NOT be greater than 512").
CHUNK = 512
_CHUNK_HEIGHT = height_over(CHUNK)


@attrs.frozen
class Row:
    """Nodes of one height, end to end; `first` is the place of the first. Padding behind may be left out."""

    height: int
    first: int
    nodes: bytes = attrs.field(repr=False)


def rows_over(row: Row, levels: int) -> list[Row]:
    """The row, and `levels` more over it. It begins at a multiple of 2 ** `levels`."""
    rows = [row]
    for _ in range(levels):
        odd = len(row.nodes) // DIGEST % 2
        row = Row(row.height + 1, row.first >> 1, parents(row.nodes + pad_hash(row.height) * odd))
        rows.append(row)
    return rows


def cut(rows: Iterable[Row], base: int, index: int, length: int, uncles: int) -> bytes:
    """`length` nodes from `index` of the layer at `base`, and so many of their uncles from the lowest one up."""
    found = {row.height: row for row in rows}
    over = base + height_over(length)
    proof = [_nodes(found[height], (index >> height - base) ^ 1, 1) for height in range(over, over + uncles)]
    return b"".join([_nodes(found[base], index, length), *proof])


def _nodes(row: Row, index: int, length: int) -> bytes:
    start = (index - row.first) * DIGEST
    nodes = row.nodes[start : start + length * DIGEST]
    return nodes + pad_hash(row.height) * (length - len(nodes) // DIGEST)


class PieceLayer:
    """The tree from a file's piece layer up to its root. For any thread."""

    def __init__(self, tree: Tree, layer: bytes) -> None:
        self._tree = tree
        self._layer = layer
        self._levels = min(_CHUNK_HEIGHT, tree.height - tree.piece_height)  # of a chunk
        self._top: list[Row] | None = None

    def rows(self, pieces: range) -> list[Row]:
        """What proves nodes over these pieces, counted from the file's first."""
        first, last = pieces.start >> self._levels, (pieces.stop - 1) >> self._levels
        return rows_over(self._chunk(first, last + 1), self._levels) + self._upper()

    def _chunk(self, first: int, end: int) -> Row:
        size = DIGEST << self._levels
        return Row(self._tree.piece_height, first << self._levels, self._layer[first * size : end * size])

    def _upper(self) -> list[Row]:
        """The rows over the roots of the chunks: 1/256 of the layer's bytes, and as long to make as all the others."""
        if self._top is None:
            size = DIGEST << self._levels
            chunks = [self._chunk(number, number + 1) for number in range(-(-len(self._layer) // size))]
            roots = b"".join([rows_over(chunk, self._levels)[-1].nodes for chunk in chunks])
            height = self._tree.piece_height + self._levels
            self._top = rows_over(Row(height, 0, roots), self._tree.height - height)
        return self._top
