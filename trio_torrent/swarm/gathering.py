"""The scheduler of a torrent of which only the name is known: it finds peers, and gets the info dictionary from them.

It hears the same events as the `Scheduler` and answers with the same commands, `Dial`, `Drop` and `Send`. What peers
say meanwhile of pieces and choking is kept, and when the info dictionary is there and right, `bequeath` gives events
for the scheduler that comes after, as if it had been there from the start. So the connections stay up, and the download
goes on without a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.dht import rounds
from trio_torrent.errors import ProtocolError
from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import HANDSHAKE_NUMBER, ExtendedHandshake, encode_extended
from trio_torrent.wire.ut_metadata import (
    MetadataData,
    MetadataReject,
    MetadataRequest,
    decode_metadata,
    encode_metadata,
)

from . import lsd
from .candidates import Candidates
from .commands import Command, Drop, Send
from .contacts import Contacts, HeardOf
from .events import AddressesFound, DialFailed, Event, Joined, Left, PeerId, Received, Tick
from .extensions import METADATA, PEX, Speaker, our_numbers
from .hearsay import Hearsay
from .metadata import MetadataFetch
from .ours import Ours
from .peers import Peer
from .pex import SOURCE, Pex
from .scheduler import Limits, Swarm
from .serving import MOST_QUEUED
from .stall import why_no_metadata

# Sources that a private torrent must not have (BEP 27).
GOSSIP = frozenset({SOURCE, lsd.SOURCE, rounds.SOURCE})


@attrs.define(eq=False)
class _Guest:
    """A connected peer."""

    joined: Joined
    peer: Peer
    hearsay: Hearsay = attrs.field(factory=Hearsay)
    speaker: Speaker = attrs.field(factory=Speaker)
    handshake: ExtendedHandshake | None = None  # its last one, to be heard again


@attrs.frozen(eq=False)
class Bequest:
    """For the next scheduler: whom it has heard of, and what it should hear first. `drops` are to be done before."""

    heard_of: HeardOf
    events: tuple[Event, ...]
    drops: tuple[Drop, ...]


class Gathering:
    """Decides for one torrent until its info dictionary is known."""

    def __init__(
        self,
        info_hashes: InfoHashes,
        *,
        ours: Ours,
        random: Random,
        limits: Limits | None = None,
        pex: bool = True,
    ) -> None:
        limits = limits or Limits()
        self._ours = ours
        self._fetch = MetadataFetch(info_hashes)
        self._pex = Pex() if pex else None
        self._guests: dict[PeerId, _Guest] = {}
        self._peers: dict[PeerId, Peer] = {}
        self._commands: list[Command] = []
        self._heard_of = HeardOf(Candidates(random, mirror=ours.mirror, own=ours.own))
        self._contacts = Contacts(
            Bitfield(0),
            self._peers,
            self._do,
            heard_of=self._heard_of,
            mirror=ours.mirror,
            places=limits.connections,
        )

    def __repr__(self) -> str:
        return f"<Gathering {self._fetch!r}, {len(self._guests)} peers>"

    @property
    def info(self) -> bytes | None:
        """The info dictionary, once it is known. It has the right hash; more nobody has looked at."""
        return self._fetch.info

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """What to do about this, in order. `now` is in seconds and never goes back."""
        self._commands = []
        match event:
            case Received(peer, messages):
                self._on_received(peer, messages, now)
            case Joined():
                self._on_joined(event, now)
            case Left(peer):
                self._forget(peer, now)
            case AddressesFound(addresses, source):
                self._contacts.found(addresses, source, now)
            case DialFailed(address, _, why_not):
                self._contacts.failed(address, why_not, now)
            case Tick(crowded):
                self._on_tick(now, crowded=crowded)
            case _:
                pass  # whatever is about pieces
        self._ask(now)
        return self._commands

    def refusal(self, address: Address) -> str | None:
        """Why somebody who comes in from there need not even be answered, if so."""
        return self._contacts.refusal(address)

    @property
    def asks(self) -> bool:
        """Somebody is here who may be asked; as `Scheduler.asks`."""
        return bool(self._guests)

    @property
    def rests(self) -> bool:
        """As `Scheduler.rests`."""
        return not self._guests and not self._contacts.hope

    def snapshot(self) -> Swarm:
        """How it stands."""
        stall = why_no_metadata(
            known=self._contacts.known,
            dialling=self._contacts.trying,
            peers=len(self._guests),
            givers=self._fetch.givers,
        )
        return attrs.evolve(
            Swarm.nothing(),
            peers=len(self._guests),
            known=self._contacts.known,
            stall=stall,
            named=self._contacts.named,
        )

    def _do(self, command: Command) -> None:
        self._commands.append(command)

    # -- peers come and go -------------------------------------------------------------------------------------------

    def _on_joined(self, event: Joined, now: float) -> None:
        peer = Peer.joining(event, 0, now)
        self._contacts.joined(peer)
        self._peers[peer.id], self._guests[peer.id] = peer, _Guest(event, peer)
        verdict = self._contacts.admit(peer, now, crowded=event.crowded)
        if verdict.instead_of is not None:
            self._drop(verdict.instead_of, "made place for another", now)
        if verdict.refusal:
            self._drop(peer.id, verdict.refusal, now)
        elif event.extended:
            self._send(peer.id, (self._introduction(),), now)
        self._contacts.dial(now)

    def _introduction(self) -> wire.Message:
        numbers = our_numbers(pex=self._pex is not None)
        return encode_extended(
            ExtendedHandshake(extensions=numbers, client=self._ours.client, port=self._ours.port, reqq=MOST_QUEUED)
        )

    def _drop(self, peer: PeerId, reason: str, now: float, *, for_good: bool = False) -> None:
        self._do(Drop(peer, reason))
        self._forget(peer, now, for_good=for_good)

    def _forget(self, peer: PeerId, now: float, *, for_good: bool = False) -> None:
        guest = self._guests.pop(peer, None)
        if guest is None:
            return  # dropped, while this was on its way
        del self._peers[peer]
        self._fetch.left(peer)
        if self._pex is not None:
            self._pex.left(peer)
        self._contacts.left(guest.peer, now, for_good=for_good)

    def _on_tick(self, now: float, *, crowded: bool) -> None:
        if crowded and (surplus := self._contacts.surplus(now)) is not None:
            self._drop(surplus, "made place for another torrent", now)
        for peer in self._contacts.keep_up(now):
            self._drop(peer.id, "silent for too long", now)
        self._contacts.tick(now)

    # -- what peers say ----------------------------------------------------------------------------------------------

    def _on_received(self, peer: PeerId, messages: Sequence[wire.Heard], now: float) -> None:
        for message in messages:
            guest = self._guests.get(peer)
            if guest is None:
                return
            guest.peer.last_heard = now
            match message:
                case wire.Extended():
                    self._on_extended(guest, message, now)
                case wire.Piece() | wire.Landed():
                    self._drop(peer, "sent what nobody asked for", now)
                case _:
                    self._hear(guest, message, now)

    def _hear(self, guest: _Guest, message: wire.Message, now: float) -> None:
        try:
            guest.hearsay.hear(message)
        except ProtocolError as error:
            self._drop(guest.peer.id, str(error), now)
            return
        if guest.hearsay.has_pieces and guest.peer.fast and not guest.joined.told:
            # We will be, most likely, and others take their time to unchoke: Transmission looks every ten seconds.
            # What we have must be said first, and without BEP 6 it could not be said again.
            guest.joined = attrs.evolve(guest.joined, told=True)
            self._send(guest.peer.id, (wire.HaveNone(), wire.Interested()), now)

    def _on_extended(self, guest: _Guest, message: wire.Extended, now: float) -> None:
        peer = guest.peer
        if message.number == HANDSHAKE_NUMBER:
            self._on_handshake(guest, message)
        elif message.number == METADATA:
            self._on_metadata(guest, message.payload, now)
        elif message.number == PEX and self._pex is not None:
            self._contacts.found(self._pex.heard(peer.id, peer.address, message.payload, now), SOURCE, now)

    def _on_handshake(self, guest: _Guest, message: wire.Extended) -> None:
        peer, theirs = guest.peer, self._contacts.introduced(guest.peer, message)
        if theirs is None:
            return
        guest.speaker.said(theirs)
        guest.handshake = theirs
        if guest.speaker.metadata and guest.speaker.metadata_size:
            peer.we_are_interested = True  # so it has what others may have to go for
            self._fetch.offered(peer.id, guest.speaker.metadata_size)

    def _on_metadata(self, guest: _Guest, payload: bytes, now: float) -> None:
        match decode_metadata(payload):
            case MetadataData() as data:
                for liar in self._fetch.came(guest.peer.id, data):
                    self._convict(liar, now)
            case MetadataReject(piece):
                self._fetch.refused(guest.peer.id, piece, now)
            case MetadataRequest(piece) if guest.speaker.metadata:
                refusal = wire.Extended(guest.speaker.metadata, encode_metadata(MetadataReject(piece)))
                self._send(guest.peer.id, (refusal,), now)
            case _:
                pass

    def _convict(self, liar: PeerId, now: float) -> None:
        if liar in self._peers:
            self._heard_of.bans.convict(frozenset([self._peers[liar].address]))
            self._drop(liar, "sent wrong metadata", now, for_good=True)

    # -- what we say -------------------------------------------------------------------------------------------------

    def _ask(self, now: float) -> None:
        for peer, piece in self._fetch.due(now):
            number = self._guests[peer].speaker.metadata
            assert number is not None  # without it, it has offered nothing
            self._send(peer, (wire.Extended(number, encode_metadata(MetadataRequest(piece))),), now)

    def _send(self, peer: PeerId, messages: tuple[wire.Message, ...], now: float) -> None:
        self._peers[peer].last_keep_alive = now
        self._do(Send(peer, messages))

    # -- what comes after --------------------------------------------------------------------------------------------

    def bequeath(self, pieces: int, now: float, *, private: bool) -> Bequest:
        """What the next scheduler should know, now that the torrent has so many pieces. It is the end of this one.

        If it turns out to be private, those whom only gossip has named are parted with.
        """
        self._commands = []
        if private:
            self._heard_of.candidates.disown(GOSSIP)
        events: list[Event] = []
        for guest in list(self._guests.values()):
            try:
                events += self._inheritance(guest, pieces, private=private)
            except ProtocolError as error:
                self._drop(guest.peer.id, str(error), now)
        drops = tuple([command for command in self._commands if isinstance(command, Drop)])
        return Bequest(self._heard_of.hand_on(self._peers.values()), tuple(events), drops)

    def _inheritance(self, guest: _Guest, pieces: int, *, private: bool) -> list[Event]:
        """One peer's coming, and all that it has said."""
        if private and not guest.peer.incoming and self._heard_of.candidates.is_disowned(guest.peer.address):
            raise ProtocolError("the torrent is private, and no tracker named this peer")
        said = guest.hearsay.messages(pieces)
        if guest.handshake is not None:
            named = attrs.evolve(
                guest.handshake,
                extensions=guest.speaker.numbers,
                metadata_size=guest.speaker.metadata_size,
            )
            said = (encode_extended(named), *said)
        return [guest.joined, Received(guest.peer.id, said)]
