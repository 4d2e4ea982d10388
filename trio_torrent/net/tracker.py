"""Announcing: the task of one torrent. `trio_torrent.tracker.tiers` decides what is due."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import TypeAlias

import trio

from trio_torrent.address import Address
from trio_torrent.errors import TrackerError
from trio_torrent.tracker.announce import Announce, Answer, Refused, Totals
from trio_torrent.tracker.limits import tracker_host, tracker_name
from trio_torrent.tracker.names import Names
from trio_torrent.tracker.status import TrackerStatus
from trio_torrent.tracker.tiers import Due, Tiers

from .asking import Asker

STOP_SECONDS = 5.0  # nobody waits longer for a client to quit: libtorrent's stop_tracker_timeout

Found: TypeAlias = Callable[[Sequence[Address], str], Awaitable[None]]  # addresses, and who named them


async def _nothing(answer: Answer) -> None:
    """What is made of the answer to a goodbye."""


class Announcer:
    """Keeps the trackers of one torrent informed, and hands on the peers that they name.

    `names` is asked for its 20-byte info-hashes, and `totals` for how far it is, whenever something is announced.
    `found` is awaited with the addresses of each answer and the tracker's name; while it blocks, nothing but that one
    answer waits. `seen_as` is told which host sees us at which address (BEP 24). What they do wrong shows in `status`.
    """

    def __init__(
        self,
        *,
        tiers: Tiers,
        trackers: Asker,
        names: Callable[[], Sequence[bytes]],
        peer_id: bytes,
        port: int,
        totals: Callable[[], Totals],
        found: Found,
        random: Random,
        seen_as: Callable[[str, str], None] | None = None,
    ) -> None:
        self._tiers = tiers
        self._trackers = trackers
        self._names = names
        self._known_by = Names()
        self._peer_id = peer_id
        self._port = port
        self._totals = totals
        self._found = found
        self._seen_as = seen_as
        self._key = random.getrandbits(32)
        self._wake = trio.Event()
        self._running = trio.CancelScope()

    @property
    def status(self) -> tuple[TrackerStatus, ...]:
        """Every tracker of the torrent as it is now."""
        return self._tiers.status(trio.current_time())

    async def run(self) -> None:
        """Announce `started`, then whatever is due, until `stop` is called. May be run again after that."""
        self._known_by.start()
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
                for said in self._said(due):
                    nursery.start_soon(self._say_stopped, due.url, said)

    async def scrape(self) -> None:
        """Ask the trackers how many share the torrent, but none more than once a minute; `status` has the figures.

        For when someone wants to know: an announce brings the same but for the downloads.
        """
        async with trio.open_nursery() as nursery:
            for url in self._tiers.scrapes(trio.current_time()):
                nursery.start_soon(self._scrape, url)

    async def _scrape(self, url: str) -> None:
        with suppress(TrackerError):  # many have no scrape, and nothing depends on it
            counted = await self._trackers.scrape(url, self._names())
            self._tiers.scraped(url, tuple(counted.values()))

    async def _ask(self, due: Due) -> None:
        """By every name at once. The tracker has failed if it answers to none of them."""
        errors: list[TrackerError] = []
        said = self._said(due)

        async def ask(name: Announce) -> None:
            try:
                await self._ask_by(due, name)
            except TrackerError as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for one in said:
                nursery.start_soon(ask, one)
        if len(errors) == len(said):
            nobody = Refused("knows the torrent by none of its names", math.inf)
            self._tiers.failed(due, min(errors, key=_finality, default=nobody), trio.current_time())
            self._wake.set()

    async def _ask_by(self, due: Due, said: Announce) -> None:
        async def heard(answer: Answer) -> None:
            self._known_by.answered(due.url, said.info_hash)
            await self._take(due, answer)

        try:
            await self._trackers.announce(due.url, said, heard)
        except TrackerError as error:
            self._known_by.failed(due.url, said.info_hash, error)
            raise

    async def _take(self, due: Due, answer: Answer) -> None:
        self._tiers.answered(due, answer, trio.current_time())
        self._wake.set()
        if answer.external_ip is not None and self._seen_as is not None:
            self._seen_as(tracker_host(due.url), answer.external_ip)
        if answer.peers:
            await self._found(answer.peers, f"tracker {tracker_name(due.url)}")

    async def _say_stopped(self, url: str, said: Announce) -> None:
        with suppress(TrackerError):  # it will forget us by itself
            await self._trackers.announce(url, said, _nothing, seconds=STOP_SECONDS)

    def _said(self, due: Due) -> tuple[Announce, ...]:
        """One announce for each name that the tracker is to hear."""
        totals = self._totals()
        events = [(name, self._known_by.event(due.url, name, due.event)) for name in self._names()]
        return tuple(
            Announce(
                info_hash=name,
                peer_id=self._peer_id,
                port=self._port,
                uploaded=totals.uploaded,
                downloaded=totals.downloaded,
                left=totals.left,
                event=event,
                key=self._key,
                numwant=due.numwant,
                tracker_id=due.tracker_id,
            )
            for name, event in events
            if event is not None
        )


def _finality(error: TrackerError) -> int:
    """Where one name is never welcome, the other may be yet; and a reason in words tells more than silence."""
    if not isinstance(error, Refused):
        return 1
    return 2 if error.retry_in == math.inf else 0
