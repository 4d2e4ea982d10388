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

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.files import FileLayout
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.metainfo.trees import Trees

from .candidates import Candidates
from .commands import Command, Finish, Send
from .company import Company
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
from .extensions import Extensions
from .fetching import Fetching
from .hashing import Hashing
from .hearing import Hearing
from .ours import Ours
from .peers import Peer
from .rates import Bucket
from .serving import Serving
from .stall import Stall, why


@attrs.frozen
class Limits:
    """What one torrent may take."""

    connections: int = 50
    upload_slots: int = 8  # at the least
    superseed: bool = False  # if everything is there from the start (BEP 16)


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
        self._limits = limits or Limits()
        self._peers: dict[PeerId, Peer] = {}
        self._commands: list[Command] = []
        heard_of = heard_of or HeardOf(Candidates(random, mirror=ours.mirror, own=ours.own))
        self._bans = heard_of.bans
        self._contacts = Contacts(
            have, self._peers, self._do, heard_of=heard_of, mirror=ours.mirror, places=self._limits.connections
        )
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
        picker.demand.hold(hold)
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
        self._company = Company(
            have=have,
            peers=self._peers,
            do=self._do,
            ours=ours,
            contacts=self._contacts,
            fetching=self._fetching,
            serving=self._serving,
            hashing=self._hashing,
            extensions=self._extensions,
        )
        self._hearing = Hearing(
            have=have,
            peers=self._peers,
            do=self._do,
            ours=ours,
            company=self._company,
            contacts=self._contacts,
            fetching=self._fetching,
            serving=self._serving,
            hashing=self._hashing,
            extensions=self._extensions,
        )

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
                self._company.drop_liars(liars, now)
                self._fetching.asking.fill_hungry(now)
            case Released(pieces, good):
                self._fetching.release(pieces, frozenset(good), now)
                self._finish(now)
            case Joined():
                self._company.joined(event, now)
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
                self._hearing.received(peer, event, now)
            case Served(_, requests):
                self._serving.served(peer, requests, now)
            case HashesServed():
                self._hashing.served(peer)
            case Left():
                self._company.left(peer, now)

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
        finished, before = picker.demand.is_done, self._finished
        self._finished = finished
        if finished and not before:
            self._do(Finish())
        wants_nothing = finished and not picker.demand.is_read
        if wants_nothing == self._serving.wants_nothing:
            return
        self._serving.wants_nothing = wants_nothing
        if not wants_nothing:
            self._contacts.recall(now)
        for peer in list(self._peers.values()):
            self._company.judge(peer, now)
            if peer.extended and peer.id in self._peers:
                self._do(Send(peer.id, (self._company.introduction(peer),)))

    # -- what the disk says ------------------------------------------------------------------------------------------

    def _on_verified(self, piece: int, digests: tuple[bytes, ...], now: float) -> None:
        liars = self._fetching.verified(piece, digests, now)
        self._company.drop_liars(liars, now)
        self._finish(now)

    # -- addresses and time ------------------------------------------------------------------------------------------

    def _on_address(self, event: DialFailed | AddressesFound, now: float) -> None:
        match event:
            case DialFailed(address, _, why_not):
                self._contacts.failed(address, why_not, now)
            case AddressesFound(addresses, source):
                self._contacts.found(addresses, source, now)

    def _on_tick(self, now: float, *, crowded: bool) -> None:
        self._company.tick(now, crowded=crowded)
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
