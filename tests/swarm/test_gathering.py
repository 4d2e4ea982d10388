"""A torrent of which only the name is known, until its scheduler takes over."""

from __future__ import annotations

from hashlib import sha1
from random import Random
from typing import TypeVar

import attrs
import pytest

from tests.payload import random_bytes
from trio_torrent.address import Address, ip_of
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.swarm.commands import Ask, Command, Dial, Drop, Send
from trio_torrent.swarm.contacts import IDLE_SECONDS, KEEP_ALIVE_SECONDS
from trio_torrent.swarm.events import AddressesFound, DialFailed, Event, Failure, Joined, Left, PeerId, Received, Tick
from trio_torrent.swarm.extensions import DONTHAVE, METADATA, PEX
from trio_torrent.swarm.gathering import Gathering
from trio_torrent.swarm.ours import Ours
from trio_torrent.swarm.pool import USER
from trio_torrent.swarm.scheduler import Limits, Scheduler
from trio_torrent.swarm.stall import Stall
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import ExtendedHandshake, decode_extended, encode_extended
from trio_torrent.wire.ut_metadata import (
    METADATA_PIECE,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    decode_metadata,
    encode_metadata,
)
from trio_torrent.wire.ut_pex import Contact, PeerExchange, encode_pex

from .making import BLOCK, GEOMETRY, NOW, PIECES, address

C = TypeVar("C", bound=Command)

INFO = random_bytes(METADATA_PIECE + 5)
THEIR_METADATA, THEIR_PEX = 3, 4
KNOWS = encode_extended(
    ExtendedHandshake(
        extensions={"ut_metadata": THEIR_METADATA, "ut_pex": THEIR_PEX}, metadata_size=len(INFO), port=7000, reqq=77
    )
)
EVERYTHING = wire.Bitfield(bytes(Bitfield.full(PIECES)))


@attrs.define(eq=False)
class Bench:
    """A gathering with a clock."""

    gathering: Gathering
    ours: Ours
    now: float = NOW

    def happens(self, event: Event) -> list[Command]:
        return list(self.gathering.handle(event, self.now))

    def joins(self, number: int = 1, *, incoming: bool = False, extended: bool = True) -> list[Command]:
        name = bytes([number]) * 20
        return self.happens(Joined(PeerId(number), address(number), name, True, incoming, extended))

    def says(self, number: int, *messages: wire.Message) -> list[Command]:
        return self.happens(Received(PeerId(number), messages))

    def tells(self, number: int, message: MetadataRequest | MetadataData | MetadataReject) -> list[Command]:
        return self.says(number, wire.Extended(METADATA, encode_metadata(message)))

    def passes(self, seconds: float) -> list[Command]:
        self.now += seconds
        return self.happens(Tick())

    def gives(self, number: int, info: bytes = INFO) -> list[Command]:
        """Both pieces."""
        self.tells(number, MetadataData(0, len(INFO), info[:METADATA_PIECE]))
        return self.tells(number, MetadataData(1, len(INFO), info[METADATA_PIECE:]))


def make(*, connections: int = 50, pex: bool = True) -> Bench:
    ours = Ours(b"m" * 20, 6881, "us")
    gathering = Gathering(
        InfoHashes(sha1(INFO).digest()),
        ours=ours,
        random=Random(1),
        limits=Limits(connections),
        pex=pex,
    )
    return Bench(gathering, ours)


def of(kind: type[C], commands: list[Command]) -> list[C]:
    return [command for command in commands if isinstance(command, kind)]


def requests(commands: list[Command]) -> list[int]:
    found = []
    for send in of(Send, commands):
        for message in send.messages:
            assert isinstance(message, wire.Extended)
            assert message.number == THEIR_METADATA
            request = decode_metadata(message.payload)
            assert isinstance(request, MetadataRequest)
            found.append(request.piece)
    return found


