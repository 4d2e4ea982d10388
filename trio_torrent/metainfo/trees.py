"""The hash trees of a torrent's files by their shapes: how high, which pieces, what may be asked of them (BEP 52).

Heights count from the leaves, which are 0. Where a file is longer than a piece, the nodes over its pieces are its
*piece layer*, which a .torrent may lack; a shorter file has its root and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import attrs

from .files import FileLayout
from .geometry import BLOCK_SIZE, Geometry
from .merkle import height_over, piece_height


@attrs.frozen
class Tree:
    """The shape of one file's tree."""

    file: int  # its place in FileLayout.files
    root: bytes
    first: int  # its first piece
    pieces: int
    blocks: int  # of data: leaves that are not padding
    piece_height: int  # of the nodes over its pieces; of the root, if it has one piece

    @property
    def height(self) -> int:
        """How high the root is."""
        return height_over(self.blocks)

    @property
    def piece_blocks(self) -> int:
        """Leaves under the node over a piece, padding included."""
        return 1 << self.piece_height

    def width(self, height: int) -> int:
        """Nodes of a layer, padding included: a power of two."""
        return 1 << self.height - height

    def holds(self, base: int, index: int, length: int, proofs: int) -> bool:
        """There is such a part of the tree, cut as BEP 52 has it ("hash request").

        The length is a power of two, or ends with the layer, and divides the index, rounded up to a power of two.
        """
        if base >= self.height or proofs >= self.height - base or not 0 < length <= self.width(base) - index:
            return False
        if index >= self.nodes(base):
            return False  # nothing but padding
        whole = 1 << height_over(length)
        return index % whole == 0 and (length == whole or index + length == self.nodes(base))

    def nodes(self, height: int) -> int:
        """Nodes of a layer that are over data."""
        return -(-self.blocks >> height)

    def pieces_under(self, base: int, index: int, length: int) -> range:
        """The torrent's pieces that these nodes stand for, wholly or in part."""
        start, end = index << base, index + length << base  # of the leaves
        first, last = start >> self.piece_height, end - 1 >> self.piece_height
        return range(self.first + min(first, self.pieces), self.first + min(last + 1, self.pieces))


class Trees:
    """Every file's tree, by root and by piece. Identical files share a root."""

    def __init__(self, layout: FileLayout, geometry: Geometry) -> None:
        self._by_root: dict[bytes, list[Tree]] = {}
        self._all: list[Tree] = []
        most = piece_height(geometry.piece_length)
        for number, file in enumerate(layout.files):
            if file.pieces_root is not None and file.length:
                pieces, blocks = layout.pieces_of(number, geometry.piece_length), -(-file.length // BLOCK_SIZE)
                height = most if len(pieces) > 1 else height_over(blocks)
                tree = Tree(number, file.pieces_root, pieces.start, len(pieces), blocks, height)
                self._all.append(tree)
                self._by_root.setdefault(tree.root, []).append(tree)
        self._firsts = [tree.first for tree in self._all]

    def __iter__(self) -> Iterator[Tree]:
        return iter(self._all)

    def of(self, root: bytes) -> list[Tree]:
        """Those with this root; none if it is nobody's."""
        return self._by_root.get(root, [])

    def at(self, piece: int) -> Tree | None:
        """That of the file which begins in this piece or goes on there; None where there is nothing but padding."""
        place = bisect_right(self._firsts, piece) - 1
        tree = self._all[place] if place >= 0 else None
        return tree if tree is not None and piece < tree.first + tree.pieces else None
