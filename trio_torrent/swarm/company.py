"""Who is here: peers come and are greeted, or sent away; and they go, or have to.

Whoever comes or goes is made known to all who have to do with peers, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import ExtendedHandshake, encode_extended

from .commands import Command, Drop, Send
from .contacts import Contacts
from .events import Joined, PeerId
from .extensions import Extensions
from .fetching import MOST_REJECTS, Fetching
from .hashing import WRONG_BLOCK, Hashing
from .ours import Ours
from .peers import Peer
from .serving import MOST_QUEUED, Serving


@attrs.frozen(eq=False, kw_only=True)
class Company:
    """A part of the scheduler. Changes `peers`, at which the other parts look."""

    _have: Bitfield
    _peers: dict[PeerId, Peer]
    _do: Callable[[Command], None]
    _ours: Ours
    _contacts: Contacts
    _fetching: Fetching
    _serving: Serving
    _hashing: Hashing
    _extensions: Extensions

    def joined(self, event: Joined, now: float) -> None:
        """Somebody has come. He stays unless there is no place for him, or he is here already."""
        peer = Peer.joining(event, self._have.size, now)
        self._contacts.joined(peer)
        self._peers[peer.id] = peer
        twin = self._twin(peer)
        if twin is not None and self._prefer(peer, twin):
            self.drop(twin, "connected twice", now)
            twin = None
        refusal = "connected twice" if twin is not None else self._make_place(peer, now, crowded=event.crowded)
        if refusal:
            self.drop(peer, refusal, now)
            return
        self._fetching.joined(peer)
        if not peer.web:
            self._greet(peer, event)
        self._serving.joined(peer, now)
        self._contacts.dial(now)

    def _greet(self, peer: Peer, event: Joined) -> None:
        greeting = (self.introduction(peer),) if event.extended else ()
        node = (wire.Port(self._ours.dht_port),) if event.dht and self._ours.dht_port is not None else ()
        if opening := (*greeting, *self._serving.opening(peer, told=event.told), *node):
            self._do(Send(peer.id, opening))

    def introduction(self, peer: Peer) -> wire.Message:
        """What we say of ourselves, at first and whenever it has changed (BEP 10, 21)."""
        ours = ExtendedHandshake(
            client=self._ours.client,
            port=self._ours.port,
            reqq=MOST_QUEUED,
            upload_only=self._serving.upload_only,
        )
        return encode_extended(self._extensions.introduce(ours, peer))

    def _make_place(self, peer: Peer, now: float, *, crowded: bool) -> str | None:
        """Let somebody go for the newcomer, if need be; or why it cannot stay."""
        verdict = self._contacts.admit(peer, now, crowded=crowded)
        if verdict.instead_of is not None:
            self.drop(self._peers[verdict.instead_of], "made place for another", now)
        return verdict.refusal

    def _twin(self, peer: Peer) -> Peer | None:
        """The same peer on another connection. Its id alone does not prove it: everyone who is told it can claim it."""
        for other in self._peers.values():
            same = other.remote_id == peer.remote_id and other.address.host == peer.address.host
            if same and other is not peer:
                return other
        return None

    def _prefer(self, peer: Peer, twin: Peer) -> bool:
        """Two connections to one peer, one dialled by each side: both sides keep that of the greater peer id."""
        ours_is_greater = self._ours.peer_id > peer.remote_id
        return peer.incoming != twin.incoming and peer.incoming != ours_is_greater

    def drop(self, peer: Peer, reason: str, now: float, *, for_good: bool = False) -> None:
        """Part with a peer; `for_good` if it is not to be dialled again."""
        self._do(Drop(peer.id, reason, for_good))
        self.left(peer, now, for_good=for_good)

    def left(self, peer: Peer, now: float, *, for_good: bool = False) -> None:
        """The peer is gone."""
        del self._peers[peer.id]
        self._fetching.left(peer, now)
        self._serving.left(peer, now)
        self._hashing.left(peer, now)
        self._extensions.left(peer.id)
        self._contacts.left(peer, now, for_good=for_good)

    def drop_liars(self, liars: frozenset[Address], now: float, of: str = WRONG_BLOCK) -> None:
        """Part with those at these addresses, who are convicted of this."""
        if not liars:
            return
        for peer in [peer for peer in self._peers.values() if peer.address in liars]:
            self.drop(peer, of, now, for_good=True)

    def judge(self, peer: Peer, now: float) -> None:
        """Part with a peer that is of no use, or a nuisance."""
        if self._have.complete and peer.pieces.complete:
            self.drop(peer, "both have everything", now, for_good=True)
        elif self._serving.upload_only and peer.upload_only:
            self.drop(peer, "both want nothing", now, for_good=self._have.complete)
        elif peer.rejects > MOST_REJECTS:
            self.drop(peer, "refuses everything", now)
        elif self._fetching.is_flood(peer):
            self.drop(peer, "sends what nobody asked for", now)
        elif complaint := self._serving.complaint(peer):
            self.drop(peer, complaint, now)

    def tick(self, now: float, *, crowded: bool) -> None:
        """Some time has passed: part with those who are silent, and are not silent to the others ourselves."""
        if crowded and (surplus := self._contacts.surplus(now)) is not None:
            self.drop(self._peers[surplus], "made place for another torrent", now)
        for peer in self._contacts.keep_up(now):
            self.drop(peer, "silent for too long", now)
