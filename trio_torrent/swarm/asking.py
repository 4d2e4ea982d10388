"""Whom to ask for how much: what is asked of each peer, who could take more, and taking it back.

`Peer.asked` and the picker say the same of every block: here it is asked for or taken back, and in `fetching` it comes.
Whoever could take more than there was to ask for is `hungry`, and has its turn when something turns up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from math import ceil, inf
from random import Random

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE, Geometry
from trio_torrent.wire.messages import Request

from .budget import PIECE_BUDGET
from .commands import Ask, Command, Discard, Withdraw
from .copies import Helper
from .events import PeerId
from .peers import Peer
from .picker import Picker
from .pipeline import LEAST_WINDOW, MOST_WINDOW, URGENT_DIVISOR, seconds_for, window
from .rates import Bucket
from .urgent import ANYONE, Giver, giver

# In the endgame a peer helps out others when it has fewer requests of its own outstanding.
ENDGAME_WINDOW = 8

# Requests that the memory for pieces in flight has room for. Peers that give share it alike: otherwise the first ones
# would ask for seconds ahead, and the last for nothing.
BUDGET_BLOCKS = PIECE_BUDGET // BLOCK_SIZE

# Nor is a peer asked for more than this many times its share of what is left: else the first of many peers would be
# asked for all of a small torrent, and the others for copies.
FAIR_SHARE = 2

# Peers that are looked at again for one event, when there is something to ask for. One piece gives work to few; the
# others have their turn with the next event, or at the next tick.
HUNGRY_AT_ONCE = 16

# A peer that refused something would refuse again just now.
REST_SECONDS = 1.0

# What is asked of a peer and should have come within this time is on its way already: it lies in the buffers of both
# sides and of what is between them.
ON_ITS_WAY_SECONDS = 0.05

# Who owes blocks and has sent none since the tick before the last may be slower than it was.
SILENT_SECONDS = 1.5

# At the end, and when too many pieces are in flight, nearly everyone is hungry and there is hardly anything to ask for;
# those who have just brought something help out on their own account.
HELPERS_AT_ONCE = 2


class Asking:
    """Asks `peers` for what the picker chooses, within `limits` in bytes a second."""

    def __init__(
        self,
        geometry: Geometry,
        picker: Picker,
        peers: Mapping[PeerId, Peer],
        do: Callable[[Command], None],
        limits: Sequence[Bucket],
        random: Random,
    ) -> None:
        self._geometry = geometry
        self._picker = picker
        self._peers = peers
        self._do = do
        self._all_limits = limits
        self._random = random
        self._piece_blocks = -(-geometry.piece_length // BLOCK_SIZE)
        self._givers = 0  # have something for us and do not choke us; they share the memory for pieces in flight
        self._paces = 0.0  # bytes a second, of all givers when they were last looked at
        self.hungry: dict[PeerId, Peer] = {}  # could take more than there was to ask for, longest first

    @property
    def _limits(self) -> list[Bucket]:
        """Those that are in force."""
        return [limit for limit in self._all_limits if limit.rate is not None]

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
        if allowed and self._picker.urgent and self._picker.late(now):
            before = len(peer.asked)
            self._help_out(peer, pieces, allowed, before + ENDGAME_WINDOW, now)
            room, allowed = room - len(peer.asked) + before, allowed - len(peer.asked) + before
        hints, gives = self._hints(peer), self._giver(peer, now)
        requests = self._picker.pick(peer.id, pieces, allowed, now, hints=hints, giver=gives) if allowed else []
        if requests:
            self._ask(peer, requests, now, lend=True)
        if len(requests) < room:
            self.hungry[peer.id] = peer
        if len(requests) < allowed:
            self._help_out(peer, pieces, allowed - len(requests), ENDGAME_WINDOW, now)

    def _hints(self, peer: Peer) -> Iterable[int]:
        """Pieces that are easy for the peer. Of a run each is looked at once: a window has room for many small ones."""
        if not peer.gives_runs:
            return peer.suggested
        size = peer.pieces.size
        start = self._start(peer) if peer.latest is None else peer.latest + 1
        return ((start + ahead) % size for ahead in range(min(MOST_WINDOW, size)))

    def _start(self, peer: Peer) -> int:
        """Where the run begins: as the peer would have it, or anywhere, since others may run, too (BEP 19)."""
        return peer.suggested[0] if peer.suggested else int(self._random.random() * peer.pieces.size)

    def _help_out(self, peer: Peer, pieces: Bitfield, allowed: int, window: int, now: float) -> None:
        """In the endgame, or for a reader, ask for what others were asked for."""
        room = min(allowed, window - len(peer.asked))
        if peer.snubbed or room <= 0:
            return
        if again := self._picker.pick_again(partial(self._helper, peer, pieces, now), room, now):
            self._ask(peer, again, now, lend=False)

    def _helper(self, peer: Peer, pieces: Bitfield, now: float) -> Helper:
        seconds = seconds_for(len(peer.asked) + 1, peer.pace(now))
        return Helper(peer.id, pieces, seconds, partial(self._seconds_of, now))

    def _seconds_of(self, now: float, peer: PeerId) -> float:
        """Until all that was asked of a peer has come; from one that has been silent, not before as long again."""
        asker = self._peers[peer]
        return max(asker.waited, seconds_for(len(asker.asked), asker.pace(now)))

    def fill_hungry(self, now: float, *, most: int = HUNGRY_AT_ONCE) -> None:
        """There may be something for those who could take more: for the one that has waited longest, first."""
        if self._picker.is_endgame or self._picker.is_full:
            most = min(most, HELPERS_AT_ONCE)
        for peer in list(islice(self.hungry.values(), most)):
            if (self._picker.is_full and not self._picker.is_held_up) or self.is_limited(now):
                return
            self._fill(peer, now)

    def _ask(self, peer: Peer, requests: list[Request], now: float, *, lend: bool) -> None:
        peer.asks += 1
        for request in requests:
            peer.asked[request.piece, request.offset] = peer.asks
        peer.latest = requests[-1].piece
        if self._limits:
            self._count_asked(sum([request.length for request in requests]), now)
        self._do(Ask(peer.id, tuple(requests), lend))

    def weigh(self, now: float) -> None:
        """Look how fast givers are, for the sake of those who read."""
        paces = [self._current_pace(peer, now) for peer in self._peers.values() if self._gives(peer)]
        self._paces = sum(paces)
        self._picker.has_laggards = any(self._part(pace, 0).lags for pace in paces)

    def _gives(self, peer: Peer) -> bool:
        return peer.we_are_interested and not peer.chokes_us

    def _current_pace(self, peer: Peer, now: float) -> float:
        """Who has not sent a block for a while is no faster than that, whatever it was before."""
        pace = peer.pace(now)
        return pace if peer.waited < SILENT_SECONDS else min(pace or inf, BLOCK_SIZE / peer.waited)

    def _part(self, pace: float, owes: int) -> Giver:
        return giver(pace, owes, all_paces=self._paces, givers=self._givers)

    def _giver(self, peer: Peer, now: float) -> Giver:
        return self._part(self._current_pace(peer, now), len(peer.asked)) if self._picker.urgent else ANYONE

    def _window(self, peer: Peer) -> int:
        if peer.snubbed:
            return 1
        left = self._picker.lacking.count * self._piece_blocks
        fair = max(LEAST_WINDOW, min(BUDGET_BLOCKS, FAIR_SHARE * left) // max(1, self._givers))
        wide = min(fair, window(peer.from_them.recent, peer.from_them.total, peer.queue))
        return min(wide, max(LEAST_WINDOW, wide // URGENT_DIVISOR)) if self._picker.demand.is_read else wide

    def _allowance(self, now: float) -> int:
        """Blocks that may be asked for now; what is over the limit by the last one is waited for."""
        available = min(limit.available(now) for limit in self._limits)
        share = available / max(1, min(len(self.hungry), HUNGRY_AT_ONCE))
        return 0 if available <= 0 else BUDGET_BLOCKS if share > PIECE_BUDGET else ceil(share / BLOCK_SIZE)

    def _count_asked(self, size: int, now: float) -> None:
        """What is asked for comes: so the limits are kept by asking, and no peer is made to look late by us."""
        for limit in self._limits:
            limit.take(size, now)

    def is_limited(self, now: float) -> bool:
        """A rate limit keeps us from asking."""
        return bool(self.hungry) and any(limit.available(now) <= 0 for limit in self._limits)

    def set_choked(self, peer: Peer, *, choked: bool) -> None:
        """The peer answers from now on, or does not."""
        self._givers += peer.we_are_interested * (peer.chokes_us - choked)
        peer.chokes_us = choked

    def set_interesting(self, peer: Peer, *, interesting: bool) -> None:
        """The peer has something for us from now on, or has not."""
        self._givers += (interesting - peer.we_are_interested) * (not peer.chokes_us)
        peer.we_are_interested = interesting

    # -- taking it back ----------------------------------------------------------------------------------------------

    def withdraw_from(self, others: Iterable[PeerId], request: Request, now: float) -> None:
        """The block has come from somebody else."""
        for other in map(self._peers.__getitem__, others):
            key = request.piece, request.offset
            del other.asked[key]
            self.hungry[other.id] = other
            self._count_asked(-request.length, now)
            self.take_back(other, [key])

    def withdraw(self, peer: Peer, keys: list[tuple[int, int]], now: float, *, tell: bool = True) -> None:
        """Give up what was asked of a peer that is still there."""
        self.take_back(peer, keys, tell=tell)
        self.forget(peer, keys, now)
        self.hungry[peer.id] = peer

    def make_way(self, peer: Peer, now: float) -> None:
        """Take back what nobody waits to read, so that what somebody does need not stand behind it. What would be here
        soon is on its way, and was for nothing if it is cancelled.
        """
        kept = int(peer.pace(now) * ON_ITS_WAY_SECONDS / BLOCK_SIZE)
        others = [
            key
            for key in islice(peer.asked, kept, None)
            if key[0] not in self._picker.urgent and not self._picker.exclusive(key[0])
        ]
        self.withdraw(peer, others, now)

    def claim(self, peer: Peer, key: tuple[int, int], now: float) -> bool:
        """The peer brings what was taken back from it, and is asked for it once more if nobody else is."""
        if key in peer.asked or not self._picker.claim(peer.id, *key):
            return False
        peer.asked[key] = peer.asks
        if self._limits:
            self._count_asked(self.length(*key), now)
        return True

    def take_back(self, peer: Peer, keys: list[tuple[int, int]], *, tell: bool = True) -> None:
        """Take back the places, and cancel the requests if the peer is told. `forget` comes next."""
        if keys:
            if tell:
                peer.cancel(keys)
            requests = (Request(piece, offset, self.length(piece, offset)) for piece, offset in keys)
            self._do(Withdraw(peer.id, tuple(requests), tell))

    def forget(self, peer: Peer, keys: Iterable[tuple[int, int]], now: float) -> None:
        """What was asked of the peer is missing again, if it was asked of nobody else."""
        for key in keys:
            if peer.asked.pop(key, None) is not None and self._limits:
                self._count_asked(-self.length(*key), now)
            if self._picker.release(peer.id, *key):
                self._do(Discard(key[0]))

    def length(self, piece: int, offset: int) -> int:
        """Bytes of a block."""
        return self._geometry.block_size(piece, offset // BLOCK_SIZE)