def test_peers_tell_where_they_see_us():
    bench = make()
    for number in (1, 2, 3):
        at = Address(f"8.8.{number}.1", 1)
        bench.happens(Joined(PeerId(number), at, bytes([number]) * 20, True, False, True))
        assert bench.ours.mirror.addresses == ()
        bench.says(number, encode_extended(ExtendedHandshake(your_ip=ip_of("5.6.7.8"))))
    assert [one.host for one in bench.ours.mirror.addresses] == ["5.6.7.8"]


# -- meeting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pex", [True, False])
def test_addresses_are_dialled_and_peers_are_greeted(pex: bool):
    bench = make(pex=pex)
    assert [dial.address for dial in of(Dial, bench.happens(AddressesFound((address(1),), "tracker")))] == [address(1)]
    (send,) = of(Send, bench.joins())
    (greeting,) = send.messages
    assert isinstance(greeting, wire.Extended)
    numbers = {"ut_metadata": METADATA, "lt_donthave": DONTHAVE} | ({"ut_pex": PEX} if pex else {})
    greeted = decode_extended(greeting)
    assert greeted is not None
    assert (greeted.extensions, greeted.port, greeted.metadata_size) == (numbers, 6881, None)


def test_who_does_not_speak_the_extension_protocol_is_not_spoken_to_in_it():
    assert make().joins(extended=False) == []


def test_peers_that_are_of_no_use_make_place_for_others():
    bench = make(connections=2)
    bench.joins(1, incoming=True)
    bench.says(1, KNOWS)
    bench.joins(2, incoming=True)
    (drop,) = of(Drop, bench.joins(3, incoming=True))
    assert drop == Drop(PeerId(2), "made place for another")


def test_silence_is_broken_and_punished():
    bench = make()
    bench.joins()
    assert of(Send, bench.passes(KEEP_ALIVE_SECONDS)) == [Send(PeerId(1), (wire.KeepAlive(),))]
    quiet = [of(Drop, bench.passes(1)) for _ in range(int(IDLE_SECONDS))]
    assert [drops for drops in quiet if drops] == [[Drop(PeerId(1), "silent for too long")]]


def test_gossip_is_listened_to():
    bench = make()
    bench.joins()
    gossip = encode_pex(PeerExchange((Contact(address(5)),)))
    dials = of(Dial, bench.says(1, wire.Extended(PEX, gossip)))
    assert [dial.address for dial in dials] == [address(5)]
    deaf = make(pex=False)
    deaf.joins()
    assert of(Dial, deaf.says(1, wire.Extended(PEX, gossip))) == []


def test_why_it_is_not_known_yet():
    bench = make()
    assert bench.gathering.snapshot().stall is Stall.NO_PEERS
    bench.happens(AddressesFound((address(1),), "tracker"))
    assert bench.gathering.snapshot().stall is Stall.CONNECTING
    bench.happens(DialFailed(address(1), "no", Failure.FOR_GOOD))
    assert bench.gathering.snapshot().stall is Stall.UNREACHABLE
    bench.joins()
    assert bench.gathering.snapshot().stall is Stall.NO_METADATA
    bench.says(1, KNOWS)
    assert bench.gathering.snapshot().stall is Stall.METADATA


# -- asking ----------------------------------------------------------------------------------------------------------


def test_who_knows_is_asked():
    bench = make()
    bench.joins()
    assert requests(bench.says(1, KNOWS)) == [0, 1]
    assert bench.gives(1) == []
    assert bench.gathering.info == INFO


def test_who_cannot_know_is_asked_when_it_can():
    bench = make()
    bench.joins()
    assert bench.says(1, encode_extended(ExtendedHandshake(extensions={"ut_metadata": THEIR_METADATA}))) == []
    assert requests(bench.says(1, encode_extended(ExtendedHandshake(metadata_size=len(INFO))))) == [0, 1]


