"""A tiny world, two peers and two pieces, in which anything may happen in any order.

The machine plays the world: it carries out the scheduler's commands as the client would, remembers whose memory is
lent to whom, and lets an honest peer and a liar say whatever the protocol allows. After every step the invariants at
the top of `swarm/scheduler.py` are checked. Small worlds find more: a stall that needs seven steps with two peers is
out of reach with ten.
"""

from __future__ import annotations

from hashlib import sha1
from random import Random

import attrs
import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.swarm import commands as do
from trio_torrent.swarm.events import (
    AddressesFound,
    Awaited,
    DialFailed,
    Event,
    Joined,
    Left,
    PeerId,
    PieceFailed,
    PieceVerified,
    Received,
    Tick,
)
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.picker import Picker
from trio_torrent.swarm.scheduler import Scheduler
from trio_torrent.wire import messages as wire

GEOMETRY = Geometry.contiguous(40_000, 70_000)  # blocks of 16384, 16384, 7232; then 16384, 13616
PIECES = range(GEOMETRY.pieces)
SLOTS = st.integers(0, 1)  # the honest peer, and the liar
KEYS = [(piece, offset) for piece in PIECES for offset in range(0, GEOMETRY.piece_size(piece), 16384)]
SOME_PIECES = st.sets(st.sampled_from(PIECES))
GOOD, BAD = b"good", b"bad!"
ADDRESSES = [Address("192.0.2.1", 1), Address("192.0.2.2", 2)]


