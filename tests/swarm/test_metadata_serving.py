from tests.payload import random_bytes
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.metadata_serving import MOST_COPIES, MetadataServing
from trio_torrent.wire.ut_metadata import METADATA_PIECE, MetadataData, MetadataReject

INFO = random_bytes(METADATA_PIECE + 5)
ALICE, BOB = PeerId(1), PeerId(2)


def test_each_piece_as_it_is():
    serving = MetadataServing(INFO)
    answers = [serving.requested(ALICE, piece) for piece in (0, 1)]
    assert answers == [
        MetadataData(0, len(INFO), INFO[:METADATA_PIECE]),
        MetadataData(1, len(INFO), INFO[METADATA_PIECE:]),
    ]


def test_what_is_not_there_is_refused():
    assert MetadataServing(INFO).requested(ALICE, 2) == MetadataReject(2)
    assert MetadataServing(b"").requested(ALICE, 0) == MetadataReject(0)


def test_a_peer_may_have_it_three_times_and_others_are_not_worse_off():
    serving = MetadataServing(INFO)
    answers = [serving.requested(ALICE, number % 2) for number in range(2 * MOST_COPIES + 1)]
    assert [type(answer) for answer in answers] == [MetadataData] * 2 * MOST_COPIES + [MetadataReject]
    assert isinstance(serving.requested(BOB, 0), MetadataData)
    serving.left(ALICE)
    serving.left(PeerId(3))
    assert isinstance(serving.requested(ALICE, 0), MetadataData)  # it is another connection by then


def test_pieces_are_not_copied_before_they_are_sent():
    answer = MetadataServing(INFO).requested(ALICE, 0)
    assert isinstance(answer, MetadataData)
    assert isinstance(answer.data, memoryview)
