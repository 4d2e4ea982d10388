"""Announcing to HTTP trackers: the task of one torrent. `trio_torrent.tracker.tiers` decides what is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Protocol, TypeAlias

import trio

from trio_torrent.address import Address
from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, Answer, Totals
from trio_torrent.tracker.http import announce_url, parse_answer, tracker_name
from trio_torrent.tracker.tiers import Due, Tiers, TrackerStatus

from .http import Local

ANNOUNCE_SECONDS = 30.0  # from look-up to the last byte: libtorrent's tracker_completion_timeout
STOP_SECONDS = 5.0  # nobody waits longer for a client to quit: libtorrent's stop_tracker_timeout
MAX_ANSWER = 1 << 20  # bytes when inflated: libtorrent's tracker_maximum_response_length

Found: TypeAlias = Callable[[Sequence[Address], str], Awaitable[None]]  # addresses, and who named them


class Getter(Protocol):
    """What is needed of `Http`."""

    async def get(self, url: str, *, limit: int, seconds: float, local: Local) -> bytes: ...


async def announce(http: Getter, url: str, said: Announce, *, seconds: float = ANNOUNCE_SECONDS) -> Answer:
    """Announce once to one tracker. Raises TrackerError.

    A tracker on this host or the local network needs no setting as long as its URL has no query: a torrent can make
    us announce there, but not press a button of the router.
    """
    local = Local.NEVER if "?" in url else Local.ANNOUNCE
    return parse_answer(await http.get(announce_url(url, said), limit=MAX_ANSWER, seconds=seconds, local=local))


class Announcer:
    """Keeps the trackers of one torrent informed, and hands on the peers that they name.

    `totals` is asked whenever something is announced. `found` is awaited with the addresses of each answer and the
    tracker's name; while it blocks, nothing but that one answer waits. What trackers do wrong shows in `status`.
    """

    def __init__(
        self,
        *,
        tiers: Tiers,
        http: Getter,
        info_hash: bytes,
        peer_id: bytes,
        port: int,
        totals: Callable[[], Totals],
        found: Found,
        random: Random,
    ) -> None:
        self._tiers = tiers
        self._http = http
        self._info_hash = info_hash
        self._peer_id = peer_id
        self._port = port
        self._totals = totals
        self._found = found
        self._key = random.getrandbits(32)
        self._wake = trio.Event()
        self._running = trio.CancelScope()

    @property
    def status(self) -> tuple[TrackerStatus, ...]:
        """Every tracker of the torrent as it is now."""
        return self._tiers.status

    async def run(self) -> None:
        """Announce `started`, then whatever is due, until `stop` is called. May be run again after that."""
        self._tiers.start(trio.current_time(), complete=self._totals().left == 0)
        with trio.CancelScope() as self._running:
            async with trio.open_nursery() as nursery:
                while True:
                    self._wake = trio.Event()
                    for due in self._tiers.due(trio.current_time()):
                        nursery.start_soon(self._ask, due)
                    with trio.move_on_at(self._tiers.next_time()):
                        await self._wake.wait()

    def completed(self) -> None:
        """The last piece is here: tell the trackers that know us without it."""
        self._tiers.completed(trio.current_time())
        self._wake.set()

    def announce_now(self) -> None:
        """Ask for peers before the next regular announce, as soon as the trackers allow."""
        self._tiers.announce_now(trio.current_time())
        self._wake.set()

    async def stop(self) -> None:
        """End `run`, if it still runs, and tell every tracker that knows us that we are gone: 5 s at the most."""
        self._running.cancel()
        async with trio.open_nursery() as nursery:
            for due in self._tiers.stop():
                nursery.start_soon(self._say_stopped, due)

    async def _ask(self, due: Due) -> None:
        try:
            answer = await announce(self._http, due.url, self._said(due))
        except TrackerError as error:
            self._tiers.failed(due, error, trio.current_time())
            self._wake.set()
            return
        self._tiers.answered(due, answer, trio.current_time())
        self._wake.set()
        if answer.peers:
            await self._found(answer.peers, f"tracker {tracker_name(due.url)}")

    async def _say_stopped(self, due: Due) -> None:
        with suppress(TrackerError):  # it will forget us by itself
            await announce(self._http, due.url, self._said(due), seconds=STOP_SECONDS)

    def _said(self, due: Due) -> Announce:
        totals = self._totals()
        return Announce(
            info_hash=self._info_hash,
            peer_id=self._peer_id,
            port=self._port,
            uploaded=totals.uploaded,
            downloaded=totals.downloaded,
            left=totals.left,
            event=due.event,
            key=self._key,
            numwant=due.numwant,
            tracker_id=due.tracker_id,
        )