def test_who_refuses_is_left_alone_for_a_while():
    bench = make()
    bench.joins()
    bench.says(1, KNOWS)
    assert bench.tells(1, MetadataReject(0)) == []
    assert requests(bench.passes(60)) != []


def test_who_lies_is_dropped_and_not_let_in_again():
    bench = make()
    bench.happens(AddressesFound((address(1),), "tracker"))
    bench.joins()
    bench.says(1, KNOWS)
    assert of(Drop, bench.gives(1, bytes(len(INFO)))) == [Drop(PeerId(1), "sent wrong metadata")]
    assert bench.gathering.info is None
    assert of(Drop, bench.joins(1)) == [Drop(PeerId(1), "banned")]
    assert of(Dial, bench.passes(1000)) == []


@pytest.mark.parametrize("message", [wire.HaveAll(), EVERYTHING, wire.Have(2**32 - 1)])
def test_who_has_something_hears_that_we_want_it_once(message: wire.Message):
    bench = make()
    bench.joins()
    assert bench.says(1, message) == [Send(PeerId(1), (wire.HaveNone(), wire.Interested()))]
    assert bench.says(1, message) == []
    _, commands, _ = take_over(bench) if message == EVERYTHING else (None, [], None)
    assert not any(isinstance(said, wire.HaveNone) for send in of(Send, commands) for said in send.messages)


def test_a_request_for_what_we_have_not_is_refused():
    bench = make()
    bench.joins()
    assert bench.tells(1, MetadataRequest(0)) == []  # it has not said how it would be told
    bench.says(1, KNOWS)
    refusal = wire.Extended(THEIR_METADATA, encode_metadata(MetadataReject(0)))
    assert bench.tells(1, MetadataRequest(0)) == [Send(PeerId(1), (refusal,))]


@pytest.mark.parametrize(
    "message",
    [
        wire.Extended(METADATA, b"rubbish"),
        wire.Extended(PEX, b"rubbish"),
        wire.Extended(0, b"rubbish"),
        wire.Extended(99, b""),
        wire.Request(0, 0, BLOCK),
        wire.Cancel(0, 0, BLOCK),
        wire.Bitfield(bytes(5)),
        wire.HaveNone(),
    ],
)
def test_what_is_of_no_use_is_passed_over(message: wire.Message):
    bench = make()
    bench.joins()
    assert bench.says(1, message) == []


def test_blocks_are_not_taken():
    bench = make()
    bench.joins()
    assert of(Drop, bench.says(1, wire.Piece(0, 0, b"x"), wire.Piece(0, 0, b"y"))) == [
        Drop(PeerId(1), "sent what nobody asked for")
    ]


def test_too_much_about_pieces_is_not_listened_to():
    bench = make()
    bench.joins()
    (drop,) = of(Drop, bench.says(1, *[wire.Have(piece) for piece in range(5000)]))
    assert "too many pieces" in drop.reason


def test_what_comes_of_the_gone_is_nothing():
    bench = make()
    bench.joins()
    bench.happens(Left(PeerId(1), "gone"))
    assert bench.says(1, KNOWS) == []
    bench.happens(Left(PeerId(1), "gone"))
    assert bench.gathering.snapshot().peers == 0


# -- handing over ----------------------------------------------------------------------------------------------------


def take_over(bench: Bench, *, private: bool = False) -> tuple[Scheduler, list[Command], tuple[Drop, ...]]:
    """The scheduler that comes after, and what it does at first."""
    bequest = bench.gathering.bequeath(PIECES, bench.now, private=private)
    scheduler = Scheduler(
        GEOMETRY,
        Bitfield(PIECES),
        ours=Ours(b"m" * 20, 6881, "us"),
        random=Random(1),
        now=bench.now,
        info=INFO,
        heard_of=bequest.heard_of,
    )
    commands = [command for event in bequest.events for command in scheduler.handle(event, bench.now)]
    return scheduler, commands, bequest.drops


