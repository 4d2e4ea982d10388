"""The hash trees of BEP 52: SHA-256, two branches, one leaf a block of 16 KiB.

A layer of a tree is its digests end to end, in one `bytes`. Leaves past the end of a file are zero; a node over nothing
but such leaves is a *pad*, and has one value at each height. A tree is as high as its number of leaves, rounded up to a
power of two, needs.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from .geometry import BLOCK_SIZE

DIGEST = 32  # bytes of a SHA-256

Data = bytes | bytearray | memoryview


def leaves_of(data: Data) -> bytes:
    """The leaves over some data: a digest for each block, the last of which may be short."""
    view = memoryview(data)
    return b"".join([sha256(view[at : at + BLOCK_SIZE]).digest() for at in range(0, len(view), BLOCK_SIZE)])


@cache
def pad_hash(height: int) -> bytes:
    """The node over 2 ** `height` leaves that are all past the end of the file."""
    return parents(pad_hash(height - 1) * 2) if height else bytes(DIGEST)


def parents(layer: bytes) -> bytes:
    """The layer above one with an even number of nodes."""
    pairs = range(0, len(layer), 2 * DIGEST)
    return b"".join([sha256(layer[at : at + 2 * DIGEST]).digest() for at in pairs])


def height_over(nodes: int) -> int:
    """How many layers above one of `nodes` the root is."""
    return max(nodes - 1, 0).bit_length()


def layers_above(layer: bytes, *, height: int = 0) -> list[bytes]:
    """A layer, each one above it, and the root at last. `height` is of the layer: 0 for leaves.

    A layer of odd length ends in a pad, which is not kept in what this returns.
    """
    layers = [layer]
    for _ in range(height_over(len(layer) // DIGEST)):
        if len(layer) // DIGEST % 2:
            layer += pad_hash(height)
        layer = parents(layer)
        height += 1
        layers.append(layer)
    return layers


def root_over(layer: bytes, *, height: int = 0) -> bytes:
    """The root over a layer of at least one node that is `height` above the leaves."""
    return layers_above(layer, height=height)[-1]


def piece_height(piece_length: int) -> int:
    """The height of the nodes that stand for whole pieces. The piece length is 16 KiB times a power of two."""
    return height_over(piece_length // BLOCK_SIZE)


def piece_root(data: Data, piece_length: int) -> bytes:
    """The node over one piece of a file that is longer than a piece; its last piece may be short."""
    leaves = leaves_of(data)
    root = root_over(leaves)
    for height in range(height_over(len(leaves) // DIGEST), piece_height(piece_length)):
        root = sha256(root + pad_hash(height)).digest()
    return root


def piece_node(data: Data, piece_length: int, file_length: int) -> bytes:
    """The node that stands for one piece of a file: the root itself where the file is no longer than a piece."""
    return piece_root(data, piece_length) if file_length > piece_length else root_over(leaves_of(data))


def file_root(layer: bytes, piece_length: int) -> bytes:
    """The root of a file by the nodes of its pieces."""
    return root_over(layer, height=piece_height(piece_length))


def uncles(layers: list[bytes], index: int, count: int, *, height: int = 0) -> list[bytes]:
    """What proves `count` nodes from `index` of the lowest layer: the siblings on the way up from their subtree.

    `count` is a power of two and divides `index`. `height` is of the lowest of `layers`, as `layers_above` made them.
    """
    found = []
    level = height_over(count)
    for layer in layers[level:-1]:
        sibling = (index >> level ^ 1) * DIGEST
        found.append(layer[sibling : sibling + DIGEST] or pad_hash(height + level))
        level += 1
    return found


def proven_root(nodes: bytes, index: int, proof: list[bytes]) -> bytes:
    """The root that nodes from `index` of a layer belong to, by their uncles (BEP 52, "hash request").

    The number of nodes is a power of two and divides `index`. The proof holds if this is the root that is known.
    """
    node = root_over(nodes)
    position = index >> height_over(len(nodes) // DIGEST)
    for uncle in proof:
        node = sha256(uncle + node if position & 1 else node + uncle).digest()
        position >>= 1
    return node
