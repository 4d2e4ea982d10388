"""The extension protocol's part of the scheduler."""

from __future__ import annotations

import attrs
import pytest

from tests.payload import random_bytes
from trio_torrent.address import Address, ip_of
from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.commands import Command, Send, ServeMetadata
from trio_torrent.swarm.events import PeerId
from trio_torrent.swarm.extensions import DONTHAVE, METADATA, PEX, Extensions
from trio_torrent.swarm.peers import Peer
from trio_torrent.swarm.pex import FIRST_SECONDS
from trio_torrent.wire.extended import ExtendedHandshake
from trio_torrent.wire.messages import Extended
from trio_torrent.wire.ut_metadata import METADATA_PIECE, MetadataData, MetadataReject, MetadataRequest, encode_metadata
from trio_torrent.wire.ut_pex import OUTGOING, SEED, Contact, PeerExchange, decode_pex, encode_pex

from .making import NOW, PIECES, address, make_peer

INFO = random_bytes(METADATA_PIECE + 5)
BOTH = ExtendedHandshake(extensions={"ut_metadata": 3, "ut_pex": 4})


@attrs.define(eq=False)
class Bench:
    """Extensions, and peers that speak them."""

    peers: dict[PeerId, Peer]
    commands: list[Command]
    extensions: Extensions

    def join(self, number: int, handshake: ExtendedHandshake | None = BOTH) -> Peer:
        peer = make_peer(number)
        self.peers[peer.id] = peer
        if handshake is not None:
            self.extensions.said(peer, handshake, NOW)
        return peer

    def leave(self, peer: Peer) -> None:
        del self.peers[peer.id]
        self.extensions.left(peer.id)

    def tick(self, now: float = NOW + FIRST_SECONDS) -> dict[PeerId, PeerExchange]:
        """Who is told what."""
        self.commands.clear()
        self.extensions.tick(now)
        told = {}
        for command in self.commands:
            assert isinstance(command, Send)
            (message,) = command.messages
            assert isinstance(message, Extended)
            assert message.number == 4
            exchange = decode_pex(message.payload)
            assert exchange is not None
            told[command.peer] = exchange
        return told


def make(*, info: bytes = INFO, pex: bool = True) -> Bench:
    peers, commands = dict[PeerId, Peer](), list[Command]()
    return Bench(peers, commands, Extensions(peers, commands.append, info=info, pex=pex))


# -- the handshake ---------------------------------------------------------------------------------------------------


def test_we_say_what_we_speak():
    ours = make().extensions.introduce(ExtendedHandshake(port=1), make_peer())
    assert ours == ExtendedHandshake(
        port=1,
        extensions={"ut_metadata": METADATA, "ut_pex": PEX, "lt_donthave": DONTHAVE},
        metadata_size=len(INFO),
        your_ip=ip_of("192.0.2.1"),
    )


def test_a_private_torrent_says_nothing_of_peer_exchange():
    ours = make(pex=False).extensions.introduce(ExtendedHandshake(), make_peer())
    assert ours.extensions == {"ut_metadata": METADATA, "lt_donthave": DONTHAVE}


# -- the info dictionary ---------------------------------------------------------------------------------------------


def asks(piece: int) -> Extended:
    return Extended(METADATA, encode_metadata(MetadataRequest(piece)))


def test_it_is_given_to_who_asks_by_the_number_it_wants():
    bench = make()
    peer = bench.join(1)
    bench.extensions.heard(peer, asks(1), NOW)
    data = MetadataData(1, len(INFO), INFO[METADATA_PIECE:])
    assert bench.commands == [ServeMetadata(peer.id, 3, data)]


def test_what_is_not_there_is_refused_and_held_against_it():
    bench = make()
    peer = bench.join(1)
    bench.extensions.heard(peer, asks(2), NOW)
    assert bench.commands == [Send(peer.id, (Extended(3, encode_metadata(MetadataReject(2))),))]
    assert peer.bad_requests == 1


