"""Whom a torrent is in touch with: who is dialled, who may come in, and who goes for another's sake."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import attrs

from trio_torrent.address import Address, is_local, is_peer, site
from trio_torrent.bitfield import Bitfield
from trio_torrent.wire.extended import ExtendedHandshake, decode_extended
from trio_torrent.wire.messages import Extended, KeepAlive

from .admission import INACTIVE_SECONDS, Guest, Verdict, admit, incoming_places, least
from .bans import Bans
from .candidates import Candidates
from .commands import Command, Dial, Send
from .events import Failure, PeerId
from .mirror import Mirror
from .peers import Peer

# Something is said this often, so that the other side's two minutes never pass in silence (BEP 3).
KEEP_ALIVE_SECONDS = 100.0

# A peer that says nothing for so long is gone (libtorrent's `peer_timeout`).
IDLE_SECONDS = 120.0

# Between two looks at the clock there is a second, or nobody here. When it was so long, we were stopped.
STOPPED_SECONDS = 30.0

# A peer may say again what it can do (BEP 10), when something has changed. Reading it takes up to 4 ms.
MOST_HANDSHAKES = 50


@attrs.frozen(eq=False)
class HeardOf:
    """The addresses that a torrent knows, and who of them lied. It may outlive a scheduler."""

    candidates: Candidates
    bans: Bans = attrs.field(factory=Bans)

    def hand_on(self, peers: Iterable[Peer]) -> HeardOf:
        """For the next scheduler, which these peers will join as if they had just come."""
        for peer in peers:
            self.candidates.retell(peer.address)
            if peer.listens is not None:
                self.candidates.retell(peer.listens)
        return self


class Contacts:
    """Looks at the scheduler's peers, of which there may be so many as `places`; commands go to `do`.

    `mirror` hears where peers see us.
    """

    def __init__(
        self,
        have: Bitfield,
        peers: Mapping[PeerId, Peer],
        do: Callable[[Command], None],
        *,
        heard_of: HeardOf,
        mirror: Mirror,
        places: int,
    ) -> None:
        self._have = have
        self._peers = peers
        self._do = do
        self._bans = heard_of.bans
        self._mirror = mirror
        self._places = places
        self._candidates = heard_of.candidates
        self._kept_up = math.inf  # when; not yet
        self._moved: dict[PeerId, tuple[int, float]] = {}  # bytes between us, and since when there were no more

    @property
    def known(self) -> int:
        """Addresses."""
        return len(self._candidates)

    @property
    def named(self) -> dict[str, int]:
        """How many of them each source has named first."""
        return self._candidates.named

    @property
    def trying(self) -> int:
        """Dials that have neither joined nor failed."""
        return self._candidates.trying

    @property
    def hope(self) -> bool:
        """Somebody is being tried, or will be."""
        return self._candidates.hope

    @property
    def _guests(self) -> list[Peer]:
        """Those who take a place. Web seeds are few, have a limit of their own, and nobody dials a URL."""
        return [peer for peer in self._peers.values() if not peer.web]

    # -- going out ---------------------------------------------------------------------------------------------------

    def found(self, addresses: Iterable[Address], source: str, now: float) -> None:
        """Someone may be there."""
        self._candidates.add(addresses, source, self._bans.banned)
        self.dial(now)

    def failed(self, address: Address, why: Failure, now: float) -> None:
        """Nothing came of a dial."""
        self._candidates.failed(address, now, why)
        self.dial(now)

    def dial(self, now: float) -> None:
        """Try whom there is room for. Of the places that are kept for this, those who come in can take none."""
        guests = self._guests
        came_in = sum(peer.incoming for peer in guests)
        theirs = min(came_in, incoming_places(self._places, others_wait=True))
        for attempt in self._candidates.next(now, free=self._places - theirs - (len(guests) - came_in)):
            self._do(Dial(attempt.address, attempt.seconds))

    def tick(self, now: float) -> None:
        """Some time has passed."""
        for peer in self._guests:
            moved = peer.from_them.total + peer.to_them.total
            if moved != self._moved.get(peer.id, (0, 0.0))[0]:
                self._moved[peer.id] = moved, now
        self.dial(now)

    def keep_up(self, now: float) -> list[Peer]:
        """Let nobody think that we are gone. Returns those who seem to be gone themselves."""
        gone = []
        self._excuse(now)
        for peer in self._peers.values():
            if now - peer.last_heard > IDLE_SECONDS:
                gone.append(peer)
            elif not peer.web and now - peer.last_keep_alive >= KEEP_ALIVE_SECONDS:
                peer.last_keep_alive = now
                self._do(Send(peer.id, (KeepAlive(),)))
        return gone

    def _excuse(self, now: float) -> None:
        """Whoever was silent while we were stopped is not: what he said has yet to be read."""
        last, self._kept_up = self._kept_up, now
        if now - last > STOPPED_SECONDS:
            for peer in self._peers.values():
                peer.last_heard += max(0.0, now - max(last, peer.last_heard))

    # -- coming in ---------------------------------------------------------------------------------------------------

    def refusal(self, address: Address) -> str | None:
        """Why somebody who comes in from there need not even be answered, if so."""
        return "banned" if self._bans.refuses(address) else None

    def joined(self, peer: Peer) -> None:
        """A peer has come, and may be sent away yet."""
        if not peer.web:
            self._candidates.joined(peer.address)

    def introduced(self, peer: Peer, message: Extended) -> ExtendedHandshake | None:
        """What a peer says of itself, as often as it may (BEP 10). Where it sees us and can be reached is noted."""
        peer.handshakes += 1
        theirs = decode_extended(message) if peer.handshakes <= MOST_HANDSHAKES else None
        if theirs is None:
            return None
        if theirs.your_ip is not None:
            self._mirror.told(peer.address.host, theirs.your_ip)
        if peer.incoming and theirs.port is not None:
            self._listens(peer, theirs.port)
        return theirs

    def _listens(self, peer: Peer, port: int) -> None:
        """It need not be dialled there while it is here."""
        address = Address(peer.address.host, port)
        if peer.listens is None and is_peer(address):
            peer.listens = address
            self._candidates.add([address], "itself", self._bans.banned)
            self._candidates.joined(address)

    def admit(self, peer: Peer, now: float, *, crowded: bool) -> Verdict:
        """Whether a peer that has joined may stay, and who goes if so; `crowded` if somebody has to."""
        if peer.address in self._bans.banned or (peer.incoming and self._bans.refuses(peer.address)):
            return Verdict(refusal="banned")
        if peer.web:
            return Verdict()
        self._candidates.succeeded(peer.address)  # though we may have no place for it now
        return admit(
            self._guest(peer, now),
            [self._guest(other, now) for other in self._guests if other is not peer],
            places=self._places,
            incoming=incoming_places(self._places, others_wait=self._candidates.wait),
            crowded=crowded,
        )

    def left(self, peer: Peer, now: float, *, for_good: bool = False) -> None:
        """A peer is gone; `for_good` if it is not to be dialled again."""
        if peer.web:
            return
        self._moved.pop(peer.id, None)
        self._candidates.left(peer.address, now, for_good=for_good)
        if peer.listens is not None:
            self._candidates.left(peer.listens, now, for_good=for_good)
        self.dial(now)

    def recall(self, now: float) -> None:
        """We want something again."""
        self._candidates.recall()
        self.dial(now)

    def surplus(self, now: float) -> PeerId | None:
        """The peer that matters least."""
        return least(self._guest(peer, now) for peer in self._guests)

    def _guest(self, peer: Peer, now: float) -> Guest:
        wants_ours = peer.interested and self._have.count > 0
        _, since = self._moved.get(peer.id, (0, peer.joined))
        return Guest(
            peer=peer.id,
            site=None if is_local(peer.address.host) else site(peer.address.host),
            incoming=peer.incoming,
            useful=peer.we_are_interested or wants_ours,
            active=since > now - INACTIVE_SECONDS,
            rank=self._candidates.rank(peer.address),
            since=peer.joined,
        )
