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

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.wire.messages import Interested, NotInterested, Piece, Reject, Request

from .asking import REST_SECONDS, Asking
from .availability import SKIP
from .bans import Bans
from .commands import Command, Discard, Keep, Send, Verify
from .events import PeerId
from .interest import Interest
from .news import News
from .peers import Peer
from .picker import Picker
from .pipeline import patience
from .rates import Bucket, Meter
from .suspects import Suspects

# A peer that unchokes us and refuses this often without sending a block in between wastes our time (libtorrent's
# `max_rejects`).
MOST_REJECTS = 50

# Bytes that a peer may send without ever being asked, beyond a part of what it gave. What was cancelled too late does
# not count, so in ordinary life it is nothing.
MOST_USELESS = 1 << 20
USELESS_SHARE = 1 / 16


# Seconds that a tick counts at most: when we were stopped for a while, what came meanwhile has yet to be read.
MOST_PASSED = 2.0


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
        limits: Sequence[Bucket] = (),
    ) -> None:
        self._peers = peers
        self._do = do
        self._bans = bans
        self.picker: Picker = Picker(geometry, have, random)
        self.asking: Asking = Asking(geometry, self.picker, peers, do, limits, random)
        self._suspects = Suspects(geometry, self.picker, self.asking, peers, do)
        self._interest = Interest(self.picker.lacking, random)
        self.news: News = News()
        self.have = have
        self.meter: Meter = Meter(now)
        self.wasted: int = 0  # bytes that came and were of no use
        self._ticked = now

    # -- what they have ----------------------------------------------------------------------------------------------

    def joined(self, peer: Peer) -> None:
        """A peer is here; what it has is still to come."""
        peer.told = len(self.news)

    def bitfield(self, peer: Peer, pieces: Bitfield) -> bool:
        """The peer has these pieces, all told; when it says so again, only what is new counts.

        Whether there may be more to ask it for.
        """
        if peer.pieces.count and (peer.took_back or not pieces.complete):  # else each time would be a walk over all
            return bool(sum([self.gained(peer, piece) for piece in pieces - peer.pieces]))
        self.picker.availability.left(peer.pieces, as_seed=peer.counted_as_seed)
        peer.pieces = pieces
        peer.counted_as_seed = pieces.complete
        self.picker.availability.joined(pieces)
        self._look(peer)
        return peer.we_are_interested

    def gained(self, peer: Peer, piece: int) -> bool:
        """The peer has this piece now, too; whether there is more to ask it for."""
        if not peer.pieces.add(piece):
            return False
        self.picker.availability.gained(piece)
        if piece in self.picker.lacking:
            self.asking.hungry.setdefault(peer.id, peer)
            if not peer.we_are_interested:
                self._look(peer)
        return self.picker.is_missing(piece)

    def lost(self, peer: Peer, piece: int, now: float) -> None:
        """The peer has this piece no longer (BEP 54)."""
        if piece not in peer.pieces:
            return
        if peer.counted_as_seed:
            peer.counted_as_seed, peer.took_back = False, True
            self.picker.availability.no_longer_seed()
        peer.pieces.discard(piece)
        self.picker.availability.lost(piece)
        keys = [key for key in peer.asked if key[0] == piece]
        if keys:
            self.asking.withdraw(peer, keys, now)
        self._look(peer)
        if keys:
            self.asking.fill_hungry(now)

    def _look(self, peer: Peer) -> None:
        """See if the peer has something that we lack, and tell it when that has changed."""
        interesting = self._interest.look(peer.id, peer.pieces)
        if interesting != peer.we_are_interested:
            self.asking.set_interesting(peer, interesting=interesting)
            self._do(Send(peer.id, (Interested() if interesting else NotInterested(),)))

    # -- what we want ------------------------------------------------------------------------------------------------

    def prioritize(self, priorities: Iterable[tuple[int, int]], now: float) -> None:
        """Want these pieces so much; what is in flight of those no longer wanted is given up."""
        for piece, priority in priorities:
            self.picker.demand.prioritize(piece, priority)
            if priority == SKIP and piece not in self.picker.lacking and self.picker.is_in_flight(piece):
                self._give_up(piece, now)
        for peer in self._peers.values():
            self._look(peer)
            self.asking.hungry[peer.id] = peer
        self.asking.fill_hungry(now, most=len(self.asking.hungry))

    def _give_up(self, piece: int, now: float) -> None:
        for peer in self._peers.values():
            self.asking.withdraw(peer, [key for key in peer.asked if key[0] == piece], now)
        if self.picker.is_in_flight(piece):  # else it went with the peer that was to give it alone
            self.picker.give_up(piece)
            self._do(Discard(piece))

    def urgent(self, deadlines: Iterable[tuple[int, float]], now: float, *, reading: bool) -> None:
        """Somebody waits to read these pieces, by these times; in place of those before."""
        if self.picker.demand.set_urgent(deadlines, reading=reading):
            for peer in self._peers.values():
                self._look(peer)
        if reading:
            self.asking.weigh(now)
            self._make_way(now)
        for peer in self._peers.values():
            self.asking.hungry[peer.id] = peer
        self.asking.fill_hungry(now, most=len(self.asking.hungry))

    def _make_way(self, now: float) -> None:
        """Somebody is waiting, or has begun to read elsewhere: what nobody waits for must not keep him."""
        due = [piece for piece in self.picker.urgent.due(now) if piece not in self.picker.verifying]
        if due:
            for peer in self._peers.values():
                if any(piece in peer.pieces for piece in due):
                    self.asking.make_way(peer, now)
            for piece in self.picker.in_the_way():
                self._give_up(piece, now)

    # -- what comes --------------------------------------------------------------------------------------------------

    def block(self, peer: Peer, message: Piece, asks: int, now: float) -> int:
        """A block has come with data of its own. As `landed`."""
        piece, offset, data = message.piece, message.offset, message.data
        key, size = (piece, offset), len(data)
        if peer.asked.get(key, asks + 1) > asks and not self._is_welcome(peer, key, size, now):
            self._useless(peer, key, size)
            return 0
        if size != self.asking.length(piece, offset):
            gone = [key, *self._suspects.bound(peer, key)]
            self.asking.withdraw(peer, gone, now)  # its connection still has the place
            peer.rejects += 1
            peer.rests_until = now + REST_SECONDS
            self.wasted += size
            self.asking.fill_hungry(now)
            return 0
        del peer.asked[key]
        self._arrived(peer, piece, [offset], now, data)
        return size

    def landed(self, peer: Peer, blocks: Iterable[Request], asks: int, now: float) -> int:
        """Blocks have come to their places, read when the connection had carried out so many `Ask`s.

        Returns the bytes that are of use. `count` and `fill` are left to the caller, once for all that a chunk brings.
        """
        size, asked, arrived = 0, peer.asked, defaultdict[int, list[int]](list)
        for block in blocks:
            key = block.piece, block.offset
            if asked.get(key, asks + 1) > asks:
                self._useless(peer, key, block.length)
                continue
            del asked[key]
            arrived[block.piece].append(block.offset)
            size += block.length
        for piece, offsets in arrived.items():
            self._arrived(peer, piece, offsets, now)
        return size

    def _arrived(
        self, peer: Peer, piece: int, offsets: Sequence[int], now: float, data: bytes | memoryview | None = None
    ) -> None:
        """Blocks that were waited for are there. `data` has yet to go to its place, which is now nobody else's."""
        peer.waited = 0.0
        peer.snubbed = False
        peer.rejects = 0
        copies, whole = self.picker.arrived(peer.id, peer.address, piece, offsets)
        for offset, others in copies:
            self.asking.withdraw_from(others, Request(piece, offset, self.asking.length(piece, offset)), now)
        if data is not None:
            self._do(Keep(piece, offsets[0], data))
        if whole:
            self._do(Verify(piece, digests=self.picker.is_suspect(piece)))

    def _is_welcome(self, peer: Peer, key: tuple[int, int], size: int, now: float) -> bool:
        """The block was cancelled too late, and is still missing."""
        cancelled = key in peer.cancelled and size == self.asking.length(*key)
        return cancelled and self.asking.claim(peer, key, now) and self._answered(peer, key)

    def _useless(self, peer: Peer, key: tuple[int, int], size: int) -> None:
        """A block that is not waited for. If it was once, the peer is slow, not silent, and not to blame."""
        self.wasted += size
        if self._answered(peer, key):
            peer.waited = 0.0
        else:
            peer.useless += size

    def is_flood(self, peer: Peer) -> bool:
        """The peer sends too much that nobody asked for."""
        return peer.useless > MOST_USELESS + USELESS_SHARE * peer.from_them.total

    def _answered(self, peer: Peer, key: tuple[int, int]) -> bool:
        """Whether the peer answers to a request that was cancelled: with its block, or with a reject (BEP 6)."""
        count = peer.cancelled.pop(key, 0)
        if count > 1:
            peer.cancelled[key] = count - 1
        return bool(count)

    def count(self, peer: Peer, size: int, now: float) -> None:
        """So many bytes of blocks have come."""
        peer.from_them.add(size, now)
        self.meter.add(size, now)

    def verified(self, piece: int, digests: tuple[bytes, ...], now: float) -> frozenset[Address]:
        """The piece is had. Returns who is convicted of having sent it wrong before."""
        self.picker.verified(piece)
        self.news.add(piece, now)
        if self.picker.lacking.count:
            for peer in self._interest.got(piece):
                self._look(self._peers[peer])
        else:
            for everyone in self._peers.values():
                self._look(everyone)
        self.asking.fill_hungry(now)
        return self._bans.right(piece, digests) if digests else frozenset()

    def tell_news(self, now: float) -> None:
        """Say what we have to those who lack it; the others would have no use for it, and web seeds do not listen."""
        for peer, haves in self.news.lot((peer for peer in self._peers.values() if not peer.web), now):
            self._do(Send(peer.id, haves))

    def failed(self, piece: int, digests: tuple[bytes, ...]) -> frozenset[Address]:
        """The piece is wrong, and is wanted again. Returns who is convicted; `fill_hungry` is left to the caller."""
        failed = self.picker.failed(piece)
        self.wasted += failed.size
        givers = frozenset(failed.givers.values())
        for peer in [peer for peer in self.asking.hungry.values() if peer.address in givers]:
            self.asking.hungry[peer.id] = self.asking.hungry.pop(peer.id)  # somebody else should try it first
        return self._bans.wrong(piece, failed.givers, digests)

    def release(self, pieces: Iterable[int], good: frozenset[int], now: float) -> None:
        """Pieces that were held may be fetched, but for those that are good: they are had."""
        for piece in good:
            self.picker.demand.meet(piece)
            self.news.add(piece, now)
        self.picker.demand.unhold(pieces)
        for peer in self._peers.values():
            self._look(peer)
        self.asking.fill_hungry(now, most=len(self.asking.hungry))

    # -- what does not come ------------------------------------------------------------------------------------------

    def choked(self, peer: Peer, now: float) -> None:
        """No more from this peer; without the fast extension, what was asked of it is gone (BEP 3)."""
        self.asking.set_choked(peer, choked=True)
        owed = [] if peer.fast else list(peer.asked)
        if owed:
            self.asking.withdraw(peer, owed, now, tell=False)
        if self._suspects.abandon(peer, now) or owed:  # else 5 bytes would cost a round among the hungry
            self.asking.fill_hungry(now)

    def unchoked(self, peer: Peer, now: float) -> None:
        """The peer will answer. `fill` is left to the caller, once for all that one chunk says."""
        self.asking.set_choked(peer, choked=False)
        peer.rests_until = now

    def allowed_fast(self, peer: Peer, piece: int) -> bool:
        """The peer will give this piece although it chokes us (BEP 6); what it has not got is passed over.

        Whether there may be more to ask it for.
        """
        if piece not in peer.pieces:
            return False
        if peer.allowed_fast is None:
            peer.allowed_fast = Bitfield(peer.pieces.size)
        return peer.allowed_fast.add(piece)

    def rejected(self, peer: Peer, reject: Reject, now: float) -> None:
        """The peer will not send this block (BEP 6). If it says so unchoked, it rests, because it would refuse again;
        `MOST_REJECTS` are for the caller. While it chokes us, it has thought better of what it allowed.
        """
        key = reject.piece, reject.offset
        if self._answered(peer, key) or key not in peer.asked:
            return
        bound = self._suspects.bound(peer, key)
        self.asking.take_back(peer, bound)
        self.asking.take_back(peer, [key], tell=False)
        self.asking.forget(peer, [key, *bound], now)
        if peer.chokes_us:
            if peer.allowed_fast is not None:
                peer.allowed_fast.discard(reject.piece)
        else:
            peer.rejects += 1
            peer.rests_until = now + REST_SECONDS
        self.asking.hungry[peer.id] = peer
        self.asking.fill_hungry(now)

    def left(self, peer: Peer, now: float) -> None:
        """The peer is gone, and so is what was asked of it."""
        self.asking.set_choked(peer, choked=True)
        self.asking.hungry.pop(peer.id, None)
        self._interest.forget(peer.id)
        self.asking.forget(peer, list(peer.asked), now)
        self._suspects.abandon(peer, now)
        self.picker.availability.left(peer.pieces, as_seed=peer.counted_as_seed)
        self.asking.fill_hungry(now)

    def tick(self, now: float) -> None:
        """Give what is late to others; try again with those who had nothing to do."""
        last, self._ticked = self._ticked, now
        for peer in self._peers.values():
            if not peer.asked:
                continue
            # While nobody was here, there may have been no ticks.
            passed = min(MOST_PASSED, now - max(last, peer.joined))
            peer.waited += passed
            peer.busy += passed
            if peer.waited > self._patience(peer, now):
                peer.snubbed = True
                peer.waited = 0.0  # the one block that it is asked for now has its time, too
                self.asking.withdraw(peer, list(peer.asked), now)
        self._suspects.hurry(now)
        if self.picker.demand.is_read:
            self.asking.weigh(now)
        self.asking.fill_hungry(now, most=len(self.asking.hungry))

    def _patience(self, peer: Peer, now: float) -> float:
        return patience(len(peer.asked), peer.pace(now))
