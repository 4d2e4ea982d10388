"""Hash trees between us and our peers: wrong pieces, missing layers, and what we answer."""

from __future__ import annotations

from random import Random

import attrs
import pytest

from tests.metainfo.making import make_torrent
from tests.payload import random_bytes
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo import Metainfo
from trio_torrent.metainfo.merkle import DIGEST, leaves_of, parents
from trio_torrent.metainfo.trees import Tree, Trees
from trio_torrent.swarm.bans import Bans
from trio_torrent.swarm.blame import HOLD_SECONDS, LEAF_SECONDS
from trio_torrent.swarm.commands import Command, CompleteLayers, Send, ServeHashes
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.hashing import MOST_QUEUED_HASHES, WRONG_BLOCK, WRONG_HASHES, Hashing
from trio_torrent.swarm.peers import Peer
from trio_torrent.swarm.picker import Picker
from trio_torrent.wire.codec import MOST_HASHES
from trio_torrent.wire.messages import Hashes, HashReject, HashRequest

from .making import BLOCK, NOW, Commands, address, make_peer

# Pieces 0 to 4 are of a large file, four blocks each but for the last; 5 is a file of three blocks, 6 one of one.
LARGE, SMALL, TINY = random_bytes(17 * BLOCK, 1), random_bytes(2 * BLOCK + 9, 2), b"tiny"
WHOLE = Metainfo.from_bytes(make_torrent("n", {("l",): LARGE, ("s",): SMALL, ("t",): TINY}, "2", 4 * BLOCK))
PIECES = WHOLE.geometry.pieces


@attrs.define(eq=False)
class Bench:
    """The part under test, and what is around it."""

    have: Bitfield
    peers: dict[PeerId, Peer]
    commands: Commands
    bans: Bans
    picker: Picker
    hashing: Hashing

    def joins(self, number: int, *, v2: bool = True) -> Peer:
        peer = make_peer(number)
        peer.v2, peer.pieces = v2, Bitfield.full(PIECES)
        self.peers[peer.id] = peer
        return peer

    def asked(self) -> list[tuple[int, HashRequest]]:
        """Who was asked for what since one last looked."""
        sent = self.commands.of(Send)
        return [(send.peer, said) for send in sent for said in send.messages if isinstance(said, HashRequest)]

    def wrong(self, piece: int, *givers: int) -> None:
        """A piece of theirs, in turn, is wrong in the first block of the first giver."""
        size = WHOLE.geometry.piece_size(piece)
        offsets = range(0, size, BLOCK)
        by = {offset: address(givers[number % len(givers)]) for number, offset in enumerate(offsets)}
        digests = [leaf(piece, number) for number in range(len(offsets))]
        digests[0] = bytes(DIGEST)
        self.picker.availability.take(piece)  # as if it had been fetched
        self.picker.availability.put(piece)
        self.bans.wrong(piece, by, digests)
        self.hashing.failed(piece, NOW)

    def waits(self, piece: int) -> bool:
        return self.picker.availability.waits(piece)

    def serves(self, peer: Peer, request: HashRequest) -> list[Command]:
        self.commands.take()
        self.hashing.requested(peer, request)
        return self.commands.take()


def make(metainfo: Metainfo = WHOLE, have: range = range(0)) -> Bench:
    had, peers, commands, bans = Bitfield(PIECES, have), dict[PeerId, Peer](), Commands(), Bans()
    picker = Picker(WHOLE.geometry, had, Random(1))
    hashing = Hashing(WHOLE.trees, metainfo.piece_layers, had, peers, commands.do, bans=bans, picker=picker, now=NOW)
    return Bench(had, peers, commands, bans, picker, hashing)


def piece_data(piece: int) -> bytes:
    return [*(LARGE[at : at + 4 * BLOCK] for at in range(0, len(LARGE), 4 * BLOCK)), SMALL, TINY][piece]


def leaf(piece: int, block: int) -> bytes:
    return leaves_of(piece_data(piece))[block * DIGEST : (block + 1) * DIGEST]


