"""Pieces of more leaves than fit one request."""

from random import Random

from trio_torrent.metainfo.files import File, FileLayout
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.metainfo.merkle import DIGEST, file_root, root_over, uncles
from trio_torrent.metainfo.trees import Trees
from trio_torrent.swarm.blame import HOLD_SECONDS, Blame
from trio_torrent.swarm.questions import Question

from .making import NOW

BLOCKS = 1024  # in a piece
PIECE = BLOCKS * BLOCK_SIZE
LEAVES = [Random(number).randbytes(BLOCKS * DIGEST) for number in range(2)]
LAYER = b"".join(map(root_over, LEAVES))
ROOT = file_root(LAYER, PIECE)
TREES = Trees(FileLayout([File(("a",), 2 * PIECE, 0, pieces_root=ROOT)]), Geometry.aligned(PIECE, [2 * PIECE]))


def make() -> tuple[Blame, list[Question]]:
    asked: list[Question] = []

    def forget(request):
        asked[:] = [question for question in asked if question.request != request]

    return Blame(TREES, {ROOT: LAYER}, asked.append, forget), asked


def answer(question: Question) -> bytes:
    """An honest one."""
    request, own = question.request, LEAVES[question.needs.start]
    at = request.index % BLOCKS
    layers = [own]
    while len(layers[-1]) > DIGEST:
        layers.append(b"".join(root_over(layers[-1][n : n + 64]) for n in range(0, len(layers[-1]), 64)))
    proof = uncles(layers, at, request.length)[: request.uncles]
    return own[at * DIGEST : (at + request.length) * DIGEST] + b"".join(proof)


def test_the_parts_lead_to_the_piece_and_make_up_its_leaves():
    blame, asked = make()
    assert blame.open(1, NOW)
    assert [(question.request.index, question.request.length) for question in asked] == [(1024, 512), (1536, 512)]
    last, first = [(question, answer(question)) for question in reversed(asked)]
    assert last[0].is_proven_by(last[1])
    assert first[0].is_proven_by(first[1])
    assert not first[0].is_proven_by(last[1])
    assert blame.take(*last) is None
    taken = blame.take(*first)
    assert taken is not None
    assert taken[0] == 1
    assert b"".join(taken[1]) == LEAVES[1]


def test_when_it_is_too_late_nothing_is_asked_any_more():
    blame, asked = make()
    blame.open(0, NOW)
    question = asked[0]
    assert blame.late(NOW + HOLD_SECONDS) == []
    assert blame.late(NOW + HOLD_SECONDS + 1) == [0]
    assert asked == []
    assert blame.take(question, answer(question)) is None
