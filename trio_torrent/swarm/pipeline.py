"""How many requests a peer should have outstanding, and when it is late."""

from __future__ import annotations

from trio_torrent.metainfo.geometry import BLOCK_SIZE

# With nothing known of a peer, 256 KiB are asked for: 20 ms of a 100 Mbit/s link, 2.5 s of a 1 Mbit/s one.
FIRST_WINDOW = 16

# A slow peer is asked for little, so that what it holds up at the end is little.
LEAST_WINDOW = 4

# What a peer queues when it does not tell (`reqq`, BEP 10): libtorrent assumes as many. Without the fast extension, a
# request over that is dropped in silence.
USUAL_QUEUE = 250

# What we ask for at most, whatever it queues: 16 MiB on their way, a gigabit link's worth at 125 ms.
MOST_WINDOW = 1000

# While somebody reads, the window is divided by this: what he needs next must not stand behind two seconds of other
# blocks. In virtual time, among slow and fast peers, a film stands still for 3 s with half a window, and for less than
# one with a quarter. From a single peer 200 ms away a download then takes 2 s longer to get going.
URGENT_DIVISOR = 4

# A peer that has never sent a block gets this long for its first (libtorrent's `piece_timeout`).
FIRST_BLOCK_SECONDS = 20.0

# What a block is thought to take from a peer that has never sent one: it is tried only where others are slower still.
UNKNOWN_SECONDS = 5.0

# No request is thought late before this, whatever the rate was, nor waited for longer than the other.
LEAST_PATIENCE = 5.0
MOST_PATIENCE = 60.0
PATIENCE = 3  # times the expected time


def window(recent: int, total: int, queue: int) -> int:
    """Requests to keep outstanding, from the bytes of the meter's span and in all, and what the peer queues.

    As many as came in the last two seconds: enough for every link whose delay is under that. While the rate rises this
    adds one request for each block that comes, which is TCP's slow start and doubles with each round trip.
    """
    base = FIRST_WINDOW if total <= FIRST_WINDOW * BLOCK_SIZE or recent > FIRST_WINDOW * BLOCK_SIZE else LEAST_WINDOW
    return min(MOST_WINDOW, queue, base + recent // BLOCK_SIZE)


def seconds_for(blocks: int, rate: float) -> float:
    """Until so many blocks have come from a peer of this rate."""
    return blocks * (BLOCK_SIZE / rate if rate > 0 else UNKNOWN_SECONDS)


def patience(outstanding: int, rate: float) -> float:
    """Seconds without a block after which a peer that owes `outstanding` blocks is late."""
    if rate <= 0:
        return FIRST_BLOCK_SECONDS
    expected = outstanding * BLOCK_SIZE / rate
    return min(MOST_PATIENCE, max(LEAST_PATIENCE, PATIENCE * expected))
