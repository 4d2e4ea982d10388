"""Asking v2 peers for parts of hash trees (BEP 52, "hash request").

Each part is asked of one peer at a time, and each peer for a few at once. Who refuses or stays silent is passed over
for a while; what proves wrong is a lie of its sender, since nobody can send by mistake what leads to another root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from trio_torrent.metainfo.merkle import DIGEST, proven_root
from trio_torrent.wire.messages import Hashes, HashReject, HashRequest

from .commands import Command, Send
from .events import PeerId
from .peers import Peer

# Parts asked of one peer at once, 16 KiB each: enough for a megabyte a second at 100 ms.
MOST_ASKED = 8

# Parts that are looked at together. The rest wait where they cost nothing.
MOST_OPEN = 64

# As long as a peer gets for its first block, and libtorrent's `piece_timeout`.
ANSWER_SECONDS = 20.0

# When whoever refused may be asked again: it may have learned meanwhile.
REFUSED_SECONDS = 30.0


@attrs.define(eq=False)
class Question:
    """A part that is wanted, and the node that it must lead to by its proof: a root, or a piece's node."""

    request: HashRequest
    leads_to: bytes
    needs: range  # pieces that a peer must have to be asked
    patience: float = ANSWER_SECONDS
    asked: PeerId | None = None
    since: float = 0.0
    refused: set[PeerId] = attrs.field(factory=set)

    def again(self) -> Question:
        """The same, asked of nobody yet."""
        return Question(self.request, self.leads_to, self.needs, self.patience)

    def is_proven_by(self, digests: bytes) -> bool:
        """These are the right nodes."""
        end = self.request.length * DIGEST
        proof = [digests[at : at + DIGEST] for at in range(end, len(digests), DIGEST)]
        return proven_root(digests[:end], self.request.index, proof) == self.leads_to


class Questions:
    """Those that are open."""

    def __init__(self, do: Callable[[Command], None], *, now: float) -> None:
        self._do = do
        self._open: dict[HashRequest, Question] = {}
        self._more: Iterator[Question] = iter(())
        self._next_amnesty = now + REFUSED_SECONDS

    def add(self, question: Question) -> None:
        """Something is wanted, before all that comes from `add_later`."""
        self._open[question.request] = question

    def add_later(self, questions: Iterator[Question]) -> None:
        """All these are wanted, and are made when it is their turn."""
        self._more = questions
        self._open_more()

    def forget(self, request: HashRequest) -> None:
        """It is of no use any more."""
        self._open.pop(request, None)

    def _open_more(self) -> None:
        while len(self._open) < MOST_OPEN and (question := next(self._more, None)) is not None:
            self._open[question.request] = question

    # -- what is said ------------------------------------------------------------------------------------------------

    def ask(self, peer: Peer, now: float) -> None:
        """Ask the peer for as much as it should have outstanding."""
        if not peer.v2 or not self._open:
            return
        room = MOST_ASKED - sum(question.asked == peer.id for question in self._open.values())
        wanted = [question for question in self._open.values() if _may_answer(question, peer)][: max(0, room)]
        for question in wanted:
            question.asked, question.since = peer.id, now
        if wanted:
            self._do(Send(peer.id, tuple(question.request for question in wanted)))

    def answered(self, peer: Peer, hashes: Hashes) -> Question | None:
        """The question that this is the answer to, and which is no longer open."""
        question = self._open.get(hashes.request)
        if question is None or question.asked != peer.id:
            return None  # late: somebody else was asked meanwhile
        del self._open[hashes.request]
        self._open_more()
        return question

    def rejected(self, peer: Peer, reject: HashReject) -> None:
        """The peer will not answer."""
        question = self._open.get(reject.request)
        if question is not None and question.asked == peer.id:
            _pass_on(question)

    def left(self, peer: Peer) -> None:
        """The peer is gone."""
        for question in self._open.values():
            question.refused.discard(peer.id)
            if question.asked == peer.id:
                question.asked = None

    def tick(self, now: float) -> None:
        """Some may be late."""
        if now >= self._next_amnesty:
            self._next_amnesty = now + REFUSED_SECONDS
            for question in self._open.values():
                question.refused.clear()
        for question in self._open.values():
            if question.asked is not None and now - question.since > question.patience:
                _pass_on(question)


def _may_answer(question: Question, peer: Peer) -> bool:
    """Who has pieces has their hashes, says BEP 52; who has none may have a .torrent, but not what we want it for."""
    return (
        question.asked is None
        and peer.pieces.count > 0
        and peer.id not in question.refused
        and all(piece in peer.pieces for piece in question.needs)
    )


def _pass_on(question: Question) -> None:
    assert question.asked is not None
    question.refused.add(question.asked)
    question.asked = None
