"""Whether bytes are a piece of a v2 torrent, by the hash trees of its files (BEP 52)."""

from __future__ import annotations

from collections.abc import Mapping

from trio_torrent.bencode import Value
from trio_torrent.errors import MetainfoError

from .fields import Fields
from .files import File, FileLayout
from .merkle import DIGEST, Data, file_root, piece_node

Layers = Mapping[bytes, bytes]  # a file's root -> the digests of its pieces, end to end


def read_piece_layers(fields: Fields, layout: FileLayout, piece_length: int) -> Layers:
    """Check `piece layers`: each one leads to the root of a file. Raises MetainfoError.

    Layers may be missing, as they are from an info dictionary that peers sent; `missing_layers` says which.
    """
    lengths = {file.pieces_root: file.length for file in layout.files if _needs_layer(file, piece_length)}
    values = fields.require_dict(b"piece layers").values if b"piece layers" in fields.values else {}
    layers = {}
    for root, layer in values.items():
        if root not in lengths:
            raise MetainfoError(f"piece layers has an entry for no file, {root.hex()[:16]}")
        layers[root] = _checked(root, layer, lengths[root], piece_length)
    if len(layers) < len(lengths):
        fields.notes.add(f"piece layers misses {len(lengths) - len(layers)} files: peers must give them")
    return layers


def _checked(root: bytes, layer: Value, length: int, piece_length: int) -> bytes:
    """A layer, known to be of a file with this root and length. Raises MetainfoError."""
    pieces = -(-length // piece_length)
    if not isinstance(layer, bytes) or len(layer) != pieces * DIGEST:
        raise MetainfoError(f"piece layers has not {pieces} digests for {root.hex()[:16]}")
    if file_root(layer, piece_length) != root:
        raise MetainfoError(f"piece layers has digests that do not lead to {root.hex()[:16]}")
    return layer


def _needs_layer(file: File, piece_length: int) -> bool:
    """Files up to a piece long are verified by their root alone."""
    return file.pieces_root is not None and file.length > piece_length


def has_layer(file: File, piece_length: int, layers: Layers) -> bool:
    """Whether the file's pieces can be verified by its tree."""
    return not _needs_layer(file, piece_length) or file.pieces_root in layers


def missing_layers(layout: FileLayout, piece_length: int, layers: Layers) -> tuple[int, ...]:
    """The numbers of the files whose pieces cannot be verified by a tree yet."""
    files = enumerate(layout.files)
    return tuple([number for number, file in files if not has_layer(file, piece_length, layers)])


def matches_tree(file: File, start: int, piece_length: int, layers: Layers, data: Data) -> bool:
    """Whether the data is what the file has at `start`, the beginning of a piece of it.

    What is past the end of the file is padding, and left to v1. ValueError where the file's layer is missing.
    """
    root = file.pieces_root or b""
    data = memoryview(data)[: file.length - start]
    layer = root if file.length <= piece_length else layers.get(root)
    if layer is None:
        raise ValueError(f"there is no piece layer for {'/'.join(file.path)!r} yet")
    at = start // piece_length * DIGEST
    return piece_node(data, piece_length, file.length) == layer[at : at + DIGEST]
