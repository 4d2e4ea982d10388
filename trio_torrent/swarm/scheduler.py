"""The one place that decides for a torrent: an event in, commands out, and no waiting in between.

The invariants, which hold after every call of `handle`:

1. A piece is in exactly one state: held (nobody could tell yet if it is right), waiting, in flight, verifying, or had.
   A block of a piece in flight is in exactly one: missing, asked of somebody, or arrived.
2. What the picker thinks is asked of a peer, and what the peer's record says was asked of it, are the same.
3. The place of a block is lent to at most one peer, and to none once the block has arrived.
4. A peer that chokes us (without the fast extension) owes us nothing: its requests are gone.
5. We are interested in exactly those who have a piece that we lack.
6. No unchoked peer idles for longer than a tick while it has a missing block that we may ask for.
7. Nothing is asked for, said or sent to a peer after its `Drop`.

Bounded channels in a circle deadlock (reader, scheduler, writer, and the other side's reader). This is the corner where
the circle is cut: commands are carried out without waiting, and a peer that does not read what we say is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import attrs

from trio_torrent.address import Address, is_peer
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.files import FileLayout
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.metainfo.trees import Trees
from trio_torrent.wire import messages as wire
from trio_torrent.wire.extended import HANDSHAKE_NUMBER, ExtendedHandshake, decode_extended, encode_extended
from trio_torrent.wire.lt_donthave import decode_donthave

from .candidates import Candidates
from .commands import AddNode, Command, Drop, Finish, Send
from .contacts import Contacts, HeardOf
from .events import (
    AddressesFound,
    Awaited,
    DialFailed,
    Event,
    HashesServed,
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
from .extensions import DONTHAVE, Extensions
from .fetching import MOST_REJECTS, Fetching
from .hashing import WRONG_BLOCK, Hashing
from .mirror import Mirror
from .peers import Peer
from .pex import SOURCE
from .rates import Bucket
from .serving import MOST_QUEUED, Serving
from .stall import Stall, why

# Something is said this often, so that the other side's two minutes never pass in silence (BEP 3).
KEEP_ALIVE_SECONDS = 100.0

# A peer may say again what it can do (BEP 10), when something has changed. Reading it takes up to 4 ms.
MOST_HANDSHAKES = 50

# A peer that says nothing for so long is gone (libtorrent's `peer_timeout`).
IDLE_SECONDS = 120.0


@attrs.frozen
class Limits:
    """What one torrent may take."""

    connections: int = 50
    upload_slots: int = 8  # at the least
    superseed: bool = False  # if everything is there from the start (BEP 16)


@attrs.frozen
class Ours:
    """What peers learn of us."""

    peer_id: bytes
    port: int | None = None
    client: str | None = None
    mirror: Mirror = attrs.field(factory=Mirror)  # where others see us
    own: frozenset[Address] = frozenset()  # where we would reach ourselves, as far as known
    info_hash: bytes = b""  # the 20 bytes by which they know the torrent
    dht_port: int | None = None  # of our node, UDP, if the DHT may know of this torrent


@attrs.frozen
class Swarm:
    """How the torrent stands, as of one moment. Bytes, and bytes a second."""

    peers: int
    seeds: int
    known: int  # addresses
    downloaded: int
    uploaded: int
    wasted: int
    down_rate: float
    up_rate: float
    stall: Stall | None  # why nothing comes; None if something does, or nothing is wanted
    named: Mapping[str, int] = attrs.field(factory=dict, hash=False)  # of the addresses, by whoever named them first

    @classmethod
    def nothing(cls) -> Swarm:
        """Before there is a scheduler."""
        return cls(peers=0, seeds=0, known=0, downloaded=0, uploaded=0, wasted=0, down_rate=0, up_rate=0, stall=None)


class Scheduler:
    """Decides for one torrent. `have` is what is verified already; it is changed here and nowhere else.

    `trees` are those of a v2 torrent, `layers` the piece layers that it has, and `hold` the pieces that cannot be
    verified, and so must not be fetched, before the other layers have come (`Released`). `info` is the info dictionary
    for those who came by a link, `pex` lets peers tell of peers, and `heard_of` is from a time before.
    """

    def __init__(
        self,
        geometry: Geometry,
        have: Bitfield,
        *,
        ours: Ours,
        random: Random,
        now: float,
        limits: Limits | None = None,
        down: Sequence[Bucket] = (),
        trees: Trees | None = None,
        layers: Mapping[bytes, bytes] | None = None,
        hold: Iterable[int] = (),
        info: bytes = b"",
        pex: bool = False,
        heard_of: HeardOf | None = None,
    ) -> None:
        self.have = have
        self._ours = ours
        self._limits = limits or Limits()
        self._peers: dict[PeerId, Peer] = {}
        self._commands: list[Command] = []
        heard_of = heard_of or HeardOf(Candidates(random, mirror=ours.mirror, own=ours.own))
        self._bans = heard_of.bans
        self._contacts = Contacts(have, self._peers, self._do, heard_of=heard_of, places=self._limits.connections)
        self._finished = have.complete
        self._fetching = Fetching(
            geometry, have, self._peers, self._do, bans=self._bans, random=random, now=now, limits=down
        )
        self._serving = Serving(
            geometry,
            have,
            self._peers,
            self._do,
            random=random,
            slots=self._limits.upload_slots,
            now=now,
            info_hash=ours.info_hash,
            superseed=self._limits.superseed,
        )
        picker = self._fetching.picker
        picker.hold(hold)
        self._hashing = Hashing(
            trees or Trees(FileLayout(()), geometry),
            layers or {},
            have,
            self._peers,
            self._do,
            bans=self._bans,
            picker=picker,
            now=now,
        )
        self._extensions = Extensions(self._peers, self._do, info=info, pex=pex)

    def __repr__(self) -> str:
        return f"<Scheduler {self._fetching.picker!r}, {len(self._peers)} peers>"

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """What to do about this, in order. `now` is in seconds and never goes back."""
        self._commands = []
        match event:
            case Received() | Served() | HashesServed() | Left():
                self._on_peer(event, now)
            case PieceVerified(piece, digests):
                self._on_verified(piece, digests, now)
            case PieceFailed(piece, digests):
                liars = self._fetching.failed(piece, digests)
                self._hashing.failed(piece, now)
                self._drop_liars(liars, now)
                self._fetching.asking.fill_hungry(now)
            case Released(pieces, good):
                self._fetching.release(pieces, frozenset(good), now)
                self._finish(now)
            case Joined():
                self._on_joined(event, now)
            case DialFailed() | AddressesFound():
                self._on_address(event, now)
            case Wanted() | Awaited() | InOrder():
                self._on_wish(event, now)
            case Tick(crowded):
                self._on_tick(now, crowded=crowded)
        if now >= self._fetching.news.due:
            self._fetching.tell_news(now)
        return self._commands

    def _do(self, command: Command) -> None:
        self._commands.append(command)

    def _on_peer(self, event: Received | Served | HashesServed | Left, now: float) -> None:
        peer = self._peers.get(event.peer)
        if peer is None:
            return  # dropped, while this was on its way
        match event:
            case Received():
                self._on_received(peer, event, now)
            case Served(_, requests):
                self._serving.served(peer, requests, now)
            case HashesServed():
                self._hashing.served(peer)
            case Left():
                self._forget(peer, now)

    # -- peers come and go -------------------------------------------------------------------------------------------

    def _on_joined(self, event: Joined, now: float) -> None:
        peer = Peer.joining(event, self.have.size, now)
        self._contacts.joined(peer)
        self._peers[peer.id] = peer
        twin = self._twin(peer)
        if twin is not None and self._prefer(peer, twin):
            self._drop(twin, "connected twice", now)
            twin = None
        refusal = "connected twice" if twin is not None else self._make_place(peer, now, crowded=event.crowded)
        if refusal:
            self._drop(peer, refusal, now)
            return
        self._fetching.joined(peer)
        if not peer.web:
            self._greet(peer, event)
        self._serving.joined(peer, now)
        self._contacts.dial(now)

    def _greet(self, peer: Peer, event: Joined) -> None:
        greeting = (self._extended(peer),) if event.extended else ()
        node = (wire.Port(self._ours.dht_port),) if event.dht and self._ours.dht_port is not None else ()
        if opening := (*greeting, *self._serving.opening(peer, told=event.told), *node):
            self._do(Send(peer.id, opening))

    def _make_place(self, peer: Peer, now: float, *, crowded: bool) -> str | None:
        """Let somebody go for the newcomer, if need be; or why it cannot stay."""
        verdict = self._contacts.admit(peer, now, crowded=crowded)
        if verdict.instead_of is not None:
            self._drop(self._peers[verdict.instead_of], "made place for another", now)
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

    def _extended(self, peer: Peer) -> wire.Message:
        ours = ExtendedHandshake(
            client=self._ours.client,
            port=self._ours.port,
            reqq=MOST_QUEUED,
            upload_only=self._serving.upload_only,
        )
        return encode_extended(self._extensions.introduce(ours, peer))

    def _drop(self, peer: Peer, reason: str, now: float, *, for_good: bool = False) -> None:
        self._do(Drop(peer.id, reason, for_good))
        self._forget(peer, now, for_good=for_good)

    def _forget(self, peer: Peer, now: float, *, for_good: bool = False) -> None:
        del self._peers[peer.id]
        self._fetching.left(peer, now)
        self._serving.left(peer, now)
        self._hashing.left(peer, now)
        self._extensions.left(peer.id)
        self._contacts.left(peer, now, for_good=for_good)

    def _drop_liars(self, liars: frozenset[Address], now: float, of: str = WRONG_BLOCK) -> None:
        if not liars:
            return
        for peer in [peer for peer in self._peers.values() if peer.address in liars]:
            self._drop(peer, of, now, for_good=True)

    # -- what peers say ----------------------------------------------------------------------------------------------

    def _on_received(self, peer: Peer, event: Received, now: float) -> None:
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
        self._judge(peer, now)
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
                return self._on_opening(peer, Bitfield.from_bytes(bits, self.have.size), now)
            case wire.HaveAll() if not peer.pieces.complete:  # 5 bytes, said again and again, must not cost a set each
                return self._on_opening(peer, Bitfield.full(self.have.size), now)
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
                self._drop_liars(liars, now, of)
                self._fetching.asking.fill_hungry(now)
            case wire.HashReject():
                self._hashing.rejected(peer, message)

    def _on_extended(self, peer: Peer, message: wire.Extended, now: float) -> None:
        if message.number != HANDSHAKE_NUMBER:
            self._on_numbered(peer, message, now)
            return
        peer.handshakes += 1
        if peer.handshakes <= MOST_HANDSHAKES and (theirs := decode_extended(message)) is not None:
            peer.queue = theirs.reqq or peer.queue
            peer.upload_only = theirs.upload_only
            if theirs.your_ip is not None:
                self._ours.mirror.told(peer.address.host, theirs.your_ip)
            self._serving.interest_changed(peer, now)
            if peer.incoming and theirs.port is not None:
                self._contacts.listens(peer, theirs.port)
            self._extensions.said(peer, theirs, now)

    def _on_numbered(self, peer: Peer, message: wire.Extended, now: float) -> None:
        if message.number == DONTHAVE:
            piece = decode_donthave(message.payload)
            if piece is not None and piece < self.have.size:
                self._fetching.lost(peer, piece, now)
        else:
            self._contacts.found(self._extensions.heard(peer, message, now), SOURCE, now)

    def _on_node(self, peer: Peer, port: int) -> None:
        """Told once: whoever says many ports would have us try every door of a host."""
        node = Address(peer.address.host, port)
        if self._ours.dht_port is not None and not peer.told_node and is_peer(node):
            peer.told_node = True
            self._do(AddNode(node))

    def _judge(self, peer: Peer, now: float) -> None:
        """Part with a peer that is of no use, or a nuisance."""
        if self.have.complete and peer.pieces.complete:
            self._drop(peer, "both have everything", now, for_good=True)
        elif self._serving.upload_only and peer.upload_only:
            self._drop(peer, "both want nothing", now, for_good=self.have.complete)
        elif peer.rejects > MOST_REJECTS:
            self._drop(peer, "refuses everything", now)
        elif self._fetching.is_flood(peer):
            self._drop(peer, "sends what nobody asked for", now)
        elif complaint := self._serving.complaint(peer):
            self._drop(peer, complaint, now)

    # -- what the user wants -----------------------------------------------------------------------------------------

    def _on_wish(self, event: Wanted | Awaited | InOrder, now: float) -> None:
        match event:
            case Wanted(priorities):
                self._fetching.prioritize(priorities, now)
                self._finish(now)
            case Awaited(deadlines, reading):
                self._fetching.urgent(deadlines, now, reading=reading)
                self._finish(now)
            case InOrder(on):
                self._fetching.picker.sequential = on

    def _finish(self, now: float) -> None:
        """Say so when nothing is lacking any more, or something is again; to peers, too (BEP 21). Those who read what
        is not wanted are lacking something for as long as they read, as far as peers are concerned.
        """
        picker = self._fetching.picker
        finished, before = picker.is_done, self._finished
        self._finished = finished
        if finished and not before:
            self._do(Finish())
        wants_nothing = finished and not picker.is_read
        if wants_nothing == self._serving.wants_nothing:
            return
        self._serving.wants_nothing = wants_nothing
        if not wants_nothing:
            self._contacts.recall(now)
        for peer in list(self._peers.values()):
            self._judge(peer, now)
            if peer.extended and peer.id in self._peers:
                self._do(Send(peer.id, (self._extended(peer),)))

    # -- what the disk says ------------------------------------------------------------------------------------------

    def _on_verified(self, piece: int, digests: tuple[bytes, ...], now: float) -> None:
        liars = self._fetching.verified(piece, digests, now)
        self._drop_liars(liars, now)
        self._finish(now)

    # -- addresses and time ------------------------------------------------------------------------------------------

    def _on_address(self, event: DialFailed | AddressesFound, now: float) -> None:
        match event:
            case DialFailed(address, _, why_not):
                self._contacts.failed(address, why_not, now)
            case AddressesFound(addresses, source):
                self._contacts.found(addresses, source, now)

    def _on_tick(self, now: float, *, crowded: bool) -> None:
        if crowded and (surplus := self._contacts.surplus(now)) is not None:
            self._drop(self._peers[surplus], "made place for another torrent", now)
        for peer in list(self._peers.values()):
            if now - peer.last_heard > IDLE_SECONDS:
                self._drop(peer, "silent for too long", now)
            elif not peer.web and now - peer.last_keep_alive >= KEEP_ALIVE_SECONDS:
                peer.last_keep_alive = now
                self._do(Send(peer.id, (wire.KeepAlive(),)))
        self._hashing.tick(now)  # which may let pieces be fetched again
        self._fetching.tick(now)
        self._serving.tick(now)
        self._extensions.tick(now)
        self._contacts.tick(now)

    # -- questions ---------------------------------------------------------------------------------------------------

    def refusal(self, address: Address) -> str | None:
        """Why somebody who comes in from there need not even be answered, if so."""
        return self._contacts.refusal(address)

    @property
    def asks(self) -> bool:
        """Something is wanted that is not there."""
        return bool(self._fetching.picker.lacking.count)

    @property
    def rests(self) -> bool:
        """Nothing can come of a `Tick`: nobody is here, and nobody will be called before another event."""
        return not self._peers and not self._contacts.hope

    def snapshot(self, now: float) -> Swarm:
        """How the torrent stands."""
        peers = [peer for peer in self._peers.values() if not peer.web]
        return Swarm(
            peers=len(peers),
            seeds=sum(peer.pieces.complete for peer in peers),
            known=self._contacts.known,
            downloaded=self._fetching.meter.total,
            uploaded=self._serving.meter.total,
            wasted=self._fetching.wasted,
            down_rate=(down_rate := self._fetching.meter.rate(now)),
            up_rate=self._serving.meter.rate(now),
            stall=self._stall(now) if self._fetching.picker.lacking.count and not down_rate else None,
            named=self._contacts.named,
        )

    def _stall(self, now: float) -> Stall:
        interesting = [peer for peer in self._peers.values() if peer.we_are_interested]
        giving = [peer for peer in interesting if not peer.chokes_us]
        return why(
            known=self._contacts.known,
            dialling=self._contacts.trying,
            peers=len(self._peers),
            interesting=len(interesting),
            giving=len(giving),
            silent=sum(peer.snubbed for peer in giving),
            limited=self._fetching.asking.is_limited(now),
            full=self._fetching.picker.is_full,
        )
