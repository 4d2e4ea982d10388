"""Hash trees on the wire: what we ask v2 peers for, and what we answer them (BEP 52)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.proofs import CHUNK
from trio_torrent.metainfo.trees import Tree, Trees
from trio_torrent.wire.codec import MOST_HASHES
from trio_torrent.wire.messages import Hashes, HashReject, HashRequest

from .bans import Bans
from .blame import Blame
from .commands import Command, CompleteLayers, Send, ServeHashes
from .events import PeerId
from .layers import MissingLayers
from .peers import Peer
from .picker import Picker
from .questions import Question, Questions

# Requests for hashes waiting from one peer, 100 bytes each. libtorrent asks for two at once, we for eight.
MOST_QUEUED_HASHES = 64


# What liars are convicted of.
WRONG_BLOCK = "sent a wrong block"
WRONG_HASHES = "sent wrong hashes"


class Hashing:
    """The third half of the scheduler. `layers` are the known ones, by their files' roots."""

    def __init__(
        self,
        trees: Trees,
        layers: Mapping[bytes, bytes],
        have: Bitfield,
        peers: Mapping[PeerId, Peer],
        do: Callable[[Command], None],
        *,
        bans: Bans,
        picker: Picker,
        now: float,
    ) -> None:
        self._trees = trees
        self._layers = dict(layers)
        self._have = have
        self._peers = peers
        self._do = do
        self._bans = bans
        self._picker = picker
        self._questions = Questions(do, now=now)
        self._missing = MissingLayers(trees, layers)
        self._questions.add_later(self._missing.questions())
        self._blame = Blame(trees, self._layers, self._questions.add, self._questions.forget)

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask(self, peer: Peer, now: float) -> None:
        """Ask the peer for what we want to know."""
        self._questions.ask(peer, now)

    def _ask_all(self, now: float) -> None:
        for peer in self._peers.values():
            self._questions.ask(peer, now)

    def answered(self, peer: Peer, hashes: Hashes) -> tuple[frozenset[Address], str]:
        """Hashes have come. Returns who is convicted by them, and of what."""
        question = self._questions.answered(peer, hashes)
        if question is None:
            return frozenset(), WRONG_HASHES
        if not question.is_proven_by(hashes.digests):
            self._questions.add(question.again())
            return self._bans.convict(frozenset([peer.address])), WRONG_HASHES
        if not question.needs:
            self._take_layer(question, hashes.digests)
            return frozenset(), WRONG_HASHES
        case = self._blame.take(question, hashes.digests)
        return frozenset() if case is None else self._judge(*case), WRONG_BLOCK

    def _take_layer(self, question: Question, digests: bytes) -> None:
        self._missing.take(question, digests)
        if self._missing.complete:
            found = self._missing.taken()
            self._layers.update(found)
            self._do(CompleteLayers(found))

    def rejected(self, peer: Peer, reject: HashReject) -> None:
        """The peer will not tell."""
        self._questions.rejected(peer, reject)

    def left(self, peer: Peer, now: float) -> None:
        """The peer is gone; what was asked of it is asked of others."""
        self._questions.left(peer)
        self._ask_all(now)

    def tick(self, now: float) -> None:
        """Some do not answer."""
        self._questions.tick(now)
        late = self._blame.late(now)
        self._picker.demand.unhold(late)
        self._ask_all(now)

    # -- wrong pieces ------------------------------------------------------------------------------------------------

    def failed(self, piece: int, now: float) -> None:
        """The piece came out wrong, and it is not known by whose fault: find out before it is fetched again."""
        knowing = any(peer.v2 and piece in peer.pieces for peer in self._peers.values())
        if knowing and self._bans.suspects(piece) and self._blame.open(piece, now):
            self._picker.demand.hold([piece])
            self._ask_all(now)

    def _judge(self, piece: int, leaves: list[bytes]) -> frozenset[Address]:
        liars = self._bans.right(piece, leaves)
        if liars:
            self._picker.acquit(piece)
        self._picker.demand.unhold([piece])
        return liars

    # -- answering ---------------------------------------------------------------------------------------------------

    def requested(self, peer: Peer, request: HashRequest) -> None:
        """The peer asks for a part of a tree: send it, or say no."""
        trees = [tree for tree in self._trees.of(request.root) if _holds(tree, request)]
        known = next((tree for tree in trees if self._knows(tree, request)), None)
        if not trees or peer.serving_hashes >= MOST_QUEUED_HASHES:
            peer.bad_requests += 1
        elif known is not None:
            peer.serving_hashes += 1
            self._do(ServeHashes(peer.id, request, known))
            return
        self._do(Send(peer.id, (HashReject(request),)))

    def served(self, peer: Peer) -> None:
        """A request was answered."""
        peer.serving_hashes -= 1

    def _knows(self, tree: Tree, request: HashRequest) -> bool:
        """Above the pieces the layer tells all; below it, the data does."""
        if tree.pieces > 1 and tree.root not in self._layers:
            return False
        pieces = tree.pieces_under(request.base, request.index, request.length)
        return request.base >= tree.piece_height or all(piece in self._have for piece in pieces)


def _holds(tree: Tree, request: HashRequest) -> bool:
    """The tree has such a part, and it is not too much: whoever asks for leaves has us read and hash their blocks."""
    most = MOST_HASHES if request.base >= tree.piece_height else max(CHUNK, tree.piece_blocks)
    return request.length <= min(most, MOST_HASHES) and tree.holds(
        request.base, request.index, request.length, request.proofs
    )
