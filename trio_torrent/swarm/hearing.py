"""What peers say, message by message, and whose business it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from trio_torrent.address import Address, is_peer
from trio_torrent.bitfield import Bitfield
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import HANDSHAKE_NUMBER
from trio_torrent.wire.lt_donthave import decode_donthave

from .commands import AddNode, Command
from .company import Company
from .contacts import Contacts
from .events import PeerId, Received
from .extensions import DONTHAVE, Extensions
from .fetching import Fetching
from .hashing import Hashing
from .ours import Ours
from .peers import Peer
from .pex import SOURCE
from .serving import Serving


@attrs.frozen(eq=False, kw_only=True)
class Hearing:
    """A part of the scheduler: hears what the peers say, and has the other parts do something about it."""

    _have: Bitfield
    _peers: Mapping[PeerId, Peer]
    _do: Callable[[Command], None]
    _ours: Ours
    _company: Company
    _contacts: Contacts
    _fetching: Fetching
    _serving: Serving
    _hashing: Hashing
    _extensions: Extensions

    def received(self, peer: Peer, event: Received, now: float) -> None:
        """A chunk of messages has come from a peer that is here."""
        peer.last_heard = now
        requests: list[wire.Request] = []
        size, more = 0, False
        for message in event.messages:
            if isinstance(message, wire.Landed):  # nearly all that comes, in a download
                more = True
                size += self._fetching.landed(peer, message.requests, event.asks, now)
            elif isinstance(message, wire.Request):  # nearly all of them, in an upload
                requests.append(message)
            else:
                self._serving.requested(peer, requests, now)  # in the order in which it was said
                requests = []
                if isinstance(message, wire.Piece):
                    more = True
                    size += self._fetching.block(peer, message, event.asks, now)
                else:
                    more |= self._on_message(peer, message, now)
                if peer.id not in self._peers:
                    return  # it lied
        if size:
            self._fetching.count(peer, size, now)
        self._serving.requested(peer, requests, now)
        self._company.judge(peer, now)
        if peer.id in self._peers:
            self._hashing.ask(peer, now)
        if more and peer.id in self._peers:
            self._fetching.asking.fill(peer, now)

    def _on_message(self, peer: Peer, message: wire.Message, now: float) -> bool:
        """Whether the peer may have more to ask for now."""
        match message:
            case wire.Choke():
                self._fetching.choked(peer, now)
            case wire.Unchoke():
                self._fetching.unchoked(peer, now)
                return True
            case wire.Interested() | wire.NotInterested():
                peer.interested = isinstance(message, wire.Interested)
                self._serving.interest_changed(peer, now)
            case wire.Have() | wire.Bitfield() | wire.HaveAll() | wire.HaveNone() | wire.AllowedFast() | wire.Suggest():
                return self._on_pieces(peer, message, now)
            case wire.Cancel():
                self._serving.cancelled(peer, message)
            case wire.Reject():
                self._fetching.rejected(peer, message, now)
            case wire.Extended() | wire.HashRequest() | wire.Hashes() | wire.HashReject():
                self._on_extension(peer, message, now)
            case wire.Port(port):
                self._on_node(peer, port)
            case _:
                pass  # keep-alives, what we do not know
        return False

    def _on_pieces(
        self,
        peer: Peer,
        message: wire.Have | wire.Bitfield | wire.HaveAll | wire.HaveNone | wire.AllowedFast | wire.Suggest,
        now: float,
    ) -> bool:
        match message:
            case wire.Have(piece):
                more = self._fetching.gained(peer, piece)
                self._serving.gained(peer, piece, now)
                return more
            case wire.Bitfield(bits):
                return self._on_opening(peer, Bitfield.from_bytes(bits, self._have.size), now)
            case wire.HaveAll() if not peer.pieces.complete:  # 5 bytes, said again and again, must not cost a set each
                return self._on_opening(peer, Bitfield.full(self._have.size), now)
            case wire.HaveNone():
                self._serving.opened(peer, now)
            case wire.AllowedFast(piece):
                return self._fetching.allowed_fast(peer, piece)
            case wire.Suggest(piece):
                peer.suggested.append(piece)
            case _:
                pass
        return False

    def _on_opening(self, peer: Peer, pieces: Bitfield, now: float) -> bool:
        more = self._fetching.bitfield(peer, pieces)
        self._serving.opened(peer, now)
        return more

    def _on_extension(
        self, peer: Peer, message: wire.Extended | wire.HashRequest | wire.Hashes | wire.HashReject, now: float
    ) -> None:
        match message:
            case wire.Extended():
                self._on_extended(peer, message, now)
            case wire.HashRequest():
                self._hashing.requested(peer, message)
            case wire.Hashes():
                liars, of = self._hashing.answered(peer, message)
                self._company.drop_liars(liars, now, of)
                self._fetching.asking.fill_hungry(now)
            case wire.HashReject():
                self._hashing.rejected(peer, message)

    def _on_extended(self, peer: Peer, message: wire.Extended, now: float) -> None:
        if message.number != HANDSHAKE_NUMBER:
            self._on_numbered(peer, message, now)
            return
        if (theirs := self._contacts.introduced(peer, message)) is not None:
            peer.queue = theirs.reqq or peer.queue
            peer.upload_only = theirs.upload_only
            self._serving.interest_changed(peer, now)
            self._extensions.said(peer, theirs, now)

    def _on_numbered(self, peer: Peer, message: wire.Extended, now: float) -> None:
        if message.number == DONTHAVE:
            piece = decode_donthave(message.payload)
            if piece is not None and piece < self._have.size:
                self._fetching.lost(peer, piece, now)
        else:
            self._contacts.found(self._extensions.heard(peer, message, now), SOURCE, now)

    def _on_node(self, peer: Peer, port: int) -> None:
        """Told once: whoever says many ports would have us try every door of a host."""
        node = Address(peer.address.host, port)
        if self._ours.dht_port is not None and not peer.told_node and is_peer(node):
            peer.told_node = True
            self._do(AddNode(node))
