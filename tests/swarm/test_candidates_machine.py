"""Anything may happen to addresses in any order; their states and the limits hold all the same."""

from __future__ import annotations

from collections import Counter
from random import Random

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trio_torrent.address import Address, plain
from trio_torrent.swarm import pool
from trio_torrent.swarm.candidates import MOST_LOOKS, MOST_TRYING, Candidates
from trio_torrent.swarm.events import Failure

HOSTS = ["9.9.9.9", "::ffff:9.9.9.9", "9.9.9.8", "2a00::1", "2a00::2", "2b00::1", "10.0.0.1", "a.example", "224.0.0.1"]
ADDRESSES = st.builds(Address, st.sampled_from(HOSTS), st.integers(0, 12))
SOURCES = st.sampled_from(["tracker", "peers", "dht", pool.USER])


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.candidates = Candidates(Random(1))
        self.trying: dict[Address, float] = {}
        self.peers: Counter[Address] = Counter()

    @rule(addresses=st.lists(ADDRESSES, max_size=40), source=SOURCES, banned=st.frozensets(ADDRESSES, max_size=3))
    def hear_of(self, addresses: list[Address], source: str, banned: frozenset[Address]) -> None:
        self.candidates.add(addresses, source, banned)

    @rule(free=st.integers(-1, 50))
    def dial(self, free: int) -> None:
        for attempt in self.candidates.next(self.now, free=free):
            assert attempt.address not in self.trying, "dialled twice"
            assert not self.peers[attempt.address], "is here already"
            self.trying[attempt.address] = attempt.seconds

    @precondition(lambda self: self.trying)
    @rule(why=st.sampled_from(Failure), data=st.data())
    def fail(self, why: Failure, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from(sorted(self.trying)))
        del self.trying[address]
        self.candidates.failed(address, self.now, why)

    @precondition(lambda self: self.trying)
    @rule(data=st.data(), right=st.booleans())
    def join(self, data: st.DataObject, right: bool) -> None:
        address = data.draw(st.sampled_from(sorted(self.trying)))
        self.come(address, right)

    @rule(address=ADDRESSES, right=st.booleans())
    def come(self, address: Address, right: bool) -> None:
        address = plain(address)
        self.trying.pop(address, None)
        self.peers[address] += 1
        self.candidates.joined(address)
        if right:
            self.candidates.succeeded(address)

    @precondition(lambda self: self.peers.total())
    @rule(data=st.data(), for_good=st.booleans())
    def leave(self, data: st.DataObject, for_good: bool) -> None:
        address = data.draw(st.sampled_from(sorted(self.peers.elements())))
        self.peers[address] -= 1
        self.candidates.left(address, self.now, for_good=for_good)

    @rule(seconds=st.sampled_from([0.3, 1.0, 6.0, 61.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def attempts_are_counted_right(self) -> None:
        assert self.candidates.trying == len(self.trying) <= MOST_TRYING
        assert len(self.candidates._looks) <= MOST_LOOKS

    @invariant()
    def connections_are_counted_right(self) -> None:
        known = {a: one.connections for a, one in self.candidates._pool._known.items() if one.connections}
        assert known | self.candidates._unknown == +self.peers

    @invariant()
    def the_pool_is_counted_right(self) -> None:
        known = self.candidates._pool._known
        assert {a for a, one in known.items() if one.trying} == set(self.trying)
        sites = Counter(one.site for one in known.values() if one.site is not None)
        assert sites == {site: len(there) for site, there in self.candidates._pool._sites.items()}
        assert all(count <= pool.MOST_AT_A_SITE for count in sites.values())
        assert self.candidates._pool._sources == Counter(one.sources[0] for one in known.values())
        families = self.candidates._pool._families
        assert {4: families[4], 6: families[6]} == {
            family: sum(one.family == family for one in known.values()) for family in (4, 6)
        }


World.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestWorld = World.TestCase
