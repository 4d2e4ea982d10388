"""Parts of hash trees for peers who ask: from the piece layers, and below them from the data."""

from __future__ import annotations

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.metainfo.merkle import leaves_of
from trio_torrent.metainfo.proofs import PieceLayer, Row, cut, rows_over
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.metainfo.trees import Tree
from trio_torrent.wire.messages import Hashes, HashRequest

from .files import Files

READ = 1 << 20  # bytes read at once, a multiple of the block size; a piece may be of many MiB


class HashReader:
    """Answers for one torrent, from verified pieces and known layers only. For any thread."""

    def __init__(self, metainfo: Metainfo, files: Files) -> None:
        self._piece_length = metainfo.geometry.piece_length
        self._layers = metainfo.piece_layers
        self._files = files
        self._kept: dict[bytes, PieceLayer] = {}  # one for each large file, 1/256 of its layer

    def read(self, request: HashRequest, tree: Tree) -> Hashes:
        """A part that the tree `holds`. StorageError if a file is missing or too short."""
        pieces = tree.pieces_under(request.base, request.index, request.length)
        own = range(pieces.start - tree.first, pieces.stop - tree.first)
        rows = self._layer(tree).rows(own) if tree.pieces > 1 else []
        if request.base < tree.piece_height:
            leaves = Row(0, own.start * tree.piece_blocks, self._leaves(tree, own))
            rows = rows_over(leaves, tree.piece_height)[: tree.piece_height] + rows
        return Hashes(request, cut(rows, request.base, request.index, request.length, request.uncles))

    def _layer(self, tree: Tree) -> PieceLayer:
        kept = self._kept.get(tree.root)
        if kept is None:
            kept = self._kept[tree.root] = PieceLayer(tree, self._layers[tree.root])
        return kept

    def _leaves(self, tree: Tree, pieces: range) -> bytes:
        file = self._files.layout.files[tree.file]
        start, end = pieces.start * self._piece_length, min(pieces.stop * self._piece_length, file.length)
        buffer = memoryview(bytearray(min(READ, end - start)))
        leaves = []
        for at in range(start, end, READ):
            data = buffer[: end - at]
            self._files.read(file.offset + at, data)
            leaves.append(leaves_of(data))
        return b"".join(leaves)


def cost(request: HashRequest, tree: Tree) -> int:
    """Bytes of data that have to be read and hashed for the answer, about; none where the layers have it all."""
    if request.base >= tree.piece_height:
        return 0
    return len(tree.pieces_under(request.base, request.index, request.length)) * tree.piece_blocks * BLOCK_SIZE
