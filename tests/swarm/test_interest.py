"""Watching against asking everyone."""

from random import Random

import hypothesis.strategies as st
from hypothesis import given

from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.interest import Interest

SIZE = 12
PIECES = st.sets(st.integers(0, SIZE - 1))


@given(lacking=PIECES, peers=st.lists(PIECES | st.just(set(range(SIZE))), max_size=6), data=st.data())
def test_nobody_of_interest_is_forgotten_and_nobody_else_kept(lacking: set[int], peers: list[set[int]], data) -> None:
    wanted = Bitfield(SIZE, lacking)
    interest = Interest(wanted, Random(1))
    sets = {PeerId(number): Bitfield(SIZE, pieces) for number, pieces in enumerate(peers)}
    interesting = {peer: interest.look(peer, pieces) for peer, pieces in sets.items()}
    for piece in data.draw(st.permutations(sorted(lacking))):
        wanted.discard(piece)
        again = interest.got(piece) if wanted.count else list(sets)
        interesting |= {peer: interest.look(peer, sets[peer]) for peer in again}
        assert interesting == {
            peer: bool((pieces - Bitfield.full(SIZE)).count or wanted.common(pieces)) for peer, pieces in sets.items()
        }


def test_who_is_gone_is_not_watched():
    interest = Interest(Bitfield(2, [0, 1]), Random(1))
    interest.look(PeerId(1), Bitfield(2, [1]))
    interest.forget(PeerId(1))
    interest.forget(PeerId(1))
    assert interest.got(1) == []


def test_few_are_looked_at_again_for_each_piece():
    size, peers = 200, 100
    lacking = Bitfield.full(size)
    interest = Interest(lacking, Random(1))
    most = Bitfield(size, range(1, size))
    for number in range(peers):
        interest.look(PeerId(number), most)
    looks = 0
    for piece in range(1, size):
        lacking.discard(piece)
        for peer in interest.got(piece):
            looks += 1
            interest.look(peer, most)
    assert peers < looks < peers * 10, "peers times ln(pieces), not peers times pieces"