def leaves(piece: int) -> bytes:
    return leaves_of(piece_data(piece)).ljust(4 * DIGEST, b"\0")


def trees() -> tuple[Tree, Tree, Tree]:
    large, small, tiny = Trees(WHOLE.layout, WHOLE.geometry)
    return large, small, tiny


BARE = Metainfo.from_info(WHOLE.info_bytes)


# -- wrong pieces ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 5])
def test_the_leaves_of_a_wrong_piece_name_who_sent_the_block(piece: int):
    bench = make()
    teller = bench.joins(3)
    bench.wrong(piece, 1, 2)
    ((asked, request),) = bench.asked()
    assert (asked, request.base, request.length, request.uncles) == (3, 0, 4, 0)
    assert not bench.waits(piece)
    liars, of = bench.hashing.answered(teller, Hashes(request, leaves(piece)))
    assert (liars, of) == (frozenset([address(1)]), WRONG_BLOCK)
    assert bench.bans.banned == {address(1)}
    assert bench.waits(piece)


def test_wrong_leaves_convict_their_sender_and_others_are_asked():
    bench = make()
    teller, other = bench.joins(3), bench.joins(4)
    bench.wrong(1, 1, 2)
    ((_, request),) = bench.asked()
    forged = bytes(DIGEST) + leaves(1)[DIGEST:]
    assert bench.hashing.answered(teller, Hashes(request, forged)) == (frozenset([address(3)]), WRONG_HASHES)
    del bench.peers[teller.id]
    bench.hashing.left(teller, NOW)
    assert bench.asked() == [(other.id, request)]


def test_who_was_not_asked_convicts_nobody_not_even_himself():
    bench = make()
    bench.joins(3)
    stranger = bench.joins(4)
    bench.wrong(1, 1, 2)
    ((_, request),) = bench.asked()
    assert bench.hashing.answered(stranger, Hashes(request, bytes(4 * DIGEST)))[0] == frozenset()


def test_where_no_block_differs_nobody_is_blamed_and_the_piece_stays_suspect():
    """As in a hybrid whose SHA-1 is of something else."""
    bench = make()
    teller = bench.joins(3)
    bench.bans.wrong(1, {0: address(1), BLOCK: address(2)}, [leaf(1, number) for number in range(4)])
    bench.hashing.failed(1, NOW)
    ((_, request),) = bench.asked()
    assert bench.hashing.answered(teller, Hashes(request, leaves(1)))[0] == frozenset()
    assert bench.waits(1)
    assert not bench.bans.banned


def test_the_leaves_are_not_waited_for_long():
    bench = make()
    bench.joins(3)
    late = bench.joins(4)
    bench.wrong(1, 1, 2)
    ((_, request),) = bench.asked()
    bench.hashing.tick(NOW + LEAF_SECONDS + 1)
    assert bench.asked() == [(late.id, request)]
    assert not bench.waits(1)
    bench.hashing.tick(NOW + HOLD_SECONDS + 1)
    assert bench.waits(1)
    assert bench.hashing.answered(late, Hashes(request, leaves(1)))[0] == frozenset()


@pytest.mark.parametrize(
    ("piece", "givers", "v2", "metainfo"),
    [
        (1, (1,), True, WHOLE),  # convicted already
        (1, (1, 2), False, WHOLE),  # nobody to ask
        (1, (1, 2), True, BARE),  # nothing to prove it by
    ],
)
def test_when_nobody_is_asked(piece: int, givers: tuple[int, ...], v2: bool, metainfo: Metainfo):
    bench = make(metainfo)
    bench.joins(3, v2=v2)
    bench.wrong(piece, *givers)
    assert [request for _, request in bench.asked() if request.base == 0] == []
    assert bench.waits(piece)


# -- layers ----------------------------------------------------------------------------------------------------------


