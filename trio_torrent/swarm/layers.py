"""Learning the piece layers that a torrent lacks, from peers (BEP 52).

An info dictionary alone, as it comes by a magnet link, has the roots of its files and nothing below. Each layer is
asked for in chunks, each of which proves itself by the root, so several peers can give one layer and none can spoil it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trio_torrent.metainfo.merkle import DIGEST, height_over
from trio_torrent.metainfo.proofs import CHUNK
from trio_torrent.metainfo.trees import Tree, Trees
from trio_torrent.wire.messages import HashRequest

from .questions import Question


class MissingLayers:
    """The layers that are on their way. They cost 32 bytes a piece, as in a .torrent that has them."""

    def __init__(self, trees: Trees, known: Mapping[bytes, bytes]) -> None:
        large = {tree.root: tree for tree in trees if tree.pieces > 1}
        self._trees = {root: tree for root, tree in large.items() if root not in known}
        self._found: dict[bytes, bytearray] = {}
        self._lacking = sum(-(-tree.pieces // CHUNK) for tree in self._trees.values())  # chunks

    @property
    def complete(self) -> bool:
        """Nothing is missing any more."""
        return not self._lacking

    def questions(self) -> Iterator[Question]:
        """All that has to be asked, the first file first."""
        for tree in self._trees.values():
            for index in range(0, tree.pieces, CHUNK):
                yield Question(_chunk(tree, index), tree.root, range(0))

    def take(self, question: Question, digests: bytes) -> None:
        """A proven chunk."""
        tree, index = self._trees[question.request.root], question.request.index
        layer = self._found.setdefault(tree.root, bytearray(tree.pieces * DIGEST))
        size = min(question.request.length, tree.pieces - index) * DIGEST
        layer[index * DIGEST : index * DIGEST + size] = digests[:size]
        self._lacking -= 1

    def taken(self) -> dict[bytes, bytes]:
        """All layers, by their files' roots; they are the caller's now."""
        found, self._found = self._found, {}
        return {root: bytes(layer) for root, layer in found.items()}


def _chunk(tree: Tree, index: int) -> HashRequest:
    # BEP 52 wants a power of two from two on; what is past the end of the file comes as padding.
    length = max(2, 1 << height_over(min(CHUNK, tree.pieces - index)))
    base = tree.piece_height
    return HashRequest(tree.root, base, index, length, tree.height - base - 1)
