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

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from math import ceil
from random import Random

from trio_torrent.address import Address
from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.wire.messages import Interested, NotInterested, Piece, Reject, Request

from .availability import SKIP
from .bans import Bans
from .commands import Ask, Command, Discard, Keep, Send, Verify, Withdraw
from .copies import Helper
from .events import PeerId
from .interest import Interest
from .news import News
from .partial import Partial
from .peers import Peer
from .picker import PIECE_BUDGET, Picker
from .pipeline import LEAST_WINDOW, URGENT_SHARE, patience, seconds_for, window
from .rates import Bucket, Meter

# In the endgame a peer helps out others when it has fewer requests of its own outstanding.
ENDGAME_WINDOW = 8

# Requests that the memory for pieces in flight has room for. Peers that give share it alike: otherwise the first ones
# would ask for seconds ahead, and the last for nothing.
BUDGET_BLOCKS = PIECE_BUDGET // BLOCK_SIZE

# Nor is a peer asked for more than this many times its share of what is left: else the first of many peers would be
# asked for all of a small torrent, and the others for copies.
FAIR_SHARE = 2

# A peer that unchokes us and refuses this often without sending a block in between wastes our time (libtorrent's
# `max_rejects`).
MOST_REJECTS = 50

# A peer that refused something would refuse again just now.
REST_SECONDS = 1.0

# Bytes that a peer may send without ever being asked, beyond a part of what it gave. What was cancelled too late does
# not count, so in ordinary life it is nothing.
MOST_USELESS = 1 << 20
USELESS_SHARE = 1 / 16

# Peers that are looked at again for one event, when there is something to ask for. One piece gives work to few; the
# others have their turn with the next event, or at the next tick.
HUNGRY_AT_ONCE = 16

# At the end nearly everyone is hungry and there is hardly anything left; those who have just brought something help
# out in any case.
HELPERS_AT_ONCE = 2

