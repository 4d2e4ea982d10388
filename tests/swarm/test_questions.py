"""Parts of hash trees, asked of peers."""

from __future__ import annotations

from collections.abc import Iterator

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.merkle import DIGEST, parents
from trio_torrent.swarm.commands import Send
from trio_torrent.swarm.peers import Peer
from trio_torrent.swarm.questions import ANSWER_SECONDS, MOST_ASKED, MOST_OPEN, REFUSED_SECONDS, Question, Questions
from trio_torrent.wire.messages import Hashes, HashReject, HashRequest

from .making import NOW, PIECES, Commands, make_peer

LEAVES = [bytes([number]) * DIGEST for number in range(4)]
PAIRS = [parents(LEAVES[0] + LEAVES[1]), parents(LEAVES[2] + LEAVES[3])]
ROOT = parents(PAIRS[0] + PAIRS[1])


def request(number: int = 0) -> HashRequest:
    return HashRequest(ROOT, 0, 2 * number, 2, 1)


def question(number: int = 0, needs: range = range(0)) -> Question:
    return Question(request(number), ROOT, needs)


def v2_peer(number: int = 1, pieces: range = range(PIECES)) -> Peer:
    peer = make_peer(number)
    peer.v2, peer.pieces = True, Bitfield(PIECES, pieces)
    return peer


class Bench:
    def __init__(self, *questions: Question) -> None:
        self.commands = Commands()
        self.questions = Questions(self.commands.do, now=NOW)
        for question in questions:
            self.questions.add(question)

    def asked(self, peer: Peer, now: float = NOW) -> list[HashRequest]:
        """What the peer is asked for now."""
        self.questions.ask(peer, now)
        sent = [command for command in self.commands.of(Send) if command.peer == peer.id]
        return [message for command in sent for message in command.messages if isinstance(message, HashRequest)]


def test_the_right_nodes_lead_to_the_root():
    wanted = question(1)
    assert wanted.is_proven_by(LEAVES[2] + LEAVES[3] + PAIRS[0])
    assert not wanted.is_proven_by(LEAVES[3] + LEAVES[2] + PAIRS[0])
    assert not wanted.is_proven_by(LEAVES[2] + LEAVES[3] + PAIRS[1])
    assert not question(0).is_proven_by(LEAVES[2] + LEAVES[3] + PAIRS[0])


def test_each_part_is_asked_of_one_peer():
    bench = Bench(question(0), question(1))
    assert bench.asked(v2_peer(1)) == [request(0), request(1)]
    assert bench.asked(v2_peer(2)) == []


def test_each_peer_is_asked_for_a_few():
    bench = Bench(*[question(number) for number in range(MOST_ASKED + 1)])
    one, other = v2_peer(1), v2_peer(2)
    assert len(bench.asked(one)) == MOST_ASKED
    assert bench.asked(one) == []
    assert bench.asked(other) == [request(MOST_ASKED)]


def test_who_is_not_asked():
    bench = Bench(question(needs=range(2, 3)))
    v1 = v2_peer(1)
    v1.v2 = False
    assert bench.asked(v1) == []
    assert bench.asked(v2_peer(2, range(2))) == []  # it does not have the piece
    assert bench.asked(v2_peer(3, range(2, 3))) == [request()]


def test_who_has_no_piece_is_asked_for_nothing():
    assert Bench(question()).asked(v2_peer(pieces=range(0))) == []


def test_an_answer_closes_the_question():
    wanted, peer = question(), v2_peer()
    bench = Bench(wanted)
    bench.asked(peer)
    assert bench.questions.answered(peer, Hashes(request(), b"")) is wanted
    assert bench.questions.answered(peer, Hashes(request(), b"")) is None
    assert bench.asked(v2_peer(2)) == []


def test_an_answer_that_was_not_asked_for_is_passed_over():
    bench, one, other = Bench(question()), v2_peer(1), v2_peer(2)
    assert bench.questions.answered(one, Hashes(request(), b"")) is None
    bench.asked(one)
    assert bench.questions.answered(other, Hashes(request(), b"")) is None
    assert bench.questions.answered(one, Hashes(request(), b"")) is not None


def test_who_refuses_is_passed_over_for_a_while():
    bench, one, other = Bench(question()), v2_peer(1), v2_peer(2)
    bench.asked(one)
    bench.questions.rejected(other, HashReject(request()))  # who was not asked
    assert bench.asked(other) == []
    bench.questions.rejected(one, HashReject(request()))
    assert bench.asked(one) == []
    assert bench.asked(other) == [request()]
    bench.questions.rejected(other, HashReject(request()))
    bench.questions.tick(NOW + REFUSED_SECONDS)
    assert bench.asked(one) == [request()]


def test_who_is_late_is_passed_over():
    bench, one, other = Bench(question()), v2_peer(1), v2_peer(2)
    bench.asked(one)
    bench.questions.tick(NOW + ANSWER_SECONDS)
    assert bench.asked(other) == []
    bench.questions.tick(NOW + ANSWER_SECONDS + 0.1)
    assert bench.asked(one, NOW + 21) == []
    assert bench.asked(other, NOW + 21) == [request()]


def test_what_was_asked_of_who_leaves_is_asked_of_others():
    bench, one, other = Bench(question()), v2_peer(1), v2_peer(2)
    bench.asked(one)
    bench.questions.left(one)
    assert bench.asked(other) == [request()]


def test_of_many_a_few_are_open_at_a_time():
    made: list[int] = []

    def make() -> Iterator[Question]:
        for number in range(2**32):
            made.append(number)
            yield question(number)

    bench, peer = Bench(), v2_peer()
    bench.questions.add_later(make())
    assert len(made) == MOST_OPEN
    first = bench.asked(peer)[0]
    bench.questions.answered(peer, Hashes(first, b""))
    assert len(made) == MOST_OPEN + 1


def test_what_is_added_and_forgotten():
    bench = Bench(question())
    bench.questions.forget(request())
    bench.questions.forget(request())
    assert bench.asked(v2_peer()) == []
