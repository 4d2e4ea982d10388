"""The extension protocol, as one torrent speaks it: who speaks what, and to whom their messages go (BEP 10).

Each side numbers the extensions for itself, and is sent messages by its own numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from trio_torrent.address import Address, ip_of, plain
from trio_torrent.wire import lt_donthave, ut_metadata, ut_pex
from trio_torrent.wire.extended import ExtendedHandshake
from trio_torrent.wire.messages import Extended
from trio_torrent.wire.ut_metadata import MetadataData, MetadataRequest, decode_metadata, encode_metadata
from trio_torrent.wire.ut_pex import OUTGOING, SEED, Contact, encode_pex

from .commands import Command, Send, ServeMetadata
from .events import PeerId
from .metadata_serving import MetadataServing
from .peers import Peer
from .pex import Pex

PEX, METADATA, DONTHAVE = 1, 2, 3  # our numbers


def our_numbers(*, pex: bool) -> dict[str, int]:
    """What our handshake says of extensions."""
    return {ut_metadata.NAME: METADATA, lt_donthave.NAME: DONTHAVE, **({ut_pex.NAME: PEX} if pex else {})}


@attrs.define(eq=False)
class Speaker:
    """What a peer has said of itself. It may say it in several handshakes, each of which adds to the others."""

    metadata: int | None = None  # its numbers
    pex: int | None = None
    metadata_size: int | None = None  # bytes

    @property
    def numbers(self) -> dict[str, int]:
        """Those of the extensions that we share."""
        numbers = {ut_metadata.NAME: self.metadata, ut_pex.NAME: self.pex}
        return {name: number for name, number in numbers.items() if number is not None}

    def said(self, handshake: ExtendedHandshake) -> None:
        """One more handshake."""
        self.metadata = handshake.extensions.get(ut_metadata.NAME, self.metadata)
        self.pex = handshake.extensions.get(ut_pex.NAME, self.pex)
        self.metadata_size = self.metadata_size or handshake.metadata_size


class Extensions:
    """A part of the scheduler. `info` is the info dictionary, to be given to peers; `pex` turns peer exchange on."""

    def __init__(self, peers: Mapping[PeerId, Peer], do: Callable[[Command], None], *, info: bytes, pex: bool) -> None:
        self._peers = peers
        self._do = do
        self._speakers: dict[PeerId, Speaker] = {}
        self._serving = MetadataServing(info)
        self._pex = Pex() if pex else None

    def introduce(self, ours: ExtendedHandshake, peer: Peer) -> ExtendedHandshake:
        """Our handshake, with what we speak, and where we see the peer."""
        numbers = our_numbers(pex=self._pex is not None)
        size = self._serving.size or None
        return attrs.evolve(ours, extensions=numbers, metadata_size=size, your_ip=ip_of(peer.address.host))

    def said(self, peer: Peer, handshake: ExtendedHandshake, now: float) -> None:
        """A peer says what it speaks."""
        speaker = self._speakers.setdefault(peer.id, Speaker())
        speaker.said(handshake)
        if speaker.pex and self._pex is not None:
            self._pex.joined(peer.id, now)

    def heard(self, peer: Peer, message: Extended, now: float) -> tuple[Address, ...]:
        """A message of an extension has come. Returns addresses that it names."""
        if message.number == METADATA:
            self._on_metadata(peer, message.payload)
        elif message.number == PEX and self._pex is not None:
            return self._pex.heard(peer.id, peer.address, message.payload, now)
        return ()

    def left(self, peer: PeerId) -> None:
        """The peer is gone."""
        self._speakers.pop(peer, None)
        self._serving.left(peer)
        if self._pex is not None:
            self._pex.left(peer)

    def tick(self, now: float) -> None:
        """Tell peers of peers, when it is time."""
        due = self._pex.due(now) if self._pex is not None else []
        contacts = self._contacts() if due else {}
        for peer in due:
            self._tell(peer, contacts, now)

    def _on_metadata(self, peer: Peer, payload: bytes) -> None:
        number = self._speakers[peer.id].metadata if peer.id in self._speakers else None
        request = decode_metadata(payload)
        if number is None or not isinstance(request, MetadataRequest):
            return
        answer = self._serving.requested(peer.id, request.piece)
        if isinstance(answer, MetadataData):
            self._do(ServeMetadata(peer.id, number, answer))
        else:
            peer.bad_requests += 1
            self._do(Send(peer.id, (Extended(number, encode_metadata(answer)),)))

    def _tell(self, peer: PeerId, contacts: Mapping[PeerId, Contact], now: float) -> None:
        assert self._pex is not None
        number = self._speakers[peer].pex if peer in self._speakers else None
        if number is None:
            return  # it tells, and does not say how it would be told
        news = self._pex.news(peer, self._peers[peer].address, contacts, now)
        if news is not None:
            self._do(Send(peer, (Extended(number, encode_pex(news)),)))

    def _contacts(self) -> dict[PeerId, Contact]:
        return {peer.id: contact for peer in self._peers.values() if (contact := self._contact(peer)) is not None}

    def _contact(self, peer: Peer) -> Contact | None:
        """Where others can reach the peer, if that is known."""
        flags = (SEED if peer.pieces.complete else 0) | (0 if peer.incoming else OUTGOING)
        address = peer.listens if peer.incoming else peer.address
        return None if address is None or ip_of(address.host) is None else Contact(plain(address), flags)