# A suspect piece that comes from one peer alone must come within this time (libtorrent's `piece_timeout`), or within
# four times what another would take. Else a liar could hold it for ever, a block at a time.
ALONE_SECONDS = 20.0
ALONE_PATIENCE = 4


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
        self._geometry = geometry
        self._peers = peers
        self._do = do
        self._bans = bans
        self._all_limits = limits
        self.picker = Picker(geometry, have, random)
        self._interest = Interest(self.picker.lacking, random)
        self.news = News()
        self.have = have
        self.meter = Meter(now)
        self.wasted = 0  # bytes that came and were of no use
        self.hungry: dict[PeerId, Peer] = {}  # could take more than there was to ask for, longest first
        self._ticked = now
        self._piece_blocks = -(-geometry.piece_length // BLOCK_SIZE)
        self._givers = 0  # peers that do not choke us; they share the memory for pieces in flight

    @property
    def _limits(self) -> list[Bucket]:
        """Those that are in force."""
        return [limit for limit in self._all_limits if limit.rate is not None]

    # -- what they have ----------------------------------------------------------------------------------------------

    def joined(self, peer: Peer) -> None:
        """A peer is here; what it has is still to come."""
        peer.told = len(self.news)

    def bitfield(self, peer: Peer, pieces: Bitfield) -> bool:
        """The peer has these pieces, all told; when it says so again, only what is new counts.

        Whether there may be more to ask it for.
        """
        if peer.pieces.count and not pieces.complete:
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
            self.hungry.setdefault(peer.id, peer)
            if not peer.we_are_interested:
                self._look(peer)
        return self.picker.is_missing(piece)

    def lost(self, peer: Peer, piece: int, now: float) -> None:
        """The peer has this piece no longer (BEP 54)."""
        if piece not in peer.pieces:
            return
        if peer.counted_as_seed:
            peer.counted_as_seed = False
            self.picker.availability.no_longer_seed()
        peer.pieces.discard(piece)
        self.picker.availability.lost(piece)
        self._withdraw(peer, [key for key in peer.asked if key[0] == piece], now)
        self._look(peer)
        self.fill_hungry(now)

    def _look(self, peer: Peer) -> None:
        """See if the peer has something that we lack, and tell it when that has changed."""
        interesting = self._interest.look(peer.id, peer.pieces)
        if interesting != peer.we_are_interested:
            peer.we_are_interested = interesting
            self._do(Send(peer.id, (Interested() if interesting else NotInterested(),)))

    # -- what we want ------------------------------------------------------------------------------------------------

    def prioritize(self, priorities: Iterable[tuple[int, int]], now: float) -> None:
        """Want these pieces so much; what is in flight of those no longer wanted is given up."""
        for piece, priority in priorities:
            self.picker.prioritize(piece, priority)
            if priority == SKIP and self.picker.is_in_flight(piece):
                self._give_up(piece, now)
        for peer in self._peers.values():
            self._look(peer)
            self.hungry[peer.id] = peer
        self.fill_hungry(now, most=len(self.hungry))

    def _give_up(self, piece: int, now: float) -> None:
        for peer in self._peers.values():
            self._withdraw(peer, [key for key in peer.asked if key[0] == piece], now)
        if self.picker.is_in_flight(piece):  # else it went with the peer that was to give it alone
            self.picker.give_up(piece)
            self._do(Discard(piece))

    def urgent(self, deadlines: Iterable[tuple[int, float]], now: float) -> None:
        """Somebody waits to read these pieces, by these times; in place of those before."""
        self.picker.set_urgent(deadlines)
        for peer in self._peers.values():
            self.hungry[peer.id] = peer
        self.fill_hungry(now, most=len(self.hungry))

    # -- asking ------------------------------------------------------------------------------------------------------

    def fill(self, peer: Peer, now: float) -> None:
        """Ask the peer for as much as it should have outstanding; under a limit, when its turn comes."""
        if self._limits:
            self.hungry.setdefault(peer.id, peer)
            self.fill_hungry(now)
        else:
            self._fill(peer, now)

    def _fill(self, peer: Peer, now: float) -> None:
        self.hungry.pop(peer.id, None)
        pieces = peer.pieces if not peer.chokes_us else peer.allowed_fast
        if pieces is None or not peer.we_are_interested:
            return
        if peer.rests_until > now:
            self.hungry[peer.id] = peer
            return
        room = self._window(peer) - len(peer.asked)
        if room <= 0:
            return
        allowed = min(room, self._allowance(now)) if self._limits else room
        requests = self.picker.pick(peer.id, pieces, allowed, now, hints=self._hints(peer)) if allowed else []
        if requests:
            self._ask(peer, requests, now, lend=True)
        if len(requests) < room:
            self.hungry[peer.id] = peer
        if len(requests) < allowed:
            self._help_out(peer, pieces, allowed - len(requests), now)

    def _hints(self, peer: Peer) -> Iterable[int]:
        if peer.gives_runs and peer.asked:
            return (next(reversed(peer.asked))[0] + 1,)
        return peer.suggested

    def _help_out(self, peer: Peer, pieces: Bitfield, allowed: int, now: float) -> None:
        """In the endgame, ask for what others were asked for."""
        room = min(allowed, ENDGAME_WINDOW - len(peer.asked))
        if peer.snubbed or room <= 0:
            return
        seconds = seconds_for(len(peer.asked) + 1, peer.pace(now))
        helper = Helper(peer.id, pieces, peer.asked, seconds, partial(self._seconds_of, now))
        if again := self.picker.pick_again(helper, room, now):
            self._ask(peer, again, now, lend=False)

    def _seconds_of(self, now: float, peer: PeerId) -> float:
        """Until all that was asked of a peer has come; from one that has been silent, not before as long again."""
        asker = self._peers[peer]
        return max(asker.waited, seconds_for(len(asker.asked), asker.pace(now)))

    def _allowance(self, now: float) -> int:
        """Blocks that may be asked for now; what is over the limit by the last one is waited for."""
        available = min(limit.available(now) for limit in self._limits)
        share = available / max(1, min(len(self.hungry), HUNGRY_AT_ONCE))
        return 0 if available <= 0 else BUDGET_BLOCKS if share > PIECE_BUDGET else ceil(share / BLOCK_SIZE)

    def fill_hungry(self, now: float, *, most: int = HUNGRY_AT_ONCE) -> None:
        """There may be something for those who could take more: for the one that has waited longest, first."""
        if self.picker.is_endgame:
            most = min(most, HELPERS_AT_ONCE)
        for peer in list(islice(self.hungry.values(), most)):
            if self.picker.is_full or self.is_limited(now):
                return
            self._fill(peer, now)

    def _ask(self, peer: Peer, requests: list[Request], now: float, *, lend: bool) -> None:
        peer.asks += 1
        for request in requests:
            peer.asked[request.piece, request.offset] = peer.asks
        if self._limits:
            self._count_asked(sum([request.length for request in requests]), now)
        self._do(Ask(peer.id, tuple(requests), lend))

    def _count_asked(self, size: int, now: float) -> None:
        """What is asked for comes: so the limits are kept by asking, and no peer is made to look late by us."""
        for limit in self._limits:
            limit.take(size, now)

    def _window(self, peer: Peer) -> int:
        if peer.snubbed:
            return 1
        left = self.picker.lacking.count * self._piece_blocks
        fair = max(LEAST_WINDOW, min(BUDGET_BLOCKS, FAIR_SHARE * left) // max(1, self._givers))
        wide = min(fair, window(peer.from_them.recent, peer.from_them.total, peer.queue))
        return max(LEAST_WINDOW, wide // URGENT_SHARE) if self.picker.has_urgent else wide

    # -- what comes --------------------------------------------------------------------------------------------------

    def block(self, peer: Peer, message: Piece, asks: int, now: float) -> int:
        """A block has come, read when the connection had carried out so many `Ask`s. Returns its bytes if it is of use.

        `count` and `fill` are left to the caller, once for all blocks of a chunk.
        """
        piece, offset, data = message.piece, message.offset, message.data
        key, size = (piece, offset), len(data)
        if peer.asked.get(key, asks + 1) > asks:
            self._useless(peer, key, size)
            return 0
        if size != self._length(piece, offset):
            self._withdraw(peer, [key, *self._bound(peer, key)], now)  # its connection still has the place
            peer.rejects += 1
            peer.rests_until = now + REST_SECONDS
            self.wasted += size
            return 0
        del peer.asked[key]
        peer.waited = 0.0
        peer.snubbed = False
        peer.rejects = 0
        others, whole = self.picker.arrived(peer.id, peer.address, piece, offset)
        if others:
            self._withdraw_from(others, Request(piece, offset, size), now)
        if isinstance(data, bytes):
            self._do(Keep(piece, offset, data))
        if whole:
            self._do(Verify(piece, digests=self.picker.is_suspect(piece)))
        return size

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

    def _withdraw_from(self, others: Iterable[PeerId], request: Request, now: float) -> None:
        for other in map(self._peers.__getitem__, others):
            key = request.piece, request.offset
            del other.asked[key]
            self.hungry[other.id] = other
            self._count_asked(-request.length, now)
            self._take_back(other, [key])

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
        self.fill_hungry(now)
        return self._bans.right(piece, digests) if digests else frozenset()

    def tell_news(self, now: float) -> None:
        """Say what we have to those who lack it; the others would have no use for it."""
        for peer, haves in self.news.lot(self._peers.values(), now):
            self._do(Send(peer.id, haves))

    def failed(self, piece: int, digests: tuple[bytes, ...]) -> frozenset[Address]:
        """The piece is wrong, and is wanted again. Returns who is convicted; `fill_hungry` is left to the caller."""
        failed = self.picker.failed(piece)
        self.wasted += failed.size
        givers = frozenset(failed.givers.values())
        for peer in [peer for peer in self.hungry.values() if peer.address in givers]:
            self.hungry[peer.id] = self.hungry.pop(peer.id)  # somebody else should try it first
        return self._bans.wrong(piece, failed.givers, digests)

    def release(self, pieces: Iterable[int], good: frozenset[int], now: float) -> None:
        """Pieces that were held may be fetched, but for those that are good: they are had."""
        for piece in good:
            self.picker.found(piece)
            self.news.add(piece, now)
        self.picker.unhold(pieces)
        for peer in self._peers.values():
            self._look(peer)
        self.fill_hungry(now, most=len(self.hungry))

    # -- what does not come ------------------------------------------------------------------------------------------

    def choked(self, peer: Peer, now: float) -> None:
        """No more from this peer; without the fast extension, what was asked of it is gone (BEP 3)."""
        self._set_choked(peer, choked=True)
        if not peer.fast and peer.asked:
            self._withdraw(peer, list(peer.asked), now, tell=False)
        self._abandon(peer, now)
        self.fill_hungry(now)

    def unchoked(self, peer: Peer, now: float) -> None:
        """The peer will answer. `fill` is left to the caller, once for all that one chunk says."""
        self._set_choked(peer, choked=False)
        peer.rests_until = now

    def is_limited(self, now: float) -> bool:
        """A rate limit keeps us from asking."""
        return bool(self.hungry) and any(limit.available(now) <= 0 for limit in self._limits)

    def _set_choked(self, peer: Peer, *, choked: bool) -> None:
        self._givers += peer.chokes_us - choked
        peer.chokes_us = choked

    def allowed_fast(self, peer: Peer, piece: int, now: float) -> None:
        """The peer will give this piece although it chokes us (BEP 6); what it has not got is passed over."""
        if piece in peer.pieces:
            if peer.allowed_fast is None:
                peer.allowed_fast = Bitfield(peer.pieces.size)
            peer.allowed_fast.add(piece)
            self.fill(peer, now)

    def rejected(self, peer: Peer, reject: Reject, now: float) -> None:
        """The peer will not send this block (BEP 6). If it says so unchoked, it rests, because it would refuse again;
        `MOST_REJECTS` are for the caller. While it chokes us, it has thought better of what it allowed.
        """
        key = reject.piece, reject.offset
        if self._answered(peer, key) or key not in peer.asked:
            return
        bound = self._bound(peer, key)
        self._take_back(peer, bound)
        self._take_back(peer, [key], tell=False)
        self._forget(peer, [key, *bound], now)
        if peer.chokes_us:
            if peer.allowed_fast is not None:
                peer.allowed_fast.discard(reject.piece)
        else:
            peer.rejects += 1
            peer.rests_until = now + REST_SECONDS
        self.hungry[peer.id] = peer
        self.fill_hungry(now)

    def _abandon(self, peer: Peer, now: float) -> None:
        """A suspect piece does not wait for a giver that has gone silent, also when nothing is asked of it just now."""
        pieces = self.picker.abandon(peer.id)
        keys = [key for key in peer.asked if key[0] in pieces]
        self._take_back(peer, keys)
        self._forget(peer, keys, now)
        for piece in pieces:
            self._do(Discard(piece))

    def left(self, peer: Peer, now: float) -> None:
        """The peer is gone, and so is what was asked of it."""
        self._set_choked(peer, choked=True)
        self.hungry.pop(peer.id, None)
        self._interest.forget(peer.id)
        self._forget(peer, list(peer.asked), now)
        self._abandon(peer, now)
        self.picker.availability.left(peer.pieces, as_seed=peer.counted_as_seed)
        self.fill_hungry(now)

    def tick(self, now: float) -> None:
        """Give what is late to others; try again with those who had nothing to do."""
        passed, self._ticked = now - self._ticked, now
        for peer in self._peers.values():
            if not peer.asked:
                continue
            peer.waited += passed
            peer.busy += passed
            if peer.waited > self._patience(peer, now):
                peer.snubbed = True
                self._withdraw(peer, list(peer.asked), now)
        for alone, giver in self.picker.alone():
            self._hurry(alone, self._peers[giver], now)
        self.fill_hungry(now, most=len(self.hungry))

    def _patience(self, peer: Peer, now: float) -> float:
        return patience(len(peer.asked), peer.pace(now))

    def _hurry(self, alone: Partial, giver: Peer, now: float) -> None:
        """Take a suspect piece from its only giver, if it takes too long and another would do better."""
        blocks = self._geometry.block_count(alone.piece)
        others = [
            seconds_for(blocks, peer.pace(now)) if peer.from_them.total else 0.0
            for peer in self._peers.values()
            if peer is not giver and not peer.chokes_us and not peer.snubbed and alone.piece in peer.pieces
        ]
        limit = max(ALONE_SECONDS, ALONE_PATIENCE * min(others, default=math.inf))
        elapsed = now - alone.begun
        if elapsed > limit and elapsed * blocks > 3 * limit * len(alone.givers):  # nor soon done
            giver.rests_until = now + REST_SECONDS
            self._abandon(giver, now)

    def _withdraw(self, peer: Peer, keys: list[tuple[int, int]], now: float, *, tell: bool = True) -> None:
        """Give up what was asked of a peer that is still there."""
        self._take_back(peer, keys, tell=tell)
        self._forget(peer, keys, now)
        self.hungry[peer.id] = peer

    def _take_back(self, peer: Peer, keys: list[tuple[int, int]], *, tell: bool = True) -> None:
        if keys:
            if tell:
                peer.cancel(keys)
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

    def _forget(self, peer: Peer, keys: Iterable[tuple[int, int]], now: float) -> None:
        for key in keys:
            if peer.asked.pop(key, None) is not None and self._limits:
                self._count_asked(-self._length(*key), now)
            if self.picker.release(peer.id, *key):
                self._do(Discard(key[0]))
