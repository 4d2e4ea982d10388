"""Bytes and files that are done."""

from tests.payload import multi, random_bytes
from trio_torrent.bitfield import Bitfield
from trio_torrent.client.progress import Progress
from trio_torrent.metainfo.build import Entry, draft
from trio_torrent.metainfo.torrent import Metainfo

PIECE = 32768
FOLDER = multi(
    {"a": random_bytes(PIECE + 100), "empty": b"", "b": bytes(50), "c": bytes(2 * PIECE)}
)  # a is in pieces 0 and 1, b in 1, c in 1, 2 and 3


def test_files_are_done_with_their_last_piece():
    progress = Progress.of(FOLDER, Bitfield(4))
    assert progress.verified(1) == [2]
    assert progress.verified(3) == []
    assert progress.verified(0) == [0]
    assert progress.verified(2) == [3]


def test_bytes_are_those_of_the_verified_pieces():
    progress = Progress.of(FOLDER, Bitfield(4))
    assert progress.done == 0
    progress.verified(3)
    assert progress.done == 150
    for piece in (0, 1, 2):
        progress.verified(piece)
    assert progress.done == FOLDER.geometry.size


def test_what_was_there_counts():
    progress = Progress.of(FOLDER, Bitfield(4, [0, 3]))
    assert progress.done == PIECE + 150
    assert progress.verified(1) == [0, 2]


def test_one_piece_may_complete_many_files():
    whole = multi({"a": b"1", "b/c": b"2", "b/d": b"3"})
    assert Progress.of(whole, Bitfield(1)).verified(0) == [0, 1, 2]


def test_padding_is_nobodys_progress():
    plan = draft("folder", [Entry(("a",), 100), Entry(("b",), 200)], version="hybrid", piece_length=16384)
    layers = {number: b"x" * 32 for number, file in enumerate(plan.layout.files) if not file.padding}
    metainfo = Metainfo.from_bytes(plan.to_bytes(v1_hashes=bytes(20 * plan.geometry.pieces), v2_layers=layers))
    assert any(file.padding for file in metainfo.files)
    progress = Progress.of(metainfo, Bitfield(2))
    assert progress.verified(0) == [0]
    assert progress.done == 100
    assert progress.verified(1) == [2]
    assert progress.done == metainfo.geometry.size == 300