@pytest.mark.parametrize(
    "message",
    [
        Extended(METADATA, b"rubbish"),
        Extended(METADATA, encode_metadata(MetadataReject(0))),
        Extended(METADATA, encode_metadata(MetadataData(0, len(INFO), b"unasked"))),
        Extended(99, encode_metadata(MetadataRequest(0))),
    ],
)
def test_nothing_else_is_answered(message: Extended):
    bench = make()
    assert bench.extensions.heard(bench.join(1), message, NOW) == ()
    assert bench.commands == []


@pytest.mark.parametrize("handshake", [None, ExtendedHandshake(), ExtendedHandshake(extensions={"ut_pex": 1})])
def test_who_has_not_said_by_what_number_is_not_answered(handshake: ExtendedHandshake | None):
    bench = make()
    bench.extensions.heard(bench.join(1, handshake), asks(0), NOW)
    assert bench.commands == []


def test_handshakes_add_up():
    bench = make()
    peer = bench.join(1)
    bench.extensions.said(peer, ExtendedHandshake(extensions={"ut_metadata": 9}), NOW)
    bench.extensions.said(peer, ExtendedHandshake(), NOW)
    bench.extensions.heard(peer, asks(0), NOW)
    (command,) = bench.commands
    assert isinstance(command, ServeMetadata)
    assert command.number == 9
    bench.join(2)
    assert {peer.id} <= bench.tick().keys()


# -- peers of peers --------------------------------------------------------------------------------------------------


def test_everyone_is_told_of_everyone_else():
    bench = make()
    for number in (1, 2, 3):
        bench.join(number)
    told = bench.tick()
    assert told.keys() == {1, 2, 3}
    assert told[PeerId(1)].added == (Contact(address(2), OUTGOING), Contact(address(3), OUTGOING))
    assert bench.tick() == {}


def test_who_does_not_speak_of_peers_is_not_told_but_told_of():
    bench = make()
    bench.join(1)
    bench.join(2, None)
    assert bench.tick() == {PeerId(1): PeerExchange((Contact(address(2), OUTGOING),))}


def test_who_goes_is_said_to_be_gone():
    bench = make()
    bench.join(1)
    gone = bench.join(2)
    bench.tick()
    bench.leave(gone)
    assert bench.tick(NOW + 100) == {PeerId(1): PeerExchange((), (address(2),))}


def test_of_who_came_in_it_is_told_where_it_listens_if_it_has_said_so():
    bench = make()
    bench.join(1)
    known, unknown = bench.join(2), bench.join(3)
    known.incoming = unknown.incoming = True
    known.listens = Address("192.0.2.2", 7000)
    assert bench.tick()[PeerId(1)].added == (Contact(Address("192.0.2.2", 7000), 0),)


def test_seeds_are_said_to_be_seeds():
    bench = make()
    bench.join(1)
    bench.join(2).pieces = Bitfield.full(PIECES)
    assert bench.tick()[PeerId(1)].added[0].flags == SEED | OUTGOING


def test_a_name_that_the_user_gave_is_kept_to_ourselves():
    bench = make()
    bench.join(1)
    bench.join(2).address = Address("peer.example", 1)
    assert PeerId(1) not in bench.tick()


def test_what_they_tell_is_handed_on():
    bench = make()
    gossip = Extended(PEX, encode_pex(PeerExchange((Contact(address(7)),))))
    assert bench.extensions.heard(bench.join(1), gossip, NOW) == (address(7),)


def test_a_private_torrent_neither_tells_nor_listens():
    bench = make(pex=False)
    peers = [bench.join(1), bench.join(2)]
    gossip = Extended(PEX, encode_pex(PeerExchange((Contact(address(7)),))))
    assert bench.extensions.heard(peers[0], gossip, NOW) == ()
    assert bench.tick() == {}


def test_who_has_left_leaves_nothing():
    bench = make()
    peer = bench.join(1)
    bench.join(2)
    bench.leave(peer)
    assert peer.id not in bench.tick()
