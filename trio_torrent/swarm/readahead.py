"""How far ahead of a reader to fetch, and by when each piece must be there."""

from __future__ import annotations

# What is fetched ahead lasts for so long at the reader's own rate: a peer that goes silent is found out and replaced
# within it, and a player that is a few seconds ahead of itself does not notice.
AHEAD_SECONDS = 8.0

# A reader is thought to take this many bytes a second at least: a modest video's 2 Mbit/s. So who has just begun is
# fetched 2 MiB ahead, and who has paused, too.
LEAST_RATE = 256 << 10

# Bytes ahead at most, so that there is room for other pieces in the memory for those in flight.
MOST_AHEAD = 32 << 20

# However long pieces are, the next one is under way while one is read; and however short they are, no more than so many
# are looked through for every block that comes.
LEAST_PIECES = 2
MOST_PIECES = 256


def read_ahead(piece_length: int, at: int, end: int, rate: float, now: float) -> tuple[tuple[int, float], ...]:
    """Which pieces somebody needs who reads on from `at` to `end`, in order, and when.

    Both are places in the address space; `rate` is how fast he has read lately, in bytes a second.
    """
    if at >= end:
        return ()
    rate = max(rate, LEAST_RATE)
    ahead = max(LEAST_PIECES * piece_length, min(MOST_AHEAD, round(rate * AHEAD_SECONDS)))
    first = at // piece_length
    last = min(first + MOST_PIECES, -(-min(end, at + ahead) // piece_length))
    return tuple([(piece, now + max(0, piece * piece_length - at) / rate) for piece in range(first, last)])
