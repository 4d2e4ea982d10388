"""Events in, commands out: what the scheduler itself decides, and the order in which it says so."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import attrs
import pytest

from trio_torrent.address import Address, ip_of
from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.admission import INACTIVE_SECONDS, MOST_FROM_A_SITE
from trio_torrent.swarm.availability import HIGH, SKIP, Availability
from trio_torrent.swarm.candidates import ATTEMPTS_PER_PLACE, LOOK_SECONDS, MOST_TRYING, REST_SECONDS
from trio_torrent.swarm.commands import (
    AddNode,
    Ask,
    Command,
    Dial,
    Drop,
    Finish,
    Send,
    Serve,
    Unserve,
    Verify,
    Withdraw,
)
from trio_torrent.swarm.contacts import IDLE_SECONDS, KEEP_ALIVE_SECONDS
from trio_torrent.swarm.events import (
    AddressesFound,
    Awaited,
    DialFailed,
    Failure,
    InOrder,
    Joined,
    Left,
    PeerId,
    PieceFailed,
    PieceVerified,
    Received,
    Released,
    Served,
    Tick,
    Wanted,
)
from trio_torrent.swarm.extensions import DONTHAVE, METADATA
from trio_torrent.swarm.fetching import MOST_REJECTS
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.pool import MOST_FAILURES
from trio_torrent.swarm.scheduler import Limits, Scheduler
from trio_torrent.swarm.scheduler import Swarm as Snapshot
from trio_torrent.swarm.serving import LATE_SECONDS, MOST_BAD_REQUESTS, MOST_QUEUED
from trio_torrent.swarm.stall import Stall
from trio_torrent.wire import messages as wire
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.connection import Connection
from trio_torrent.wire.extended import ExtendedHandshake, decode_extended, encode_extended

from .making import BLOCK, GEOMETRY, NOW, PIECES, address, every_block, landed

OUR_ID = b"m" * 20
LESSER, GREATER = b"a" * 20, b"z" * 20
EVERYTHING = wire.Bitfield(bytes(Bitfield.full(PIECES)))


@attrs.define(eq=False)
class Bench:
    """A scheduler with a clock of its own."""

    scheduler: Scheduler
    ours: Ours
    now: float = NOW
    asks: Counter[int] = attrs.field(factory=Counter)  # by peer: an answer says how many it knew of
    dialled: list[Address] = attrs.field(factory=list)

    def joins(
        self,
        number: int = 1,
        *,
        fast: bool = False,
        incoming: bool = False,
        extended: bool = False,
        remote_id: bytes | None = None,
        at: int | Address | None = None,
        crowded: bool = False,
        dht: bool = False,
    ) -> list[Command]:
        where = at if isinstance(at, Address) else address(number if at is None else at)
        name = remote_id or bytes([number]) * 20
        return self.happens(Joined(PeerId(number), where, name, fast, incoming, extended, crowded=crowded, dht=dht))

    def says(self, number: int, *messages: wire.Heard) -> list[Command]:
        return self.happens(Received(PeerId(number), messages, self.asks[number]))

    def happens(self, event) -> list[Command]:
        commands = list(self.scheduler.handle(event, self.now))
        self.asks.update(command.peer for command in commands if isinstance(command, Ask))
        self.dialled += [command.address for command in commands if isinstance(command, Dial)]
        return commands

    def passes(self, seconds: float) -> list[Command]:
        self.now += seconds
        return self.happens(Tick())

    def finds(self, *numbers: int) -> list[Command]:
        return self.happens(AddressesFound(tuple(map(address, numbers)), "test"))

    def refusal(self, number: int) -> wire.Reject:
        """Of the first block that the peer was asked for."""
        piece, offset = next(iter(self.scheduler._peers[PeerId(number)].asked))
        return wire.Reject(piece, offset, GEOMETRY.block_size(piece, offset // BLOCK))

    @property
    def snapshot(self) -> Snapshot:
        return self.scheduler.snapshot(self.now)


def make(have=(), hold=(), dht_port: int | None = None, **limits: Any) -> Bench:
    ours = Ours(OUR_ID, 6881, "us", dht_port=dht_port)
    scheduler = Scheduler(
        GEOMETRY,
        Bitfield(PIECES, have),
        ours=ours,
        random=Random(1),
        now=NOW,
        limits=Limits(**limits),
        hold=hold,
    )
    return Bench(scheduler, ours)


def drops(commands: list[Command]) -> list[tuple[int, str]]:
    return [(command.peer, command.reason) for command in commands if isinstance(command, Drop)]


# -- peers come and go -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "fast", "said"),
    [
        ((), False, ()),
        ((), True, (wire.HaveNone(),)),
        ((0, 4), False, (wire.Bitfield(b"\x88"),)),
        ((0, 4), True, (wire.Bitfield(b"\x88"),)),
        (range(PIECES), False, (wire.Bitfield(b"\xf8"),)),
        (range(PIECES), True, (wire.HaveAll(),)),
    ],
)
def test_the_first_thing_said_is_which_pieces_we_have(have, fast, said):
    assert make(have).joins(fast=fast) == ([Send(PeerId(1), said)] if said else [])


def test_who_speaks_bep_10_is_greeted_in_it():
    (send,) = make([0]).joins(extended=True)
    assert isinstance(send, Send)
    greeting, bitfield = send.messages
    assert isinstance(greeting, wire.Extended)
    assert decode_extended(greeting) == ExtendedHandshake(
        extensions={"ut_metadata": METADATA, "lt_donthave": DONTHAVE},
        client="us",
        port=6881,
        reqq=MOST_QUEUED,
        your_ip=ip_of(address(1).host),
    )
    assert isinstance(bitfield, wire.Bitfield)


@pytest.mark.parametrize(("theirs", "ours", "said"), [(True, 7, [wire.Port(7)]), (True, None, []), (False, 7, [])])
def test_who_has_a_dht_node_is_told_of_ours(theirs, ours, said):
    """Behind what says which pieces we have: that comes first (BEP 3)."""
    (send,) = make([0], dht_port=ours).joins(dht=theirs)
    assert isinstance(send, Send)
    assert list(send.messages) == [wire.Bitfield(b"\x80"), *said]


def test_a_peers_dht_node_is_passed_on_once():
    bench = make(dht_port=7)
    bench.joins()
    assert bench.says(1, wire.Port(0)) == []
    assert bench.says(1, wire.Port(9), wire.Port(10)) == [AddNode(Address(address(1).host, 9))]
    assert bench.says(1, wire.Port(11)) == []


def test_a_torrent_that_the_dht_may_not_know_of_passes_nothing_on():
    bench = make()
    bench.joins(dht=True)
    assert bench.says(1, wire.Port(9)) == []


def test_what_a_peer_no_longer_has_is_not_asked_of_it():
    bench = make(have=[0, 1, 2, 3])
    bench.joins(extended=True)
    bench.says(1, EVERYTHING, wire.Unchoke())
    assert bench.says(1, wire.Extended(DONTHAVE, b"nonsense"), wire.Extended(DONTHAVE, b"\xff" * 4)) == []
    (withdraw, rest) = bench.says(1, wire.Extended(DONTHAVE, bytes([0, 0, 0, 4])))
    assert withdraw == Withdraw(PeerId(1), tuple(every_block(4)))
    assert rest == Send(PeerId(1), (wire.NotInterested(),))
    assert bench.snapshot.stall is Stall.NOBODY_HAS


def test_what_a_peer_says_of_itself_is_minded():
    bench = make()
    bench.joins(extended=True)
    commands = bench.says(1, encode_extended(ExtendedHandshake(reqq=2)), EVERYTHING, wire.Unchoke())
    assert [len(command.requests) for command in commands if isinstance(command, Ask)] == [2]
    assert drops(bench.says(1, wire.Extended(0, b"nonsense"), wire.Extended(9, b""))) == []


@pytest.mark.parametrize(
    ("theirs", "first_incoming", "second_incoming", "dropped"),
    [
        (GREATER, False, True, 1),  # both keep the connection that the greater id dialled
        (GREATER, True, False, 2),
        (LESSER, False, True, 2),
        (LESSER, True, False, 1),
        (GREATER, True, True, 2),
        (LESSER, False, False, 2),
    ],
)
def test_of_two_connections_to_one_peer_both_sides_keep_the_same(theirs, first_incoming, second_incoming, dropped):
    bench = make()
    bench.joins(1, incoming=first_incoming, remote_id=theirs)
    commands = bench.joins(2, incoming=second_incoming, remote_id=theirs, at=1)
    assert drops(commands) == [(dropped, "connected twice")]
    assert bench.snapshot.peers == 1


def test_a_stranger_cannot_push_a_peer_out_by_its_name():
    bench = make()
    bench.joins(1, remote_id=GREATER)
    assert drops(bench.joins(2, incoming=True, remote_id=GREATER)) == []
    assert bench.snapshot.peers == 2


def test_to_have_all_again_and_again_costs_nothing():
    """Five bytes each: a set of pieces for each would stop everything else for seconds."""
    bench = make()
    bench.joins(1, fast=True)
    bench.says(1, wire.HaveAll())
    pieces = bench.scheduler._peers[PeerId(1)].pieces
    bench.says(1, *[wire.HaveAll()] * 1000)
    assert bench.scheduler._peers[PeerId(1)].pieces is pieces


def test_the_connections_have_a_limit():
    bench = make(connections=2)
    bench.joins(1)
    bench.joins(2, incoming=True)
    bench.says(1, EVERYTHING)
    bench.says(2, EVERYTHING)
    assert drops(bench.joins(3, incoming=True)) == [(3, "too many connections")]
    bench.happens(Left(PeerId(1), "closed"))
    assert drops(bench.joins(4, incoming=True)) == []
    assert bench.snapshot.peers == 2


def test_where_there_is_no_room_the_useless_make_it():
    bench = make(connections=3)
    bench.joins(1)
    bench.joins(2, incoming=True)
    bench.joins(3, incoming=True)
    bench.says(1, EVERYTHING)
    assert drops(bench.joins(4, incoming=True)) == [(2, "made place for another")]
    assert bench.says(2, EVERYTHING) == []
    bench.says(4, EVERYTHING)
    assert drops(bench.joins(5)) == [(3, "made place for another")]
    bench.says(5, EVERYTHING)
    assert drops(bench.joins(6)) == [(6, "too many connections")]


def test_who_has_long_given_nothing_makes_room_for_a_higher_rank():
    bench = make(connections=1)
    bench.joins(1)
    bench.says(1, EVERYTHING, wire.Unchoke())
    rank = bench.scheduler._contacts._candidates.rank
    higher = next(number for number in range(2, 99) if rank(address(number)) > rank(address(1)))
    for _ in range(round(INACTIVE_SECONDS)):
        assert drops(bench.joins(higher)) == [(higher, "too many connections")]
        bench.passes(1)
    lower = next(number for number in range(2, 99) if rank(address(number)) < rank(address(1)))
    assert drops(bench.joins(lower)) == [(lower, "too many connections")]
    assert drops(bench.joins(higher)) == [(1, "made place for another")]


def test_who_gives_stays():
    bench = make(connections=1)
    bench.joins(1)
    asked = [c.requests[0] for c in bench.says(1, EVERYTHING, wire.Unchoke()) if isinstance(c, Ask)]
    rank = bench.scheduler._contacts._candidates.rank
    higher = next(number for number in range(2, 99) if rank(address(number)) > rank(address(1)))
    bench.passes(1)
    bench.says(1, landed(asked[0]))
    for _ in range(3):
        bench.passes(29)
        assert drops(bench.joins(higher)) == [(higher, "too many connections")]
    bench.passes(3)
    assert drops(bench.joins(higher)) == [(1, "made place for another")]


def test_fifty_who_say_nothing_do_not_keep_a_seed_out():
    bench = make()
    for number in range(1, 51):
        bench.joins(number, incoming=True)
    assert drops(bench.joins(51, incoming=True)) == [(1, "made place for another")]
    bench.says(51, EVERYTHING, wire.Unchoke())
    for number in range(52, 152):
        (one,) = drops(bench.joins(number, incoming=True))
        assert one[0] == number - 50 + (number > 100)
    assert PeerId(51) in bench.scheduler._peers


def test_from_one_public_host_only_so_many_come_in():
    bench = make()
    for number in range(1, MOST_FROM_A_SITE + 1):
        bench.joins(number, incoming=True, at=Address("9.9.9.9", 1000 + number))
        bench.says(number, EVERYTHING)
    commands = bench.joins(9, incoming=True, at=Address("9.9.9.9", 1009))
    assert drops(commands) == [(9, "too many connections from its host")]
    assert drops(bench.joins(10, at=Address("9.9.9.9", 6881))) == [], "one that we dialled"


def test_in_a_crowded_client_a_newcomer_must_take_the_place_of_another():
    bench = make()
    bench.joins(1)
    assert drops(bench.joins(2, incoming=True, crowded=True)) == [(1, "made place for another")]
    bench.says(2, EVERYTHING)
    assert drops(bench.joins(3, incoming=True, crowded=True)) == [(3, "too many connections")]


def test_a_torrent_that_has_too_many_parts_with_the_least():
    bench = make()
    bench.joins(1)
    bench.joins(2)
    bench.says(1, EVERYTHING)
    assert drops(bench.happens(Tick(crowded=True))) == [(2, "made place for another torrent")]
    assert drops(bench.happens(Tick(crowded=True))) == [(1, "made place for another torrent")]
    assert drops(bench.happens(Tick(crowded=True))) == []


def test_nothing_is_said_to_who_was_dropped_or_has_left():
    bench = make(connections=1)
    bench.joins(1)
    bench.says(1, EVERYTHING)
    assert drops(bench.joins(2)) == [(2, "too many connections")]
    assert bench.says(2, EVERYTHING, wire.Unchoke(), wire.Request(0, 0, 5)) == []
    assert bench.happens(Served(PeerId(2), (wire.Request(0, 0, 5),))) == []
    assert bench.happens(Left(PeerId(2), "gone")) == []
    assert bench.happens(Left(PeerId(99), "gone")) == []
    bench.happens(Left(PeerId(1), "gone"))
    assert bench.says(1, wire.Have(0)) == []


def test_liars_are_dropped_and_their_address_is_not_taken_again():
    bench = make(have=[0, 1, 2, 3])
    bench.joins(1)
    bench.joins(2, at=1, remote_id=b"2" * 20)
    bench.says(1, EVERYTHING, wire.Unchoke())
    assert Verify(4) in bench.says(1, landed(every_block(4)[0]))
    commands = bench.happens(PieceFailed(4, (b"x",)))
    assert drops(commands) == [(1, "sent a wrong block"), (2, "sent a wrong block")]
    assert drops(bench.joins(3, at=1)) == [(3, "banned")]
    assert bench.scheduler.refusal(address(1)) == "banned"
    assert bench.scheduler.refusal(address(2)) is None
    assert bench.finds(1) == []


# -- what peers say --------------------------------------------------------------------------------------------------


def test_requests_and_cancels_are_heard_in_the_order_in_which_they_were_said():
    bench = make(have=[0])
    bench.joins()
    assert bench.says(1, wire.Interested()) == [Send(PeerId(1), (wire.Unchoke(),))]
    one, two = wire.Request(0, 0, 10), wire.Request(0, 10, 10)
    commands = bench.says(1, one, wire.Cancel(0, 0, 10), two, one)
    assert commands == [Serve(PeerId(1), (one,)), Unserve(PeerId(1), (one,)), Serve(PeerId(1), (two, one))]


def test_two_who_have_everything_part_for_good():
    bench = make(have=range(PIECES))
    bench.finds(1)
    bench.joins(1)
    assert drops(bench.says(1, EVERYTHING)) == [(1, "both have everything")]
    assert [command for command in bench.passes(100_000) if isinstance(command, Dial)] == []


def test_with_the_last_piece_it_finishes_and_seeds_go():
    bench = make(have=[0, 1, 2, 3])
    bench.joins(1)
    bench.joins(2)
    bench.says(2, wire.Bitfield(b"\x80"))
    bench.says(1, EVERYTHING, wire.Unchoke(), landed(every_block(4)[0]))
    bench.says(1, landed(every_block(4)[0]))
    commands = bench.happens(PieceVerified(4))
    assert Finish() in commands
    assert Send(PeerId(2), (wire.Have(4),)) in commands
    assert drops(commands) == [(1, "both have everything")]
    assert bench.scheduler.have.complete


def test_who_refuses_everything_is_dropped():
    bench = make()
    bench.joins(fast=True)
    bench.says(1, wire.HaveAll(), wire.Unchoke())
    for _ in range(MOST_REJECTS):
        assert drops(bench.says(1, bench.refusal(1))) == []
        bench.passes(1)
        bench.scheduler._peers[PeerId(1)].waited = 0.0  # or else it would be thought late, and all would be cancelled
    assert drops(bench.says(1, bench.refusal(1))) == [(1, "refuses everything")]


def test_who_sends_blocks_of_the_wrong_length_is_dropped_at_last():
    bench = make()
    bench.joins()
    bench.says(1, EVERYTHING, wire.Unchoke())
    for _ in range(MOST_REJECTS):
        refusal = bench.refusal(1)
        assert drops(bench.says(1, wire.Piece(refusal.piece, refusal.offset, b"short"))) == []
        bench.passes(1)
        bench.scheduler._peers[PeerId(1)].waited = 0.0
    refusal = bench.refusal(1)
    assert drops(bench.says(1, wire.Piece(refusal.piece, refusal.offset, b"short"))) == [(1, "refuses everything")]


def test_who_asks_for_what_is_not_there_is_dropped_at_last():
    bench = make()
    bench.joins()
    bench.says(1, *[wire.Request(0, 0, BLOCK)] * MOST_BAD_REQUESTS)
    assert drops(bench.says(1, wire.Request(0, 0, BLOCK))) == [(1, "asks for what is not there")]


def test_a_place_is_not_left_with_a_peer_whose_choke_was_on_its_way():
    """The peer's choke has been read, and before the scheduler hears of it, it asks for more. What it asked for is
    given up with the choke; if the connection kept the places, the peer could write where others' blocks go.
    """
    bench = make()
    bench.joins()
    connection = Connection(pieces=PIECES, fast=False)
    heard = connection.receive(encode_all([EVERYTHING, wire.Unchoke()]))
    choke = connection.receive(encode_all([wire.Choke()]))
    lent: dict[wire.Request, memoryview] = {}
    for messages in (heard, choke):
        for command in bench.says(1, *messages):
            if isinstance(command, Ask):
                lent |= {request: memoryview(bytearray(request.length)) for request in command.requests}
                connection.expect(command.requests, lent.__getitem__)
            elif isinstance(command, Withdraw):
                for request in command.requests:
                    connection.forget(request)
    late = [wire.Piece(request.piece, request.offset, b"!" * request.length) for request in lent]
    assert len(late) == 9
    connection.receive(encode_all(late))
    assert not any(map(any, lent.values())), "nothing has landed"


# -- giving ----------------------------------------------------------------------------------------------------------


def handshakes(commands: list[Command]) -> list[ExtendedHandshake]:
    said = [message for send in commands if isinstance(send, Send) for message in send.messages]
    return [theirs for message in said if isinstance(message, wire.Extended) and (theirs := decode_extended(message))]


@pytest.mark.parametrize(("have", "says_so"), [((), False), ((0,), False), (range(PIECES), True)])
def test_who_has_everything_says_that_it_wants_nothing(have, says_so):
    (greeting,) = handshakes(make(have).joins(extended=True))
    assert greeting.upload_only == says_so


def test_that_nothing_is_wanted_any_more_is_said_to_those_who_stay():
    bench = make(have=[0, 1, 2, 3])
    bench.joins(1, extended=True)
    bench.joins(2, extended=True)
    bench.joins(3)
    bench.says(1, EVERYTHING, wire.Unchoke(), landed(every_block(4)[0]))
    bench.says(1, landed(every_block(4)[0]))
    commands = bench.happens(PieceVerified(4))
    said = [command for command in commands if handshakes([command])]
    assert [(send.peer, handshakes([send])[0].upload_only) for send in said if isinstance(send, Send)] == [(2, True)]


def test_two_who_want_nothing_part():
    bench = make(have=range(PIECES))
    bench.joins(1, extended=True)
    commands = bench.says(1, encode_extended(ExtendedHandshake(upload_only=True)), wire.Have(1))
    assert drops(commands) == [(1, "both want nothing")]


def test_who_wants_nothing_may_still_give():
    bench = make(have=[0])
    bench.joins(1, extended=True)
    commands = bench.says(1, encode_extended(ExtendedHandshake(upload_only=True)), wire.Have(1), wire.Interested())
    assert drops(commands) == []
    assert Send(PeerId(1), (wire.Interested(),)) in commands
    assert Send(PeerId(1), (wire.Unchoke(),)) not in commands
    commands = bench.says(1, encode_extended(ExtendedHandshake()))
    assert Send(PeerId(1), (wire.Unchoke(),)) in commands, "it wants something again"


def test_a_superseed_opens_with_nothing():
    bench = make(have=range(PIECES), superseed=True)
    opening, *haves = bench.joins(1, fast=True, extended=True)
    assert isinstance(opening, Send)
    assert not handshakes([opening])[0].upload_only
    assert opening.messages[1:] == (wire.HaveNone(),)
    (told,) = (have.messages for have in haves if isinstance(have, Send))
    bench.joins(2, fast=True)
    bench.says(1, wire.HaveNone())
    assert isinstance(told[0], wire.Have)
    (more,) = bench.says(2, wire.HaveNone(), wire.Have(told[0].piece))
    assert isinstance(more, Send)
    assert (more.peer, len(more.messages)) == (1, 1)


def test_a_starting_peer_is_offered_pieces_by_our_torrents_name():
    bench = make(have=range(PIECES), upload_slots=1)
    bench.joins(1)
    bench.says(1, wire.Interested())
    bench.joins(2, fast=True)
    (offer,) = bench.says(2, wire.HaveNone())
    assert offer == Send(PeerId(2), tuple(map(wire.AllowedFast, range(PIECES))))


def test_who_asks_on_although_it_is_choked_is_dropped_at_last():
    bench = make(have=[0])
    bench.joins()
    bench.passes(LATE_SECONDS)
    bench.says(1, *[wire.Request(0, 0, BLOCK)] * MOST_BAD_REQUESTS)
    assert drops(bench.says(1, wire.Request(0, 0, BLOCK))) == [(1, "asks although it is choked")]


# -- addresses and time ----------------------------------------------------------------------------------------------


def test_who_came_in_and_tells_its_port_is_not_dialled_there_while_it_is_here():
    bench = make()
    bench.joins(9, incoming=True)
    listens = Address(address(9).host, 51413)
    bench.says(9, encode_extended(ExtendedHandshake(port=51413)))
    assert bench.happens(AddressesFound((listens,), "test")) == []
    dials = [c for c in bench.happens(Left(PeerId(9), "bored")) + bench.passes(61) if isinstance(c, Dial)]
    assert [dial.address for dial in dials] == [listens]


def test_peers_tell_where_they_see_us():
    bench = make()
    for number in (1, 2, 3):
        bench.joins(number, at=Address(f"8.8.{number}.1", 1))
        assert bench.ours.mirror.addresses == ()
        bench.says(number, encode_extended(ExtendedHandshake(your_ip=ip_of("5.6.7.8"))))
    assert [one.host for one in bench.ours.mirror.addresses] == ["5.6.7.8"]


def test_addresses_are_dialled_at_once_as_far_as_there_is_room():
    bench = make(connections=2)
    bench.joins(99, incoming=True)
    assert len(bench.finds(*range(1, 10))) == ATTEMPTS_PER_PLACE
    (again,) = bench.happens(DialFailed(bench.dialled[0], "refused"))
    assert isinstance(again, Dial)
    bench.joins(1, at=bench.dialled[1])
    assert bench.happens(DialFailed(bench.dialled[2], "refused")) == [], "no more room"


def test_those_who_come_in_leave_some_places_to_those_whom_we_choose():
    bench = make(connections=10)
    for number in range(1, 11):
        bench.joins(number, incoming=True)
        bench.says(number, EVERYTHING)
    dials = [command.address for command in bench.finds(*range(100, 120)) if isinstance(command, Dial)]
    assert len(dials) == 3 * ATTEMPTS_PER_PLACE
    for number in (21, 22, 23):
        ((gone, reason),) = drops(bench.joins(number, at=dials.pop()))
        assert (gone <= 10, reason) == (True, "made place for another")
        bench.says(number, EVERYTHING)
    assert drops(bench.joins(24, at=dials.pop())) == [(24, "too many connections")]


def test_only_so_many_dials_at_once():
    bench = make()
    commands = bench.finds(*range(1, MOST_TRYING + 10))
    assert len(commands) == MOST_TRYING
    assert isinstance(commands[0], Dial)
    assert len(bench.happens(DialFailed(commands[0].address, "refused"))) == 1


def test_a_departed_peer_is_dialled_again_after_a_rest():
    bench = make()
    bench.finds(1)
    bench.joins(1)
    bench.happens(Left(PeerId(1), "closed"))
    assert bench.passes(59) == []
    assert bench.passes(2) == [Dial(address(1), LOOK_SECONDS)]


def test_something_is_said_before_two_minutes_are_over():
    bench = make()
    bench.joins()
    bench.says(1, wire.KeepAlive())
    assert bench.passes(KEEP_ALIVE_SECONDS - 1) == []
    bench.says(1, wire.KeepAlive())
    assert bench.passes(1) == [Send(PeerId(1), (wire.KeepAlive(),))]
    assert bench.passes(1) == []


def test_silence_ends_it():
    bench = make()
    bench.joins()
    assert drops(bench.passes(IDLE_SECONDS)) == []
    assert drops(bench.passes(1)) == [(1, "silent for too long")]


# -- the snapshot ----------------------------------------------------------------------------------------------------


def test_how_it_stands():
    bench = make(have=[0])
    bench.finds(7)
    bench.joins(1)
    bench.joins(2)
    bench.says(2, wire.Bitfield(b"\x80"), wire.Interested(), wire.Request(0, 0, 100))
    bench.happens(Served(PeerId(2), (wire.Request(0, 0, 100),)))
    first = next(c for c in bench.says(1, EVERYTHING, wire.Unchoke()) if isinstance(c, Ask)).requests[0]
    bench.says(1, landed(first), wire.Piece(0, 0, b"unasked"))
    assert bench.snapshot == Snapshot(
        peers=2,
        seeds=1,
        known=1,
        downloaded=first.length,
        uploaded=100,
        wasted=7,
        down_rate=first.length / 0.25,
        up_rate=100 / 0.25,
        stall=None,
        named={"test": 1},
    )


def test_why_nothing_comes():
    bench = make()
    assert str(bench.snapshot.stall) == Stall.NO_PEERS
    bench.finds(1)
    assert str(bench.snapshot.stall) == Stall.CONNECTING
    bench.joins(1)
    assert str(bench.snapshot.stall) == Stall.NOBODY_HAS
    bench.says(1, EVERYTHING)
    assert str(bench.snapshot.stall) == Stall.CHOKED
    bench.says(1, wire.Unchoke())
    assert str(bench.snapshot.stall) == Stall.WAITING
    for _ in range(25):
        bench.passes(1)
    assert str(bench.snapshot.stall) == Stall.SILENT
    bench.happens(Left(PeerId(1), "bored"))
    assert str(bench.snapshot.stall) == Stall.UNREACHABLE


def test_nobody_is_sent_away_for_what_he_said_while_we_were_stopped():
    """What came meanwhile has yet to be read."""
    bench = make()
    bench.joins(1)
    bench.passes(1)
    assert drops(bench.passes(3600)) == []
    quiet = [drops(bench.passes(1)) for _ in range(125)]
    assert [gone for gone in quiet if gone] == [[(1, "silent for too long")]]


def test_whoever_takes_back_and_has_again_costs_no_walk_over_all_pieces(monkeypatch: pytest.MonkeyPatch):
    bench = make()
    bench.joins(1)
    bench.says(1, wire.HaveAll())
    walks: list[str] = []
    for name in ("joined", "left", "no_longer_seed"):
        real = getattr(Availability, name)

        def walk(self, *args, real=real, name=name, **kwargs):
            walks.append(name)
            return real(self, *args, **kwargs)

        monkeypatch.setattr(Availability, name, walk)
    again = (wire.Extended(DONTHAVE, bytes(4)), wire.HaveAll())
    bench.says(1, *again * 100)
    assert walks == ["no_longer_seed"]


def test_whoever_wants_nothing_is_not_stalled():
    bench = make()
    bench.happens(Wanted(tuple((piece, SKIP) for piece in range(PIECES))))
    assert bench.snapshot.stall is None


def test_before_there_is_a_scheduler_there_is_nothing():
    assert not any(attrs.astuple(Snapshot.nothing()))


# -- what the user wants ---------------------------------------------------------------------------------------------


def test_it_is_done_when_what_is_wanted_is_there_and_again_when_more_was_wanted():
    bench = make(have=[0, 1])
    assert Finish() in bench.happens(Wanted(((2, SKIP), (3, SKIP), (4, SKIP))))
    assert Finish() not in bench.happens(Wanted(((2, SKIP),)))
    assert Finish() not in bench.happens(Wanted(((2, HIGH), (3, SKIP))))
    assert Finish() in bench.happens(Wanted(((2, SKIP),)))


def test_in_order_and_what_is_read_first():
    bench = make()
    bench.happens(InOrder())
    bench.joins(1)
    (ask,) = [c for c in bench.says(1, EVERYTHING, wire.Unchoke()) if isinstance(c, Ask)]
    assert [request.piece for request in ask.requests] == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    other = make()
    other.happens(InOrder())
    other.happens(Awaited(((3, other.now),)))
    other.joins(1)
    (ask,) = [c for c in other.says(1, EVERYTHING, wire.Unchoke()) if isinstance(c, Ask)]
    assert [request.piece for request in ask.requests][:3] == [3, 3, 0]


def test_who_reads_what_is_not_wanted_keeps_seeds_and_finishes_nothing():
    bench = make(have=[0, 1, 2])
    bench.joins(1)
    assert Finish() in bench.happens(Wanted(((3, SKIP), (4, SKIP))))
    bench.happens(Awaited(((3, bench.now),)))
    bench.says(1, EVERYTHING, wire.Unchoke())
    assert not bench.scheduler._serving.upload_only
    commands = bench.happens(Awaited((), reading=False))
    assert Finish() not in commands
    assert bench.scheduler._serving.upload_only


# -- v2 --------------------------------------------------------------------------------------------------------------


def test_held_pieces_are_neither_asked_for_nor_forgotten():
    bench = make(hold=range(PIECES))
    bench.joins()
    commands = bench.says(1, EVERYTHING, wire.Unchoke())
    assert Send(PeerId(1), (wire.Interested(),)) in commands
    assert not [command for command in commands if isinstance(command, Ask)]
    commands = bench.happens(Released((0, 1, 2), good=(1,)))
    (ask,) = [command for command in commands if isinstance(command, Ask)]
    assert {request.piece for request in ask.requests} == {0, 2}


def test_pieces_that_are_found_are_told_and_finish_the_torrent():
    bench = make([0], hold=range(1, PIECES))
    bench.joins(1)
    bench.joins(2)
    bench.says(1, wire.Have(1))
    bench.says(2, EVERYTHING)
    commands = bench.happens(Released(tuple(range(1, PIECES)), good=tuple(range(1, PIECES))))
    told = [command.messages for command in commands if isinstance(command, Send) and command.peer == 1]
    assert sorted(message.piece for message in told[-1] if isinstance(message, wire.Have)) == [*range(2, PIECES)]
    assert (wire.NotInterested(),) in told
    assert Finish() in commands
    assert drops(commands) == [(2, "both have everything")]


def test_a_stranger_may_say_what_it_likes_of_hashes():
    """A torrent of v1 has no trees; nothing of it is asked for, and nobody is convicted."""
    bench = make([0])
    bench.happens(Joined(PeerId(1), address(1), LESSER, fast=False, incoming=False, v2=True))
    part = wire.HashRequest(bytes(32), 0, 0, 2, 0)
    commands = bench.says(1, part, wire.Hashes(part, bytes(64)), wire.HashReject(part))
    assert commands == [Send(PeerId(1), (wire.HashReject(part),))]


# -- at rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("have", [(), range(PIECES)])
def test_who_is_alone_rests(have):
    assert make(have=have).scheduler.rests


def test_as_long_as_somebody_is_here_time_matters():
    bench = make()
    bench.joins(1)
    assert not bench.scheduler.rests
    bench.happens(Left(PeerId(1), "closed the connection"))
    assert bench.scheduler.rests


def test_as_long_as_somebody_is_to_be_tried_time_matters():
    bench = make()
    bench.finds(1)
    assert bench.dialled == [address(1)]
    assert not bench.scheduler.rests
    for _ in range(MOST_FAILURES):
        assert not bench.scheduler.rests
        bench.happens(DialFailed(address(1), "refused", Failure.REFUSED))
        bench.passes(REST_SECONDS * MOST_FAILURES)
    assert bench.scheduler.rests


def test_the_time_before_a_peer_came_is_not_held_against_it():
    """While nobody was here, nobody may have said how time passes."""
    bench = make()
    bench.now += 3600
    bench.joins(1)
    bench.says(1, EVERYTHING, wire.Unchoke())
    assert bench.asks[1]
    withdrawn = [command for command in bench.passes(1) if isinstance(command, Withdraw)]
    assert not withdrawn
    assert not bench.scheduler._peers[PeerId(1)].snubbed
