"""How far ahead of a reader is fetched, and when what must be there."""

import pytest

from trio_torrent.swarm.readahead import (
    AHEAD_SECONDS,
    LEAST_PIECES,
    LEAST_RATE,
    MOST_AHEAD,
    MOST_PIECES,
    read_ahead,
)

NOW = 1000.0
MIB = 1 << 20
END = 1000 * MIB


@pytest.mark.parametrize(
    ("piece_length", "rate", "pieces"),
    [
        (MIB, 0, 2),  # LEAST_RATE
        (MIB, 1 * MIB, 8),
        (MIB, 3 * MIB, 24),
        (MIB, 1000 * MIB, 32),
        (256 << 10, 0, 8),
        (16 << 10, 0, 128),
        (16 << 10, 10 * MIB, MOST_PIECES),
        (16 * MIB, 0, LEAST_PIECES),
        (32 * MIB, 1000 * MIB, LEAST_PIECES),
    ],
)
def test_it_is_as_far_as_is_read_in_a_few_seconds_within_bounds(piece_length: int, rate: int, pieces: int):
    assert [piece for piece, _ in read_ahead(piece_length, 0, END, rate, NOW)] == list(range(pieces))
    assert (LEAST_RATE * AHEAD_SECONDS, MOST_AHEAD) == (2 * MIB, 32 * MIB)


def test_each_piece_is_due_when_the_reader_gets_there():
    rate = 2 * MIB
    deadlines = read_ahead(MIB, 10 * MIB + MIB // 2, END, rate, NOW)
    assert deadlines[:3] == ((10, NOW), (11, NOW + 0.25), (12, NOW + 0.75))
    assert len(deadlines) == 17, "16 MiB from the middle of a piece"


def test_nothing_behind_the_end_is_needed():
    assert read_ahead(MIB, 3 * MIB + 5, 4 * MIB, 0, NOW) == ((3, NOW),)
    assert [piece for piece, _ in read_ahead(MIB, 3 * MIB + 5, 4 * MIB + 1, 0, NOW)] == [3, 4]
    assert read_ahead(MIB, 4 * MIB, 4 * MIB, 0, NOW) == () == read_ahead(MIB, 9 * MIB, 4 * MIB, 0, NOW)