def test_the_download_goes_on_at_once_with_those_who_are_there():
    bench = make()
    bench.happens(AddressesFound((address(1),), "tracker"))
    bench.joins()
    bench.says(1, KNOWS, EVERYTHING, wire.Unchoke())
    bench.gives(1)
    scheduler, commands, drops = take_over(bench)
    assert drops == ()
    (ask,) = of(Ask, commands)
    assert ask.peer == 1
    assert of(Dial, commands) == []
    assert (scheduler.snapshot(NOW).peers, scheduler.snapshot(NOW).seeds, scheduler.snapshot(NOW).known) == (1, 1, 1)
    greeting = of(Send, commands)[0].messages[0]
    assert isinstance(greeting, wire.Extended)
    greeted = decode_extended(greeting)
    assert greeted is not None
    assert greeted.metadata_size == len(INFO)


def test_who_leaves_later_is_dialled_again_later():
    """So it was counted once."""
    bench = make()
    bench.happens(AddressesFound((address(1),), "tracker"))
    bench.joins()
    scheduler, _, _ = take_over(bench)
    scheduler.handle(Left(PeerId(1), "gone"), bench.now)
    assert of(Dial, list(scheduler.handle(Tick(), bench.now + 100)))


def test_who_came_in_is_known_where_it_listens():
    bench = make()
    bench.joins(incoming=True)
    bench.says(1, KNOWS)
    scheduler, _, _ = take_over(bench)
    assert scheduler.snapshot(NOW).known == 1
    listens = attrs.evolve(address(1), port=7000)
    assert of(Dial, list(scheduler.handle(AddressesFound((listens,), "tracker"), bench.now))) == []
    scheduler.handle(Left(PeerId(1), "gone"), bench.now)
    dials = of(Dial, list(scheduler.handle(Tick(), bench.now + 100)))
    assert [dial.address for dial in dials] == [listens]


def test_dials_that_are_under_way_are_not_begun_again():
    bench = make()
    bench.happens(AddressesFound((address(1), address(2)), "tracker"))
    scheduler, commands, _ = take_over(bench)
    assert of(Dial, commands) == []
    assert of(Dial, list(scheduler.handle(Tick(), bench.now))) == []
    scheduler.handle(DialFailed(address(1), "refused"), bench.now)
    assert of(Dial, list(scheduler.handle(Tick(), bench.now + 100))) != []


@pytest.mark.parametrize("message", [wire.Have(PIECES), wire.Bitfield(bytes(9))])
def test_who_spoke_of_pieces_that_cannot_be_is_parted_with(message: wire.Message):
    bench = make()
    bench.joins(1)
    bench.joins(2)
    bench.says(1, message)
    scheduler, _, (drop,) = take_over(bench)
    assert drop.peer == 1
    assert scheduler.snapshot(NOW).peers == 1


def test_liars_are_remembered():
    bench = make()
    bench.joins()
    bench.says(1, KNOWS)
    bench.gives(1, bytes(len(INFO)))
    scheduler, _, _ = take_over(bench)
    joined = Joined(PeerId(9), address(1), bytes(20), True, False)
    assert of(Drop, list(scheduler.handle(joined, NOW))) == [Drop(PeerId(9), "banned")]


def test_whom_only_gossip_named_has_no_place_in_a_private_torrent():
    bench = make()
    bench.happens(AddressesFound((address(1), address(2)), "pex"))
    bench.happens(AddressesFound((address(2), address(3)), "tracker"))
    bench.happens(AddressesFound((address(4),), USER))
    for number in (1, 2, 3, 4):
        bench.joins(number)
    bench.joins(5, incoming=True)
    scheduler, _, drops = take_over(bench, private=True)
    assert [drop.peer for drop in drops] == [1]
    assert scheduler.snapshot(NOW).peers == 4
    assert of(Dial, list(scheduler.handle(Tick(), NOW + 1000))) == []
