"""Trees against a plain reading of BEP 52: pad the leaves with zeros to a power of two, and hash pairs."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.metainfo.merkle import (
    DIGEST,
    file_root,
    layers_above,
    leaves_of,
    pad_hash,
    piece_node,
    piece_root,
    proven_root,
    root_over,
    uncles,
)


def plain_root(leaves: list[bytes]) -> bytes:
    while len(leaves) & (len(leaves) - 1):
        leaves = [*leaves, bytes(32)]
    while len(leaves) > 1:
        leaves = [sha256(leaves[at] + leaves[at + 1]).digest() for at in range(0, len(leaves), 2)]
    return leaves[0]


def blocks_of(data: bytes) -> list[bytes]:
    return [sha256(data[at : at + BLOCK_SIZE]).digest() for at in range(0, len(data), BLOCK_SIZE)]


def test_pads():
    assert pad_hash(0) == bytes(32)
    assert pad_hash(1) == sha256(bytes(64)).digest()
    assert pad_hash(3) == plain_root([bytes(32)] * 8)


@pytest.mark.parametrize("size", [1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE, 5 * BLOCK_SIZE + 7])
def test_root_of_a_small_file(size):
    data = bytes(size)
    assert root_over(leaves_of(data)) == plain_root(blocks_of(data))
    assert piece_node(memoryview(data), 1 << 20, size) == plain_root(blocks_of(data))


def test_one_block_is_its_own_root():
    assert root_over(leaves_of(b"x")) == sha256(b"x").digest()


@pytest.mark.parametrize("blocks", range(1, 20))
@pytest.mark.parametrize("piece_blocks", [1, 2, 4, 8])
def test_root_by_way_of_pieces(blocks, piece_blocks):
    """The layer of the pieces, the last one filled up, leads to the same root as all leaves."""
    data = b"".join(bytes([block]) * BLOCK_SIZE for block in range(blocks))[:-5]
    size = piece_blocks * BLOCK_SIZE
    layer = b"".join(piece_node(data[at : at + size], size, len(data)) for at in range(0, len(data), size))
    assert file_root(layer, size) == plain_root(blocks_of(data))


def test_a_short_last_piece_is_filled_up_with_zero_leaves():
    data = bytes(BLOCK_SIZE)
    assert piece_root(data, 4 * BLOCK_SIZE) == plain_root([sha256(data).digest(), *[bytes(32)] * 3])


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20), st.integers(0, 3))
def test_layers(nodes, height):
    """Over nodes at any height, as over that many more leaves."""
    layers = layers_above(b"".join(nodes), height=height)
    padded = [*nodes]
    while len(padded) & (len(padded) - 1):
        padded.append(pad_hash(height))
    assert layers[-1] == plain_root(padded)
    assert [len(layer) // DIGEST for layer in layers[1:]] == [
        -(-len(nodes) // 2**level) for level in range(1, len(layers))
    ]


@pytest.mark.parametrize("height", [0, 2])
@pytest.mark.parametrize("nodes", range(2, 18))
def test_every_proof_holds_and_no_other(nodes, height):
    layer = b"".join(sha256(bytes([node])).digest() for node in range(nodes))
    layers = layers_above(layer, height=height)
    width = 1 << (nodes - 1).bit_length()
    padded = layer + pad_hash(height) * (width - nodes)
    for count in (1, 2, 4, 8, 16):
        for index in range(0, nodes if count <= width else 0, count):
            hashes = padded[index * DIGEST : (index + count) * DIGEST]
            proof = uncles(layers, index, count, height=height)
            assert proven_root(hashes, index, proof) == layers[-1]
            wrong = bytes([hashes[0] ^ 1]) + hashes[1:]
            assert proven_root(wrong, index, proof) != layers[-1]
            if proof:
                assert proven_root(hashes, index ^ count, proof) != layers[-1]
                assert proven_root(hashes, index, proof[:-1]) != layers[-1]
