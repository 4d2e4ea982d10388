"""Whom to serve: the fastest who want something, and one more to find out (BEP 3, "choking and optimistic unchoking").

Reciprocation is what makes a swarm work: while we want something ourselves, we serve those who serve us best. As that
would never try anyone new, one slot is given at random. Who owes us blocks and does not send them (it snubs us) gets
nothing back, unless there is nobody else.

A seed gets nothing back from anyone, so it serves everybody in turn. Whoever has a slot keeps it for a while, because a
peer that is served for seconds only gets pieces in bits that it cannot pass on; then it yields to whoever has waited
the longest. That is fair, and no lie about one's speed gets anybody more.

How many at once? Too few, and slow ones leave our link half empty; too many, and it is divided until nobody gets whole
pieces in reasonable time, and those who reciprocate get hardly more than those who do not. So each further slot has to
pay: the second must carry twice what the first must, the third three times as much, and so on. On a link that is full,
the slots grow with the root of its rate; on one that is not, slow peers do not hold the others up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import attrs

from .events import PeerId
from .peers import Peer

ROUND_SECONDS = 10.0  # BEP 3: long enough for TCP to reach its rate
OPTIMISTIC_SECONDS = 30.0  # BEP 3: every third time
SLOTS = 8  # libtorrent's `unchoke_slots_limit`; the least there are
NEW_PEER_SECONDS = 60.0  # BEP 3: new peers are three times as likely to be tried
NEW_PEER_FAVOUR = 3

# What the first slot must carry for another to pay, in bytes a second. libtorrent's rate based choker has 2 KiB, which
# is 31 slots on a link of 2 MB/s and 220 on one of 100 MB/s; with this it is the least, and 55. In simulated swarms of
# 50, more slots never made anybody faster, and where there was one seed they made everybody slower.
SLOT_STEP = 32 * 1024

# A seed's turns: of two rounds at least, and until some pieces' worth was sent. libtorrent has a minute and twenty
# pieces; but whoever has a slot of the only seed has all the trade, and in simulated swarms the others' links were idle
# for as long. Who takes little has its slot for two minutes and no longer, and who takes nothing loses it soon.
TURN_SECONDS = 20.0
TURN_BYTES = 4 << 20
LONGEST_TURN_SECONDS = 120.0
IDLE_TURN_SECONDS = 2 * ROUND_SECONDS


@attrs.frozen(kw_only=True)
class Candidate:
    """All that the choker may know of a peer that wants something."""

    peer: PeerId
    gives: float = 0.0  # bytes a second, averaged over some rounds
    age: float = 0.0  # seconds since it came
    snubs: bool = False
    unchoked: bool = False
    since: float = 0.0  # seconds since it was last choked or unchoked, or came
    sent: int = 0  # bytes since then
    sent_ever: int = 0

    @property
    def has_had_its_turn(self) -> bool:
        """Others may have its slot."""
        if not self.unchoked:
            return False
        enough = self.since >= TURN_SECONDS and self.sent >= TURN_BYTES
        idle = self.since >= IDLE_TURN_SECONDS and not self.sent
        return enough or idle or self.since >= LONGEST_TURN_SECONDS


def _in_turn(candidate: Candidate) -> tuple[float, ...]:
    """The order in which a seed serves."""
    done = candidate.has_had_its_turn
    return (
        2 if done else not candidate.unchoked,  # who has a slot; who waits; who should yield
        candidate.sent if done else 0,  # of those who yield, the least served stay
        -candidate.since,  # who has waited the longest; and who began first keeps its slot if there are fewer
        candidate.sent_ever,  # many are choked at once, and then wait equally long
    )


def _in_return(candidate: Candidate) -> tuple[float, ...]:
    """The order in which a leecher serves: for what it gets, and if it gets nothing, as a seed does."""
    return (candidate.snubs, -candidate.gives, *_in_turn(candidate))


def choose_unchoked(
    candidates: Sequence[Candidate], *, seeding: bool, optimistic: PeerId | None = None, slots: int = SLOTS
) -> frozenset[PeerId]:
    """Who gets a slot. The optimistic one always does, and it counts."""
    chosen = {candidate.peer for candidate in candidates if candidate.peer == optimistic}
    others = [candidate for candidate in candidates if candidate.peer != optimistic]
    others.sort(key=_in_turn if seeding else _in_return)
    return frozenset(chosen | {candidate.peer for candidate in others[: slots - len(chosen)]})


def choose_optimistic(candidates: Sequence[Candidate], random: Random) -> PeerId | None:
    """One at random out of those who are choked; None if there is none."""
    choked = [candidate for candidate in candidates if not candidate.unchoked]
    if not choked:
        return None
    weights = [NEW_PEER_FAVOUR if candidate.age < NEW_PEER_SECONDS else 1 for candidate in choked]
    return random.choices(choked, weights)[0].peer


def slots_that_pay(takes: Iterable[float], *, least: int = SLOTS) -> int:
    """How many slots there should be, from what those who have one take (bytes a second).

    A quarter more than pay now, and one at the least: the next round shows whether these pay, too.
    """
    paying = 0
    for rate in sorted(takes, reverse=True):
        if rate < SLOT_STEP * (paying + 1):
            break
        paying += 1
    return max(least, paying + max(1, paying // 4))


@attrs.define(eq=False)
class _Standing:
    """What is remembered of a peer from round to round."""

    since: float  # when it was choked or unchoked, or came
    sent: int = 0  # bytes that it had been sent by then
    given: int = 0  # bytes each way, at the end of the last round
    taken: int = 0
    gives: float = 0.0  # bytes a second, halfway between what it was before the last round and in it
    takes: float = 0.0  # bytes a second, in the last round


class Choker:
    """Keeps the rounds and the turns. Whoever acts on what it says tells it so, by `turned`."""

    def __init__(self, peers: Mapping[PeerId, Peer], *, random: Random, slots: int, now: float) -> None:
        self._peers = peers
        self._random = random
        self._least = slots
        self._slots = slots
        self._standings: dict[PeerId, _Standing] = {}
        self._unchoked = 0
        self._optimistic: PeerId | None = None
        self._round = now
        self._next_optimistic = now + OPTIMISTIC_SECONDS

    @property
    def has_room(self) -> bool:
        """A slot is free."""
        return self._unchoked < self._slots

    def joined(self, peer: Peer, now: float) -> None:
        """A peer is here, choked."""
        self._standings[peer.id] = _Standing(now)

    def left(self, peer: Peer) -> None:
        """A peer is gone; it need not have been welcome."""
        self._standings.pop(peer.id, None)
        self._unchoked -= not peer.we_choke

    def turned(self, peer: Peer, now: float) -> None:
        """A peer was choked or unchoked."""
        standing = self._standings[peer.id]
        standing.since, standing.sent = now, peer.to_them.total
        self._unchoked += -1 if peer.we_choke else 1

    def since(self, peer: Peer) -> float:
        """When the peer was choked or unchoked, or came."""
        return self._standings[peer.id].since

    def next_in_line(self) -> Peer | None:
        """Who should have a slot that has become free between rounds."""
        waiting = (peer for peer in self._peers.values() if peer.we_choke and peer.wants)
        return min(waiting, key=self._claim, default=None)

    def _claim(self, peer: Peer) -> tuple[float, ...]:
        standing = self._standings[peer.id]
        return (peer.snubbed, -standing.gives, standing.since)

    def end_round(self, now: float) -> bool:
        """If a round is over, see how everybody did, and how many slots that makes; whether it was."""
        if now < self._round + ROUND_SECONDS:
            return False
        for peer in self._peers.values():
            self._measure(peer, now - self._round)
        self._round = now
        takes = (self._standings[peer.id].takes for peer in self._peers.values() if not peer.we_choke)
        self._slots = slots_that_pay(takes, least=self._least)
        return True

    def _measure(self, peer: Peer, seconds: float) -> None:
        standing = self._standings[peer.id]
        given, taken = peer.from_them.total, peer.to_them.total
        standing.gives = (standing.gives + (given - standing.given) / seconds) / 2
        standing.takes = (taken - standing.taken) / seconds
        standing.given, standing.taken = given, taken

    def choose(self, now: float, *, seeding: bool) -> frozenset[PeerId]:
        """Who gets a slot now."""
        candidates = [self._candidate(peer, now) for peer in self._peers.values() if peer.wants]
        if seeding:
            self._optimistic = None  # everybody has its turn
        elif now >= self._next_optimistic:
            self._next_optimistic = now + OPTIMISTIC_SECONDS
            self._optimistic = choose_optimistic(candidates, self._random)
        return choose_unchoked(candidates, seeding=seeding, optimistic=self._optimistic, slots=self._slots)

    def _candidate(self, peer: Peer, now: float) -> Candidate:
        standing = self._standings[peer.id]
        return Candidate(
            peer=peer.id,
            gives=standing.gives,
            age=now - peer.joined,
            snubs=peer.snubbed,
            unchoked=not peer.we_choke,
            since=now - standing.since,
            sent=peer.to_them.total - standing.sent,
            sent_ever=peer.to_them.total,
        )
