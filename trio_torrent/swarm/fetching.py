"""Getting pieces: what peers have, what we ask of whom, what comes of it.

The places of blocks in their pieces' buffers are lent to peers, and two peers must never hold the same one; nor may
anyone hold one while its piece is hashed and written. A connection reads ahead of us: what it has read waits in the
inbox while we still decide by what we knew. Hence:

- `Ask` lends only for blocks that were missing, and a block is missing only when nobody holds its place;
- before a block that was asked of a peer becomes missing, it is withdrawn from that peer, whatever the peer said of it;
- whoever's copy arrives first, the block is withdrawn from all others before the data is used;
- a block that was read before the connection knew of the request that it seems to answer came for an older one. It is
  passed over: the place may have been somebody else's in between, and it is lent again for the answer still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.wire.messages import Have, Interested, NotInterested, Piece, Reject, Request

from .bans import Bans
from .commands import Ask, Command, Discard, Keep, Send, Verify, Withdraw
from .events import PeerId
from .peers import Peer
from .picker import PIECE_BUDGET, Picker
from .pipeline import LEAST_WINDOW, patience, window
from .rates import Meter

# In the endgame a peer helps out others when it has fewer requests of its own outstanding.
ENDGAME_WINDOW = 8

# Requests that the memory for pieces in flight has room for. Peers that give share it alike: otherwise the first ones
# would ask for seconds ahead, and the last for nothing.
BUDGET_BLOCKS = PIECE_BUDGET // BLOCK_SIZE

# A peer that unchokes us and refuses this often without sending a block in between wastes our time (libtorrent's
# `max_rejects`).
MOST_REJECTS = 50


class Fetching:
    """The downloading half of the scheduler."""

    def __init__(
        self,
        geometry: Geometry,
        have: Bitfield,
        peers: Mapping[PeerId, Peer],
        do: Callable[[Command], None],
        *,
        bans: Bans,
        random: Random,
        now: float,
    ) -> None:
        self._geometry = geometry
        self._peers = peers
        self._do = do
        self._bans = bans
        self.picker = Picker(geometry, have, random)
        self.have = have
        self.meter = Meter(now)
        self.wasted = 0  # bytes that came and were of no use
        self.hungry: dict[PeerId, Peer] = {}  # could take more than there was to ask for, longest first
        self._givers = 0  # peers that do not choke us; they share the memory for pieces in flight

    # -- what they have ----------------------------------------------------------------------------------------------

    def bitfield(self, peer: Peer, pieces: Bitfield) -> None:
        """The peer has these pieces, all told; when it says so again, only what is new counts."""
        if peer.pieces.count:
            for piece in pieces - peer.pieces:
                self.gained(peer, piece)
            return
        peer.pieces = pieces
        peer.counted_as_seed = pieces.complete
        self.picker.availability.joined(pieces)
        peer.wanted = (pieces - self.have).count
        self._tell_interest(peer)

    def gained(self, peer: Peer, piece: int) -> None:
        """The peer has this piece now, too."""
        if not peer.pieces.add(piece):
            return
        self.picker.availability.gained(piece)
        if piece not in self.have:
            peer.wanted += 1
            self._tell_interest(peer)

    def _tell_interest(self, peer: Peer) -> None:
        if bool(peer.wanted) != peer.we_are_interested:
            peer.we_are_interested = bool(peer.wanted)
            self._do(Send(peer.id, (Interested() if peer.wanted else NotInterested(),)))

    # -- asking ------------------------------------------------------------------------------------------------------

    def fill(self, peer: Peer, now: float) -> None:
        """Ask the peer for as much as it should have outstanding."""
        self.hungry.pop(peer.id, None)
        if peer.chokes_us or peer.resting or not peer.wanted:
            return
        room = self._window(peer) - len(peer.asked)
        if room <= 0:
            return
        requests = self.picker.pick(peer.id, peer.pieces, room)
        if requests:
            self._ask(peer, requests, now, lend=True)
        if len(requests) < room:
            self.hungry[peer.id] = peer
            self._help_out(peer, now)

    def _help_out(self, peer: Peer, now: float) -> None:
        """In the endgame, ask for what others were asked for."""
        if not peer.snubbed and len(peer.asked) < ENDGAME_WINDOW:
            again = self.picker.pick_again(peer.pieces, ENDGAME_WINDOW - len(peer.asked), peer.asked)
            if again:
                self._ask(peer, again, now, lend=False)

    def fill_hungry(self, now: float) -> None:
        """There may be something for those who could take more: for the one that has waited longest, first."""
        for peer in list(self.hungry.values()):
            if self.picker.is_full:
                return
            self.fill(peer, now)

    def _ask(self, peer: Peer, requests: list[Request], now: float, *, lend: bool) -> None:
        if not peer.asked:
            peer.last_block = now  # its patience starts with the first request
        peer.asks += 1
        for request in requests:
            peer.asked[request.piece, request.offset] = peer.asks
        self._do(Ask(peer.id, tuple(requests), lend))

    def _window(self, peer: Peer) -> int:
        if peer.snubbed:
            return 1
        fair = max(LEAST_WINDOW, BUDGET_BLOCKS // max(1, self._givers))
        return min(fair, window(peer.from_them.recent, peer.from_them.total, peer.queue))

    # -- what comes --------------------------------------------------------------------------------------------------

    def block(self, peer: Peer, message: Piece, asks: int, now: float) -> None:
        """A block has come, read when the connection had carried out so many `Ask`s.

        `count` and `fill` are left to the caller, once for all blocks of a chunk.
        """
        piece, offset, data = message.piece, message.offset, message.data
        key, size = (piece, offset), len(data)
        if peer.asked.get(key, asks + 1) > asks:
            self.wasted += size
            return
        if size != self._length(piece, offset):
            self._withdraw(peer, [key, *self._bound(peer, key)])  # its connection still has the place
            peer.rejects += 1
            self.wasted += size
            return
        del peer.asked[key]
        peer.last_block = now
        peer.snubbed = False
        peer.rejects = 0
        others, whole = self.picker.arrived(peer.address, piece, offset)
        if others:
            self._withdraw_from_others(piece, offset, size)
        if isinstance(data, bytes):
            self._do(Keep(piece, offset, data))
        if whole:
            self._do(Verify(piece, digests=self.picker.is_suspect(piece)))

    def count(self, peer: Peer, size: int, now: float) -> None:
        """So many bytes of blocks have come."""
        peer.from_them.add(size, now)
        self.meter.add(size, now)

    def _withdraw_from_others(self, piece: int, offset: int, size: int) -> None:
        for other in self._peers.values():
            if other.asked.pop((piece, offset), None) is not None:
                self.hungry[other.id] = other
                self._do(Withdraw(other.id, (Request(piece, offset, size),)))

    def verified(self, piece: int, digests: tuple[bytes, ...], now: float) -> frozenset[Address]:
        """The piece is had: tell those who lack it (the others would have no use for a message each).

        Returns who is convicted of having sent it wrong before.
        """
        self.picker.verified(piece)
        for peer in self._peers.values():
            if piece in peer.pieces:
                peer.wanted -= 1
                self._tell_interest(peer)
            else:
                self._do(Send(peer.id, (Have(piece),)))
        self.fill_hungry(now)
        return self._bans.right(piece, digests) if digests else frozenset()

    def failed(self, piece: int, digests: tuple[bytes, ...]) -> frozenset[Address]:
        """The piece is wrong, and is wanted again. Returns who is convicted; `fill_hungry` is left to the caller."""
        partial = self.picker.failed(piece)
        self.wasted += partial.size
        return self._bans.wrong(piece, partial.givers, digests)

    # -- what does not come ------------------------------------------------------------------------------------------

    def choked(self, peer: Peer, now: float) -> None:
        """No more from this peer; without the fast extension, what was asked of it is gone (BEP 3)."""
        self._set_choked(peer, choked=True)
        if not peer.fast and peer.asked:
            self._withdraw(peer, list(peer.asked), tell=False)
        self._abandon(peer)
        self.fill_hungry(now)

    def unchoked(self, peer: Peer, now: float) -> None:
        """The peer will answer."""
        self._set_choked(peer, choked=False)
        peer.resting = False
        self.fill(peer, now)

    def _set_choked(self, peer: Peer, *, choked: bool) -> None:
        self._givers += peer.chokes_us - choked
        peer.chokes_us = choked

    def rejected(self, peer: Peer, reject: Reject, now: float) -> None:
        """The peer will not send this block (BEP 6). If it says so unchoked, it rests until the next tick, because it
        would refuse again; `MOST_REJECTS` are for the caller.
        """
        key = reject.piece, reject.offset
        if key not in peer.asked:
            return
        bound = self._bound(peer, key)
        self._take_back(peer, bound)
        self._take_back(peer, [key], tell=False)
        self._forget(peer, [key, *bound])
        if not peer.chokes_us:
            peer.rejects += 1
            peer.resting = True
        self.fill_hungry(now)

    def _abandon(self, peer: Peer) -> None:
        """A suspect piece does not wait for a giver that has gone silent, also when nothing is asked of it just now."""
        pieces = self.picker.abandon(peer.id)
        keys = [key for key in peer.asked if key[0] in pieces]
        self._take_back(peer, keys)
        self._forget(peer, keys)
        for piece in pieces:
            self._do(Discard(piece))

    def left(self, peer: Peer, now: float) -> None:
        """The peer is gone, and so is what was asked of it."""
        self._set_choked(peer, choked=True)
        self.hungry.pop(peer.id, None)
        self._forget(peer, list(peer.asked))
        self._abandon(peer)
        self.picker.availability.left(peer.pieces, as_seed=peer.counted_as_seed)
        self.fill_hungry(now)

    def tick(self, now: float) -> None:
        """Give what is late to others; try again with those who had nothing to do."""
        for peer in self._peers.values():
            if peer.resting:
                peer.resting = False
                self.hungry[peer.id] = peer
            if peer.asked and now - peer.last_block > self._patience(peer, now):
                peer.snubbed = True
                self._withdraw(peer, list(peer.asked))
        self.fill_hungry(now)

    def _patience(self, peer: Peer, now: float) -> float:
        average = peer.from_them.total / max(1.0, now - peer.joined)
        return patience(len(peer.asked), max(peer.from_them.rate(now), average))

    def _withdraw(self, peer: Peer, keys: list[tuple[int, int]], *, tell: bool = True) -> None:
        """Give up what was asked of a peer that is still there."""
        self._take_back(peer, keys, tell=tell)
        self._forget(peer, keys)
        self.hungry[peer.id] = peer

    def _take_back(self, peer: Peer, keys: list[tuple[int, int]], *, tell: bool = True) -> None:
        if keys:
            requests = (Request(piece, offset, self._length(piece, offset)) for piece, offset in keys)
            self._do(Withdraw(peer.id, tuple(requests), tell))

    def _bound(self, peer: Peer, key: tuple[int, int]) -> list[tuple[int, int]]:
        """What else is asked of the peer that is lost with this block: a suspect piece comes from one peer alone."""
        piece = key[0]
        return (
            [other for other in peer.asked if other[0] == piece and other != key]
            if self.picker.exclusive(piece)
            else []
        )

    def _length(self, piece: int, offset: int) -> int:
        return self._geometry.block_size(piece, offset // BLOCK_SIZE)

    def _forget(self, peer: Peer, keys: Iterable[tuple[int, int]]) -> None:
        for key in keys:
            peer.asked.pop(key, None)
            if self.picker.release(peer.id, *key):
                self._do(Discard(key[0]))
