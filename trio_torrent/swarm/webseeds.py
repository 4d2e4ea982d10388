"""When a web seed is tried again, and how it stands in users' eyes. One of these for each URL of a torrent."""

from __future__ import annotations

import enum
import math

import attrs

# Web seeds of one torrent that are used at once (Transmission allows as many connections to one, libtorrent three
# seeds): more than one are for the sake of servers that fail or are slow, not of speed.
MOST_AT_ONCE = 4

# Seconds to wait after the n-th failure in a row: once it may be a server that restarts, and afterwards half a minute
# is what BEP 17 and libtorrent (`urlseed_wait_retry`) wait; half an hour for one that has been gone for long.
RESTS = (1.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0)

# When none of the torrent's files is where it should be, somebody may put them there.
LACKS_EVERYTHING_SECONDS = 3600.0


class WebSeedState(enum.StrEnum):
    """What a web seed is doing, in words for people."""

    WAITING = "waiting for its turn"
    ACTIVE = "in use"
    RESTING = "resting"
    GIVEN_UP = "given up"
    DONE = "no longer needed"


@attrs.frozen
class WebSeedStatus:
    """One web seed of a torrent, as of one moment."""

    url: str
    state: WebSeedState
    received: int  # bytes of blocks, in this session
    error: str | None  # why it rests or was given up
    next_try: float | None  # seconds from now; None if none is planned

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.state}: {self.error}" if self.error else self.state.value


class Standing:
    """What is known of one web seed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.not_before: float = -math.inf
        self._state = WebSeedState.WAITING
        self._failures = 0  # in a row
        self._received = 0  # bytes
        self._error: str | None = None

    @property
    def is_over(self) -> bool:
        """It is not to be used again."""
        return self._state is WebSeedState.GIVEN_UP

    def begin(self) -> None:
        """It is used from now on."""
        self._state = WebSeedState.ACTIVE

    def gave(self, size: int) -> None:
        """Blocks have come."""
        self._received += size
        if self._failures:
            self._failures = 0
            self._error = None

    def rest(self, reason: str, now: float, *, seconds: float | None = None) -> None:
        """It failed: it is tried again when it wants to be (`seconds`), but not sooner than one that fails does."""
        usual = RESTS[min(self._failures, len(RESTS) - 1)]
        self._failures += 1
        self.not_before = now + max(usual, seconds or 0.0)
        self._state = WebSeedState.RESTING
        self._error = reason

    def go_on(self, reason: str) -> None:
        """Something went wrong that does not keep it from giving other things."""
        self._state = WebSeedState.WAITING
        self._error = reason

    def give_up(self, reason: str) -> None:
        """It is of no use, for good."""
        self._state = WebSeedState.GIVEN_UP
        self._error = reason

    def stop(self) -> None:
        """The session is over, or the torrent stopped; it may be used in the next."""
        if self._state is WebSeedState.ACTIVE:
            self._state = WebSeedState.WAITING

    def finish(self) -> None:
        """We have all that we want."""
        self._state = WebSeedState.DONE
        self._error = None

    def status(self, now: float) -> WebSeedStatus:
        """How it stands."""
        resting = self._state is WebSeedState.RESTING
        return WebSeedStatus(
            self.url, self._state, self._received, self._error, max(0.0, self.not_before - now) if resting else None
        )
