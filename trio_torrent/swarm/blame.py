"""Who sent the wrong block of a v2 piece, by the leaves of its tree.

Bad blocks need not be found by fetching the piece again: the leaves that make up the piece's node are the digests of
its blocks, 32 bytes each, and any peer that has the piece can prove them (BEP 52; libtorrent does the same).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from trio_torrent.metainfo.merkle import DIGEST, height_over
from trio_torrent.metainfo.proofs import CHUNK
from trio_torrent.metainfo.trees import Tree, Trees
from trio_torrent.wire.messages import HashRequest

from .questions import Question

# A wrong piece is kept from being fetched again for so long, while its leaves are waited for: one who lies again costs
# another piece. Then it is fetched from one peer alone, which finds out as well.
HOLD_SECONDS = 10.0
LEAF_SECONDS = 4.0  # for a peer to answer, before another is asked


@attrs.define(eq=False)
class _Case:
    """A wrong piece whose leaves are asked for."""

    since: float
    open: dict[HashRequest, bytes]  # each part of its leaves: what came, or nothing yet


class Blame:
    """The pieces whose leaves are waited for; `ask` and `forget` are of `Questions`."""

    def __init__(
        self,
        trees: Trees,
        layers: Mapping[bytes, bytes],
        ask: Callable[[Question], None],
        forget: Callable[[HashRequest], None],
    ) -> None:
        self._trees = trees
        self._layers = layers
        self._ask = ask
        self._forget = forget
        self._cases: dict[int, _Case] = {}

    def open(self, piece: int, now: float) -> bool:
        """Ask for the leaves of a piece that came out wrong; whether they can be known."""
        tree = self._trees.at(piece)
        node = None if tree is None else self._node(tree, piece)
        if tree is None or node is None or tree.piece_blocks < 2:
            return False
        requests = _leaves(tree, piece)
        for request in requests:
            self._ask(Question(request, node, range(piece, piece + 1), LEAF_SECONDS))
        self._cases[piece] = _Case(now, dict.fromkeys(requests, b""))
        return True

    def _node(self, tree: Tree, piece: int) -> bytes | None:
        """What stands for the piece in its file's tree; None while the layer is not known."""
        if tree.pieces == 1:
            return tree.root
        at = (piece - tree.first) * DIGEST
        return self._layers[tree.root][at : at + DIGEST] if tree.root in self._layers else None

    def take(self, question: Question, digests: bytes) -> tuple[int, list[bytes]] | None:
        """A proven part: the piece with all its leaves, if it was the last of them."""
        piece = question.needs.start
        case = self._cases.get(piece)
        if case is None:
            return None
        case.open[question.request] = digests[: question.request.length * DIGEST]
        if not all(case.open.values()):
            return None
        del self._cases[piece]
        leaves = b"".join(case.open.values())
        return piece, [leaves[at : at + DIGEST] for at in range(0, len(leaves), DIGEST)]

    def late(self, now: float) -> list[int]:
        """The pieces whose leaves are not waited for any longer."""
        late = [piece for piece, case in self._cases.items() if now - case.since > HOLD_SECONDS]
        for piece in late:
            for request in self._cases.pop(piece).open:
                self._forget(request)
        return late


def _leaves(tree: Tree, piece: int) -> list[HashRequest]:
    """The parts of a piece's leaves, each with the uncles that lead to the piece's node."""
    first, length = (piece - tree.first) * tree.piece_blocks, min(CHUNK, tree.piece_blocks)
    proofs = tree.piece_height - 1 if tree.piece_height > height_over(length) else 0
    return [
        HashRequest(tree.root, 0, index, length, proofs) for index in range(first, first + tree.piece_blocks, length)
    ]