@attrs.define(eq=False)
class FakePeer:
    id: PeerId
    slot: int
    fast: bool
    pieces: Bitfield
    chokes: bool = True
    interested_in: bool = False
    asks: int = 0
    asked: dict[tuple[int, int], bool] = attrs.field(factory=dict)  # whether its place was lent
    withdrawn: list[tuple[int, int]] = attrs.field(factory=list)  # may come all the same


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.scheduler = Scheduler(
            GEOMETRY, Bitfield(GEOMETRY.pieces), ours=Ours(b"m" * 20), random=Random(1), now=self.now
        )
        self.peers: dict[int, FakePeer] = {}  # by slot
        self.next_id = 1
        self.memory: dict[tuple[int, int], bytes] = {}  # what lies in each block's place
        self.verifying: set[int] = set()
        self.finished = 0
        self.inbox: list[Event] = []
        self.busy = False  # the scheduler, with other things: events wait, while connections read on

    @property
    def picker(self) -> Picker:
        return self.scheduler._fetching.picker

    # -- the client's part -------------------------------------------------------------------------------------------

    def happen(self, event: Event) -> None:
        self.inbox.append(event)
        while self.inbox and not self.busy:
            for command in self.scheduler.handle(self.inbox.pop(0), self.now):
                self.perform(command)

    def perform(self, command: do.Command) -> None:
        match command:
            case do.Keep(piece, offset, data):
                assert not self.lent_to(piece, offset), "somebody else writes there"
                self.memory[piece, offset] = bytes(data[:4])
            case do.Verify(piece):
                self.verify(piece)
            case do.Discard(piece):
                assert not any(self.lent_to(piece, offset) for offset in range(0, 40_000, 16384))
                self.memory = {key: content for key, content in self.memory.items() if key[0] != piece}
            case do.Finish():
                self.finished += 1
            case do.Dial():
                pass
            case do.ServeHashes() | do.ServeMetadata() | do.CompleteLayers() | do.AddNode():
                raise AssertionError("there are no trees here, nobody came by a link, and there is no DHT")
            case _:
                fake = next((fake for fake in self.peers.values() if fake.id == command.peer), None)
                if fake is not None:  # else it has left, and the scheduler will hear of it
                    self.tell(fake, command)

    def tell(self, fake: FakePeer, command: do.Ask | do.Withdraw | do.Send | do.Drop | do.Serve | do.Unserve) -> None:
        match command:
            case do.Ask(_, requests, lend):
                fake.asks += 1
                for request in requests:
                    self.ask(fake, request, lend)
            case do.Withdraw(_, requests):
                for key in [(request.piece, request.offset) for request in requests]:
                    if fake.asked.pop(key, None) is not None:
                        fake.withdrawn.append(key)
            case do.Send(_, said):
                self.hear(fake, said)
            case do.Drop():
                del self.peers[fake.slot]
            case do.Serve() | do.Unserve():
                raise AssertionError("nobody asked us for anything")

    def catch_up(self) -> None:
        self.busy = False
        if self.inbox:
            self.happen(self.inbox.pop())

    def verify(self, piece: int) -> None:
        blocks = range(0, GEOMETRY.piece_size(piece), 16384)
        assert piece not in self.verifying
        assert all((piece, offset) in self.memory for offset in blocks)
        assert not any(self.lent_to(piece, offset) for offset in blocks)
        self.verifying.add(piece)

    def ask(self, fake: FakePeer, request: wire.Request, lend: bool) -> None:
        key = request.piece, request.offset
        peer = self.scheduler._peers.get(fake.id)  # None, if a `Drop` follows
        assert peer is None or not peer.chokes_us or fake.fast, "asked while choked"
        assert key not in fake.asked
        assert request.piece in fake.pieces
        assert request.length == GEOMETRY.block_size(request.piece, request.offset // 16384)
        assert not (lend and self.lent_to(*key)), "one place lent twice"
        fake.asked[key] = lend

    def hear(self, fake: FakePeer, said: tuple[wire.Message, ...]) -> None:
        for message in said:
            match message:
                case wire.Interested() | wire.NotInterested():
                    assert fake.interested_in != isinstance(message, wire.Interested), "said twice"
                    fake.interested_in = not fake.interested_in
                case wire.Have(piece):
                    assert piece in self.scheduler.have
                case _:
                    pass

    def lent_to(self, piece: int, offset: int) -> bool:
        return any(fake.asked.get((piece, offset)) for fake in self.peers.values())

    def says(self, fake: FakePeer, *said: wire.Heard) -> None:
        self.happen(Received(fake.id, said, fake.asks))

    # -- what may happen ---------------------------------------------------------------------------------------------

    @initialize(fast=st.booleans(), pieces=st.tuples(SOME_PIECES, SOME_PIECES))
    def both_are_there_and_unchoke(self, fast: bool, pieces: tuple[set[int], set[int]]) -> None:
        for slot in (0, 1):
            self.join(slot, fast, False, pieces[slot])
            self.unchoke(slot)

    @rule(slot=SLOTS, fast=st.booleans(), incoming=st.booleans(), pieces=SOME_PIECES)
    def join(self, slot: int, fast: bool, incoming: bool, pieces: set[int]) -> None:
        if slot in self.peers or ADDRESSES[slot] in self.scheduler._bans.banned:
            return
        fake = FakePeer(PeerId(self.next_id), slot, fast, Bitfield(GEOMETRY.pieces))
        self.next_id += 1
        self.peers[slot] = fake
        self.happen(Joined(fake.id, ADDRESSES[slot], bytes([slot]) * 20, fast, incoming))
        fake.pieces = Bitfield(GEOMETRY.pieces, pieces)
        if fast and fake.pieces.complete:
            self.says(fake, wire.HaveAll())
        elif pieces:
            self.says(fake, wire.Bitfield(bytes(fake.pieces)))

    @rule(slot=SLOTS, piece=st.sampled_from(PIECES))
    def gain(self, slot: int, piece: int) -> None:
        if (fake := self.peers.get(slot)) is not None:
            fake.pieces.add(piece)
            self.says(fake, wire.Have(piece))

    @rule(slot=SLOTS)
    def unchoke(self, slot: int) -> None:
        if (fake := self.peers.get(slot)) is not None:
            fake.chokes = False
            self.says(fake, wire.Unchoke())

    @rule(slot=SLOTS)
    def choke(self, slot: int) -> None:
        if (fake := self.peers.get(slot)) is not None:
            fake.chokes = True
            if not fake.fast:
                fake.asked.clear()  # as its connection does
            self.says(fake, wire.Choke())

    @rule(slot=SLOTS, count=st.integers(1, 5), lies=st.booleans(), data=st.data())
    def deliver(self, slot: int, count: int, lies: bool, data: st.DataObject) -> None:
        fake = self.peers.get(slot)
        if fake is None or not fake.asked:
            return
        keys = data.draw(st.permutations(sorted(fake.asked)))[:count]
        self.says(fake, *(self.block(fake, key, BAD if lies and slot == 1 else GOOD) for key in keys))

    def block(self, fake: FakePeer, key: tuple[int, int], content: bytes) -> wire.Heard:
        """A block, in its place if that is lent to the peer; the rest of it does not matter to anybody."""
        length = GEOMETRY.block_size(key[0], key[1] // 16384)
        if fake.asked.pop(key, False):
            self.memory[key] = content
            return wire.Landed((wire.Request(*key, length),))
        return wire.Piece(*key, (content * 4096)[:length])

    @rule(slot=SLOTS, content=st.sampled_from([GOOD, BAD]))
    def deliver_what_was_withdrawn(self, slot: int, content: bytes) -> None:
        fake = self.peers.get(slot)
        if fake is not None and fake.withdrawn:
            self.says(fake, self.block(fake, fake.withdrawn.pop(), content if slot == 1 else GOOD))

    @rule(slot=SLOTS, content=st.sampled_from([GOOD, BAD]), key=st.sampled_from(KEYS))
    def deliver_what_was_not_asked_for(self, slot: int, content: bytes, key: tuple[int, int]) -> None:
        fake = self.peers.get(slot)
        if fake is not None:
            self.says(fake, self.block(fake, key, content if slot == 1 else GOOD))

    @rule()
    def the_scheduler_gets_busy(self) -> None:
        self.busy = True

    @rule()
    def the_scheduler_catches_up(self) -> None:
        self.catch_up()

    @rule(slot=SLOTS, count=st.integers(1, 3))
    def reject(self, slot: int, count: int) -> None:
        fake = self.peers.get(slot)
        if fake is None or not fake.fast or not fake.asked:
            return
        keys = list(fake.asked)[:count]
        for key in keys:
            self.refuse(fake, key)
        self.says(fake, *(wire.Reject(*key, GEOMETRY.block_size(key[0], key[1] // 16384)) for key in keys))

    def refuse(self, fake: FakePeer, key: tuple[int, int]) -> None:
        """Whatever was asked first is answered first; the connection takes it for the answer to the last."""
        if key not in fake.withdrawn:
            del fake.asked[key]
            return
        fake.withdrawn.remove(key)
        if key in fake.asked:
            fake.asked[key] = False

    @rule(slot=SLOTS)
    def reject_what_was_withdrawn(self, slot: int) -> None:
        """The answer to a cancel, perhaps after the block was asked for again (BEP 6)."""
        fake = self.peers.get(slot)
        if fake is not None and fake.fast and fake.withdrawn:
            key = fake.withdrawn[-1]
            self.refuse(fake, key)
            self.says(fake, wire.Reject(*key, GEOMETRY.block_size(key[0], key[1] // 16384)))

    @rule(slot=SLOTS)
    def leave(self, slot: int) -> None:
        if (fake := self.peers.pop(slot, None)) is not None:
            self.happen(Left(fake.id, "closed"))

    @precondition(lambda self: self.verifying)
    @rule(data=st.data())
    def verdict(self, data: st.DataObject) -> None:
        piece = data.draw(st.sampled_from(sorted(self.verifying)))
        self.verifying.remove(piece)
        offsets = range(0, GEOMETRY.piece_size(piece), 16384)
        contents = [self.memory.pop((piece, offset)) for offset in offsets]
        digests = tuple(sha1(content).digest() for content in contents)
        good = all(content == GOOD for content in contents)
        self.happen(PieceVerified(piece, digests) if good else PieceFailed(piece, digests))

    @rule(seconds=st.sampled_from([0.3, 1.0, 6.0, 25.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.happen(Tick())

    @rule(pieces=SOME_PIECES, seconds=st.sampled_from([0.0, 0.2, 5.0]), reading=st.booleans())
    def somebody_reads(self, pieces: set[int], seconds: float, reading: bool) -> None:
        self.happen(Awaited(tuple((piece, self.now + seconds) for piece in sorted(pieces)), reading or bool(pieces)))

    @rule()
    def another_torrent_needs_a_place(self) -> None:
        self.happen(Tick(crowded=True))

    @rule(slot=SLOTS)
    def hear_of(self, slot: int) -> None:
        self.happen(AddressesFound((ADDRESSES[slot],), "test"))
        self.happen(DialFailed(ADDRESSES[slot], "refused"))

    # -- what must hold ----------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.inbox)
    @invariant()
    def every_piece_is_in_exactly_one_state(self) -> None:
        picker = self.picker
        for piece in PIECES:
            states = [
                piece in self.scheduler.have,
                piece in picker.verifying,
                any(partial.piece == piece for partial in picker.partials),
                picker.availability.waits(piece),
            ]
            assert sum(states) == 1, (piece, states)
        assert picker.verifying == self.verifying

    @invariant()
    def every_block_is_in_exactly_one_state(self) -> None:
        for partial in self.picker.partials:
            blocks = [*partial.missing, *partial.asked, *partial.givers]
            assert sorted(blocks) == list(range(0, partial.size, 16384)), partial
            assert partial.missing or partial.asked

    @precondition(lambda self: not self.inbox)
    @invariant()
    def what_is_asked_is_known_to_everyone(self) -> None:
        asked: dict[tuple[int, int], int] = {}
        for fake in self.peers.values():
            peer = self.scheduler._peers[fake.id]
            assert set(peer.asked) == set(fake.asked), "the record, and the connection"
            for key in peer.asked:
                asked[key] = asked.get(key, 0) + 1
        partials = self.picker.partials
        assert asked == {(p.piece, at): len(self.picker.askers(p.piece, at)) for p in partials for at in p.asked}
        assert {fake.id for fake in self.peers.values()} == set(self.scheduler._peers)

    @precondition(lambda self: not self.inbox)
    @invariant()
    def we_are_interested_in_those_who_have_what_we_lack(self) -> None:
        for fake in self.peers.values():
            assert fake.interested_in == any(piece not in self.scheduler.have for piece in fake.pieces)

    @precondition(lambda self: not self.inbox)
    @invariant()
    def no_unchoked_peer_idles(self) -> None:
        picker = self.picker
        for fake in self.peers.values():
            peer = self.scheduler._peers[fake.id]
            if fake.chokes or fake.asked or peer.rests_until > self.now:
                continue
            for partial in picker.partials:
                mine = partial.only in (None, fake.id)
                assert not (partial.missing and mine and partial.piece in fake.pieces), "a missing block"
            assert picker.availability.rarest(fake.pieces) is None, "a waiting piece"

    @invariant()
    def the_honest_peer_is_not_banned(self) -> None:
        assert ADDRESSES[0] not in self.scheduler._bans.banned

    @precondition(lambda self: not self.inbox)
    @invariant()
    def it_finishes_once(self) -> None:
        assert self.finished == self.scheduler.have.complete


World.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestWorld = World.TestCase