def layer_answer(request: HashRequest) -> Hashes:
    layer = WHOLE.piece_layers[request.root]
    pad = parents(parents(bytes(4 * DIGEST)))
    return Hashes(request, layer + pad * 3)


def test_missing_layers_are_asked_for_and_completed_once():
    bench = make(BARE)
    peer = bench.joins(1)
    bench.hashing.ask(peer, NOW)
    ((_, request),) = bench.asked()
    assert (request.base, request.index, request.length, request.proofs) == (2, 0, 8, 2)
    assert bench.hashing.answered(peer, layer_answer(request)) == (frozenset(), WRONG_HASHES)
    assert bench.commands.take() == [CompleteLayers(WHOLE.piece_layers)]
    assert bench.hashing.answered(peer, layer_answer(request))[0] == frozenset()
    assert bench.commands.take() == []


def test_a_torrent_with_all_layers_asks_for_none():
    bench = make()
    bench.hashing.ask(bench.joins(1), NOW)
    bench.hashing.tick(NOW + 1)
    assert bench.asked() == []


# -- answering -------------------------------------------------------------------------------------------------------


def test_a_layer_is_served_without_data():
    large, _, _ = trees()
    bench = make()
    request = HashRequest(large.root, 2, 0, 8, 2)
    assert bench.serves(bench.joins(1), request) == [ServeHashes(PeerId(1), request, large)]


def test_leaves_are_served_of_pieces_that_we_have():
    large, small, _ = trees()
    bench = make(have=range(1, 2))
    peer = bench.joins(1)
    request = HashRequest(large.root, 0, 4, 4, 4)
    assert bench.serves(peer, request) == [ServeHashes(PeerId(1), request, large)]
    for refused in [HashRequest(large.root, 0, 8, 4, 4), HashRequest(small.root, 0, 0, 4, 1)]:
        assert bench.serves(peer, refused) == [Send(PeerId(1), (HashReject(refused),))]
    assert peer.bad_requests == 0


def test_layers_that_came_late_are_served_and_before_they_are_not():
    large, _, _ = trees()
    bench = make(BARE)
    peer, request = bench.joins(1), HashRequest(large.root, 2, 0, 8, 2)
    assert bench.serves(peer, request) == [Send(PeerId(1), (HashReject(request),))]
    bench.hashing.ask(peer, NOW)
    bench.hashing.answered(peer, layer_answer(request))
    assert bench.serves(peer, request) == [ServeHashes(PeerId(1), request, large)]


@pytest.mark.parametrize(
    ("base", "index", "length", "proofs"),
    [(0, 0, 4, 5), (2, 1, 2, 0), (9, 0, 2, 0), (2, 0, 16, 0), (0, 0, MOST_HASHES * 2, 0), (0, 2**31, 2, 0)],
)
def test_what_is_no_part_of_a_tree_is_refused_and_counted(base: int, index: int, length: int, proofs: int):
    bench = make(have=range(PIECES))
    peer, request = bench.joins(1), HashRequest(trees()[0].root, base, index, length, proofs)
    assert bench.serves(peer, request) == [Send(PeerId(1), (HashReject(request),))]
    assert peer.bad_requests == 1


def test_an_unknown_file_is_refused():
    bench, request = make(have=range(PIECES)), HashRequest(bytes(32), 0, 0, 2, 0)
    assert bench.serves(bench.joins(1), request) == [Send(PeerId(1), (HashReject(request),))]


def test_a_peer_may_ask_for_so_many_at_once():
    large, _, _ = trees()
    bench, request = make(), HashRequest(large.root, 2, 0, 8, 2)
    peer = bench.joins(1)
    for _ in range(MOST_QUEUED_HASHES):  # of equal requests each has its answer
        assert bench.serves(peer, request) == [ServeHashes(PeerId(1), request, large)]
    assert bench.serves(peer, request) == [Send(PeerId(1), (HashReject(request),))]
    bench.hashing.served(peer)
    assert bench.serves(peer, request) == [ServeHashes(PeerId(1), request, large)]
